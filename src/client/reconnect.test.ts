import { expect, test } from 'vitest';
import { remedyFor } from '../core/protocol/error.ts';
import type { EventFrame } from '../core/protocol/frame.ts';
import { ScriptedClock } from '../system/clock.ts';
import { Distrust } from './challenge.ts';
import { Client, ConnectionLost, NoAnswer, RemoteError, type Transport, type TransportReceiver } from './client.ts';
import { type Session, StillWaiting, type Waiting } from './handshake.ts';
import { readHello } from './hello.ts';
import { DialFailed } from './node/websocket.ts';
import { Link, type LinkState } from './reconnect.ts';
import { pauseMs, verdictOf } from './retry.ts';

const table = (refusal: string) => remedyFor(refusal, {})?.retry ?? null;
const refused = (refusal: string, more: Record<string, unknown> = {}) =>
  new RemoteError({ code: 'NOT_PAIRED', message: refusal, details: { refusal }, ...more });
const dial = (kind: DialFailed['kind'], status?: number) =>
  new DialFailed(kind, kind, status === undefined ? {} : { status });
const WAITING: Waiting = {
  requestId: 'r',
  code: null,
  asked: [],
  held: [],
  expiresAtMs: 0,
  gatewayKey: 'k',
  contribution: { r: 'r', nonce: 'n' },
};

const verdicts: readonly [string, Error, 'never' | 'after' | 'onApproval'][] = [
  ['a connection that broke', new ConnectionLost('gone'), 'after'],
  ['a gateway that restarts', new ConnectionLost('gone', 1012), 'after'],
  ['silence', new NoAnswer('connect', 5), 'after'],
  ['nobody there', dial('unreachable'), 'after'],
  ['a door that says nothing', dial('silent'), 'after'],
  ['a proxy whose gateway is away', dial('refused', 502), 'after'],
  ['a redirection', dial('refused', 302), 'never'],
  ['a name that is not served', dial('refused', 421), 'never'],
  ['another program', dial('foreign'), 'never'],
  ['plain text', dial('insecure'), 'never'],
  ['a changed certificate', dial('changed-certificate'), 'never'],
  ['a changed key', new Distrust('changed-key', 'x'), 'never'],
  ['a wait that ended', new StillWaiting(WAITING), 'onApproval'],
  ['a gateway that starts', refused('starting', { code: 'UNAVAILABLE', retryAfterMs: 500 }), 'after'],
  ['no approval yet', refused('pairing_required'), 'onApproval'],
  ['a no', refused('rejected', { retryAfterMs: 86_400_000 }), 'after'],
  ['a wrong signature', refused('signature'), 'never'],
  ['a wrong secret', refused('secret_mismatch'), 'never'],
  [
    "OpenClaw's pairing",
    new RemoteError({ code: 'NOT_PAIRED', message: 'x', details: { requestId: 'r' } }),
    'onApproval',
  ],
  ["OpenClaw's start", new RemoteError({ code: 'UNAVAILABLE', message: 'x', retryable: true }), 'after'],
  ["OpenClaw's no", new RemoteError({ code: 'INVALID_REQUEST', message: 'x' }), 'never'],
  ['what nobody foresaw', new TypeError('x is not a function'), 'never'],
];
test.each(verdicts)('A16: after %s trying again is judged', (_what, error, retry) => {
  expect(verdictOf(error, table).retry).toBe(retry);
});

test('A16: pauses grow to a minute, are spread, and are never shorter than the gateway said', () => {
  const after = (afterMs: number | null) => ({ retry: 'after' as const, afterMs, why: '' });
  const grown = [1, 2, 3, 4, 5, 6, 7, 8, 99].map((times) => pauseMs(after(null), times, 1));
  expect(grown).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(pauseMs(after(null), 3, 0)).toBe(2_000);
  for (const times of [1, 5, 99]) {
    for (const chance of [0, 0.5, 1]) expect(pauseMs(after(30_000), times, chance)).toBeGreaterThanOrEqual(30_000);
  }
});

/** Attempts that are settled by hand. */
function scripted() {
  const clock = new ScriptedClock();
  const states: LinkState[] = [];
  const events: EventFrame[] = [];
  const tries: {
    resolve: (session: Session) => void;
    reject: (error: Error) => void;
    waits: (waiting: Waiting) => void;
  }[] = [];
  let open = 0;
  let mostOpen = 0;
  const link = new Link({
    connect: (waits) =>
      new Promise((resolve, reject) => {
        open += 1;
        mostOpen = Math.max(mostOpen, open);
        const ended = (error: Error) => {
          open -= 1;
          reject(error);
        };
        tries.push({ resolve, reject: ended, waits });
      }),
    verdictOf: (error) => verdictOf(error, table),
    after: (ms, run) => clock.after(ms, run),
    chance: () => 1,
    onState: (state) => states.push(state),
    onEvent: (event) => events.push(event),
  });
  const settle = () => new Promise((done) => setImmediate(done));
  /** A session on a transport of the test's own. */
  const session = () => {
    let receiver: TransportReceiver | null = null;
    const transport: Transport = {
      send: () => {},
      open: (given) => {
        receiver = given;
      },
      close: () => {
        open -= 1;
      },
    };
    const client = new Client(transport, (ms, run) => clock.after(ms, run));
    const hello = readHello({ type: 'hello-ok', protocol: 4, policy: { tickIntervalMs: 30_000 } });
    if (hello === null) throw new Error('no hello');
    return {
      value: {
        client,
        hello,
        gatewayKey: 'k',
        deviceId: 'd',
        listen: (hear: (event: EventFrame) => void) => {
          client.onEvent = hear;
        },
      } satisfies Session,
      tick: () => receiver?.message('{"type":"event","event":"tick","payload":{}}'),
      lose(code?: number) {
        open -= 1;
        receiver?.closed('gone', code);
      },
    };
  };
  const kinds = () => states.map((state) => state.kind);
  return { clock, link, states, events, tries, settle, session, kinds, mostOpen: () => mostOpen };
}

