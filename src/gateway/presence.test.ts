import { expect, test } from 'vitest';
import type { DeviceId } from '../core/authz/principal.ts';
import type { Pipe } from './listen/pipe.ts';
import { isPassing, presenceOf } from './presence.ts';
import type { Session } from './session.ts';

const SELF = { host: 'here', version: '1.2.3', platform: 'linux', now: 5 };

function session(n: number, mode: string, device = `d${n}`): Session {
  const label = {
    name: `client ${n}`,
    platform: 'ios',
    family: 'iPhone',
    clientId: 'app',
    clientMode: mode,
    version: '9',
    remote: '127.0.0.1',
  };
  return {
    id: `s${n}`,
    pipe: {} as Pipe,
    principal: { kind: 'device', device: device as DeviceId, role: 'operator', asked: null },
    protocol: 4,
    label,
    source: 'loopback',
    caps: [],
    instanceId: n === 1 ? 'instance' : null,
    since: n,
    listening: true,
  };
}

test('A2 presence names the gateway, then each client as it calls itself, with what it holds', () => {
  const rows = presenceOf(SELF, [session(1, 'ui')], () => ['some.scope']);
  expect(rows).toEqual([
    {
      host: 'here',
      version: '1.2.3',
      platform: 'linux',
      mode: 'gateway',
      reason: 'self',
      ts: 5,
      text: 'Gateway: here · latchkey 1.2.3',
    },
    {
      host: 'client 1',
      version: '9',
      platform: 'ios',
      deviceFamily: 'iPhone',
      mode: 'ui',
      reason: 'connect',
      text: 'client 1 · mode ui',
      ts: 1,
      deviceId: 'd1',
      roles: ['operator'],
      scopes: ['some.scope'],
      instanceId: 'instance',
    },
  ]);
});

test('rule commands and probes, which are gone at once, are no presence', () => {
  const passing = ['cli', 'probe', 'backend'].map((mode, n) => session(n, mode));
  expect(passing.map(isPassing)).toEqual([true, true, true]);
  expect(presenceOf(SELF, passing, () => [])).toHaveLength(1);
});

test('rule of very many clients the newest are named', () => {
  const rows = presenceOf(
    SELF,
    Array.from({ length: 1_000 }, (_, n) => session(n, 'ui')),
    () => [],
  );
  expect(rows).toHaveLength(200);
  expect([rows[0]?.mode, rows[1]?.host, rows.at(-1)?.host]).toEqual(['gateway', 'client 801', 'client 999']);
  expect(rows[0]?.text).toBe('Gateway: here · latchkey 1.2.3 · … and 801 more');
});

test('threat: one device with very many connections pushes nobody out, and what is hidden is counted', () => {
  const others = Array.from({ length: 5 }, (_, n) => session(n, 'ui'));
  const many = Array.from({ length: 500 }, (_, n) => session(100 + n, 'ui', 'loud'));
  const rows = presenceOf(SELF, [...others, ...many], () => []);
  expect(rows.filter(({ deviceId }) => deviceId === 'loud').map(({ ts }) => ts)).toEqual(
    Array.from({ length: 20 }, (_, n) => 580 + n),
  );
  expect(rows.slice(1, 6).map(({ deviceId }) => deviceId)).toEqual(['d0', 'd1', 'd2', 'd3', 'd4']);
  expect(rows[0]?.text).toMatch(/ … and 480 more$/);
});
