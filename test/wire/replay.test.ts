// Every connect that real OpenClaw clients were recorded to send, re-signed with test keys. The verdicts stand in
// VERDICTS.md; UPDATE=1 writes it anew. The rules below hold whatever the table says.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import {
  type RecordedConnect,
  type ReplaySet,
  recordedConnects,
  replay,
  SETS,
  shortScopes,
  type Verdict,
} from './verdict.ts';

const TABLE = join(import.meta.dirname, 'VERDICTS.md');
const all = recordedConnects();

/** Each set on a fresh gateway, once in the recorded order and once backwards. */
async function replayAll(set: ReplaySet, order: readonly RecordedConnect[]): Promise<Map<RecordedConnect, Verdict>> {
  const gateway = await start();
  try {
    const verdicts = new Map<RecordedConnect, Verdict>();
    for (const recorded of order) {
      for (let time = 0; time < recorded.count; time += 1) {
        const verdict = await replay(recorded, set, gateway);
        const before = verdicts.get(recorded);
        expect(verdict.text, `${recorded.release} ${recorded.command}, again`).toBe(before?.text ?? verdict.text);
        verdicts.set(recorded, verdict);
      }
    }
    return verdicts;
  } finally {
    await gateway.stop();
  }
}

function client(recorded: RecordedConnect): string {
  const c = recorded.params.client;
  const origin = recorded.origin === null ? '' : ', its own origin';
  const secret = recorded.params.auth === undefined ? ', no credential' : '';
  return `${c?.id}/${c?.mode}${origin}${secret}`;
}