test('A16, T19: a gateway that restarts is reached again, one socket at a time, with the reason told', async () => {
  const s = scripted();
  s.link.start();
  s.link.start();
  expect(s.tries).toHaveLength(1);
  s.tries[0]?.reject(refused('starting', { code: 'UNAVAILABLE', message: 'gateway starting', retryAfterMs: 500 }));
  await s.settle();
  expect(s.states.at(-1)).toMatchObject({ kind: 'pausing', attempt: 1, why: { why: 'gateway starting' } });
  s.clock.advance(500);
  expect(s.tries).toHaveLength(1);
  s.clock.advance(10_000);
  expect(s.tries).toHaveLength(2);
  const first = s.session();
  s.tries[1]?.resolve(first.value);
  await s.settle();
  expect(s.kinds().at(-1)).toBe('connected');
  first.tick();
  expect(s.events).toHaveLength(1);
  first.lose(1012);
  await s.settle();
  expect(s.states.at(-1)).toMatchObject({ kind: 'pausing', why: { why: 'gone' } });
  await expect(s.link.request('health', {}, 1)).rejects.toMatchObject({ name: 'ConnectionLost' });
  s.clock.advance(60_000);
  expect(s.tries).toHaveLength(3);
  // Never two at once, however long it takes.
  s.clock.advance(3_600_000);
  expect(s.tries).toHaveLength(3);
  expect(s.mostOpen()).toBe(1);
  s.link.close();
});

test('A16: failures in a row come later and later; a session that lasts begins anew, one that flaps does not', async () => {
  const s = scripted();
  s.link.start();
  const pauses: number[] = [];
  const fail = async () => {
    s.tries.at(-1)?.reject(dial('unreachable'));
    await s.settle();
    const state = s.states.at(-1);
    pauses.push(state?.kind === 'pausing' ? state.forMs : -1);
    s.clock.advance(60_000);
  };
  const visit = async (forMs: number) => {
    const session = s.session();
    s.tries.at(-1)?.resolve(session.value);
    await s.settle();
    s.clock.advance(forMs);
    session.lose();
    await s.settle();
    const state = s.states.at(-1);
    pauses.push(state?.kind === 'pausing' ? state.forMs : -1);
    s.clock.advance(60_000);
  };
  await fail();
  await fail();
  await visit(1_000);
  await fail();
  await visit(20_000);
  await fail();
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 1_000, 2_000]);
  s.link.close();
  expect(s.clock.pending).toBe(0);
});

test('A16: what no try mends ends it, with the error; an approval that is awaited does not', async () => {
  const s = scripted();
  s.link.start();
  s.tries[0]?.waits(WAITING);
  expect(s.kinds()).toEqual(['connecting', 'waiting']);
  s.tries[0]?.reject(refused('pairing_required', { retryAfterMs: 4_000 }));
  await s.settle();
  expect(s.states.at(-1)).toMatchObject({ kind: 'pausing', why: { retry: 'onApproval' } });
  s.clock.advance(60_000);
  const error = new Distrust('changed-key', 'another');
  s.tries[1]?.reject(error);
  await s.settle();
  expect(s.states.at(-1)).toEqual({ kind: 'ended', error });
  s.clock.advance(3_600_000);
  expect(s.tries).toHaveLength(2);
});

test('A16: a gateway that no longer ticks is left, and one that was closed here stays closed', async () => {
  const s = scripted();
  s.link.start();
  const session = s.session();
  s.tries[0]?.resolve(session.value);
  await s.settle();
  s.clock.advance(50_000);
  session.tick();
  s.clock.advance(50_000);
  expect(s.kinds().at(-1)).toBe('connected');
  s.clock.advance(80_000);
  await s.settle();
  expect(s.states.filter((state) => state.kind === 'pausing').at(-1)).toMatchObject({
    why: { why: expect.stringMatching(/silent/) },
  });
  expect(s.tries.length).toBeGreaterThan(1);
  s.link.close();
  const before = s.tries.length;
  s.tries.at(-1)?.reject(dial('unreachable'));
  await s.settle();
  s.clock.advance(3_600_000);
  expect(s.tries).toHaveLength(before);
  expect(s.clock.pending).toBe(0);
  expect(s.mostOpen()).toBe(1);
});

test('A16: a session that ended between its hello and its first word is noticed; a late one is put away', async () => {
  const s = scripted();
  s.link.start();
  const session = s.session();
  session.lose(1012);
  s.tries[0]?.resolve(session.value);
  await s.settle();
  expect(s.kinds().at(-1)).toBe('pausing');
  s.clock.advance(60_000);
  s.link.close();
  const late = s.session();
  s.tries[1]?.resolve(late.value);
  await s.settle();
  expect(late.value.client.lost).not.toBeNull();
  expect(s.kinds().filter((kind) => kind === 'connected')).toHaveLength(1);
});