/** Rows that differ in nothing but the command are one row that names the commands. */
function render(sets: ReadonlyMap<ReplaySet, ReadonlyMap<RecordedConnect, Verdict>>): string {
  const rows = new Map<string, { cells: string[]; commands: Map<string, number>; count: number }>();
  for (const recorded of all) {
    const cells = [
      recorded.release,
      client(recorded),
      shortScopes(recorded.params.scopes ?? []),
      recorded.identity === null ? 'no' : `${recorded.signature}`,
      ...SETS.map((set) => sets.get(set)?.get(recorded)?.text ?? '?'),
    ];
    const row = rows.get(cells.join('|')) ?? { cells, commands: new Map(), count: 0 };
    row.commands.set(recorded.command, (row.commands.get(recorded.command) ?? 0) + recorded.count);
    row.count += recorded.count;
    rows.set(cells.join('|'), row);
  }
  const lines = [...rows.values()].map(({ cells, commands, count }) => {
    const named = [...commands].map(([command, times]) => (times === 1 ? command : `${command} ×${times}`)).join(', ');
    return `| ${[cells[0], named, ...cells.slice(1), count].join(' | ')} |`;
  });
  return `# What recorded connects come to

Written by \`UPDATE=1\` and replay.test.ts; compared by the same test without it. Every \`connect\` that the real clients
of three OpenClaw releases were recorded to send (fixture/connects.json), signed anew with test keys over each socket's
nonce, against a gateway with a fresh state directory on a loopback socket: with the right shared secret, without any,
and with the secret from a page of another origin. Each set gives the same verdicts in the recorded order and backwards.
A hello reads: protocol, scopes that the client is told, whether a device token came along, and what the session could
then call (\`status\` needs read, \`device.pair.list\` pairing). Scopes without \`operator.\`.

| release | command | client | asked | device signature | right secret | no secret | foreign origin | connects |
|---|---|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}

describe('recorded connects', () => {
  const sets = new Map<ReplaySet, ReadonlyMap<RecordedConnect, Verdict>>();
  const order = new Map<ReplaySet, ReadonlyMap<RecordedConnect, Verdict>>();

  beforeAll(async () => {
    for (const set of SETS) {
      sets.set(set, await replayAll(set, all));
      order.set(set, await replayAll(set, all.toReversed()));
    }
  }, 120_000);

  const each = (set: ReplaySet, check: (recorded: RecordedConnect, verdict: Verdict, name: string) => void) => {
    const verdicts = sets.get(set);
    expect(verdicts?.size).toBe(all.length);
    for (const [recorded, verdict] of verdicts ?? [])
      check(recorded, verdict, `${recorded.release} ${recorded.command}: ${verdict.text}`);
  };

  it('rule all 204 recorded connects are there', () => {
    expect(all.reduce((sum, recorded) => sum + recorded.count, 0)).toBe(204);
  });

  it('A13 with the right secret on a direct loopback socket everything that asks is let in and can do what it asks', () => {
    each('secret', (recorded, verdict, name) => {
      const asks = (scope: string) => recorded.params.scopes?.includes(scope) === true;
      if (recorded.params.auth === undefined) {
        // Nothing proved, nobody to ask for.
        expect(verdict.text, name).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED, closed 1008');
      } else if (recorded.origin === 'same') {
        // A page, even our own: a right secret only lets its key ask.
        expect(verdict.text, name).toBe('NOT_PAIRED PAIRING_REQUIRED, closed 1008');
      } else {
        expect(verdict.answer?.ok, name).toBe(true);
        expect(verdict.may.includes('read'), name).toBe(
          asks('operator.read') || asks('operator.admin') || asks('operator.write'),
        );
        expect(verdict.may.includes('pairing'), name).toBe(asks('operator.pairing') || asks('operator.admin'));
      }
    });
  });

  it('A15 without a secret a key asks and a client without a key is told to bring one', () => {
    each('no secret', (recorded, verdict, name) => {
      expect(verdict.text, name).toBe(
        recorded.identity === null
          ? 'NOT_PAIRED DEVICE_IDENTITY_REQUIRED, closed 1008'
          : 'NOT_PAIRED PAIRING_REQUIRED, closed 1008',
      );
    });
  });

  it('A4 threat 22 from a foreign page nothing connects, whatever it knows', () => {
    each('foreign origin', (_recorded, verdict, name) => {
      expect(verdict.text, name).toMatch(/^(upgrade 403|INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED, closed 1008)$/);
    });
  });

  it('A1 the order of connects changes no verdict', () => {
    for (const set of SETS) {
      for (const recorded of all)
        expect(order.get(set)?.get(recorded)?.text, `${set}: ${recorded.release} ${recorded.command}`).toBe(
          sets.get(set)?.get(recorded)?.text,
        );
    }
  });

  it('A2 labels change no verdict: same ask, same key or none, same answer', () => {
    for (const set of SETS) {
      const seen = new Map<string, string>();
      for (const recorded of all) {
        const { scopes, maxProtocol, auth } = recorded.params;
        const facts = JSON.stringify([scopes, maxProtocol, auth, recorded.identity !== null, recorded.origin]);
        const text = sets.get(set)?.get(recorded)?.text ?? '';
        expect(text, `${set}: ${recorded.release} ${recorded.command}`).toBe(seen.get(facts) ?? text);
        seen.set(facts, text);
      }
    }
  });

  it('rule the verdicts are those of VERDICTS.md', () => {
    const now = render(sets);
    if (process.env.UPDATE === '1') writeFileSync(TABLE, now);
    expect(now).toBe(readFileSync(TABLE, 'utf8'));
  });
});

describe('a replay on one long-lived gateway', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.stop());

  it('A4 keys that were paired once connect in every set but that of a foreign page', async () => {
    for (const recorded of all) await replay(recorded, 'secret', gateway);
    const keyed = all.filter((recorded) => recorded.identity !== null && recorded.origin === null);
    expect(keyed.length).toBeGreaterThan(50);
    for (const recorded of keyed) {
      const verdict = await replay(recorded, 'no secret', gateway);
      expect(verdict.answer?.ok, `${recorded.release} ${recorded.command}: ${verdict.text}`).toBe(true);
    }
  }, 60_000);
});
