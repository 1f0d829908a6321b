// The answers that real clients were recorded to get, as key paths with types (fixture/answers.json): what every
// recorded answer of a release holds, ours holds too, in the same type.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected, type Partner } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Payload } from '../partner/peer.ts';
import { ADMIN, asking, once, PAIRING, READ } from '../scenario/act.ts';

interface RecordedAnswer {
  readonly release: string;
  readonly method: string;
  readonly ok: boolean;
  /** `payload.a.b[]` → types joined by `|`; `?` at the end: not in every recorded object. */
  readonly payload: Readonly<Record<string, string>>;
}

const recorded: readonly RecordedAnswer[] = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixture', 'answers.json'), 'utf8'),
);

/** Recorded, and not here on purpose. Each with its reason; the list may only shrink. */
const ABSENT: readonly { readonly path: RegExp; readonly because: string }[] = [
  { path: /^device\.token\.rotate payload\.token$/, because: 'A10: told to the device itself only, as 2026.9.6 does' },
  { path: /^(health|status) .*heartbeat.*\.(everyMs|waitingForRoute)$/, because: 'no heartbeat runs yet' },
  { path: /^status payload\.sessions\.defaults\.(model|contextTokens)$/, because: 'no model is configured yet' },
  { path: /^status payload\.(tasks|taskAudit)\.by/, because: 'counts by kinds of tasks that are not here yet' },
  {
    path: /^(health|status) payload\.(modelRuntime|configReload|hostDesktop|workerPools|shutdownBudget)$/,
    because: "parts of OpenClaw's own process that have no counterpart here",
  },
  {
    path: /^(health|status) payload\.(eventLoop|eventLoop\.cpuBreakdown|processMemory\.\w+)$/,
    because: "figures of OpenClaw's own diagnostics",
  },
  {
    path: /^config\.get payload\.(agentRosterIncludeOwned|appliedConfigHash|bindingsIncludeOwned|includeProvenance|includedPaths)$/,
    because: 'a configuration is one file here: nothing is included',
  },
  {
    path: /^system-presence payload\[\]\.(ip|deviceFamily|instanceId)$/,
    because: 'optional (PROTOCOL.md §5.2), and the only row is that of the gateway',
  },
];

function shape(value: unknown, path: string, into: Map<string, Set<string>>): void {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  into.set(path, (into.get(path) ?? new Set()).add(type));
  if (Array.isArray(value)) for (const member of value) shape(member, `${path}[]`, into);
  else if (typeof value === 'object' && value !== null)
    for (const [key, member] of Object.entries(value)) shape(member, `${path}.${key}`, into);
}

/** What a recorded answer always holds and this one does not. */
function differing(answer: RecordedAnswer, payload: Payload): { path: string; how: string }[] {
  const ours = new Map<string, Set<string>>();
  shape(payload, 'payload', ours);
  return Object.entries(answer.payload).flatMap(([path, types]) => {
    const parent = path.endsWith('[]') ? path.slice(0, -2) : path.replace(/\.[^.]*$/, '');
    // An empty list shows nothing of its members, and what is optional may be away with all below it.
    if (types.endsWith('?') || path.endsWith('[]') || (parent !== path && !ours.has(parent))) return [];
    const have = ours.get(path);
    if (have === undefined) return [{ path, how: `${path} is missing` }];
    const strange = [...have].filter((type) => !types.split('|').includes(type) && types !== 'null');
    return strange.length === 0 ? [] : [{ path, how: `${path} is ${strange.join('|')}, was ${types}` }];
  });
}

function isAbsent(answer: RecordedAnswer, path: string): boolean {
  return ABSENT.some((absent) => absent.path.test(`${answer.method} ${path}`));
}

describe('answers in the shape that recorded clients got', () => {
  let gateway: Gateway;
  const payloads = new Map<string, Payload>();

  beforeAll(async () => {
    gateway = await start();
    for (const protocol of [3, 4]) {
      const { partner } = await connected(
        { port: gateway.port },
        asking([ADMIN], { minProtocol: protocol, maxProtocol: protocol, auth: { token: gateway.token } }),
        { identity: newIdentity() },
      );
      await gather(partner, protocol);
      partner.end();
    }
  });
  afterAll(() => gateway?.stop());

  async function pending(): Promise<{ id: string; deviceId: string }> {
    const identity = newIdentity();
    const params = asking([READ, PAIRING], { client: { ...asking([]).client, displayName: 'somebody' } as never });
    const answer = await once({ port: gateway.port }, params, { identity });
    return { id: answer.ok ? '' : String(answer.error.details?.requestId), deviceId: identity.id };
  }

  async function gather(partner: Partner, protocol: number): Promise<void> {
    const keep = async (method: string, params?: unknown) => {
      payloads.set(`${protocol} ${method}`, await partner.ask(method, params));
    };
    const [first, second] = [await pending(), await pending()];
    for (const method of ['health', 'status', 'system-presence']) await keep(method);
    await keep('config.get', {});
    await keep('device.pair.list', {});
    await keep('device.pair.approve', { requestId: first.id });
    await keep('device.pair.reject', { requestId: second.id });
    const target = { deviceId: first.deviceId, role: 'operator' };
    await keep('device.token.rotate', { ...target, scopes: [READ] });
    await keep('device.token.revoke', target);
    const third = await pending();
    await partner.ask('device.pair.approve', { requestId: third.id });
    await keep('device.pair.remove', { deviceId: third.deviceId });
  }

  it.each(recorded.filter((answer) => answer.ok).map((answer) => [answer.release, answer.method, answer] as const))(
    'rule %s %s',
    (release, method, answer) => {
      const payload = payloads.get(`${release === '2026.9.6' ? 4 : 3} ${method}`);
      expect(payload).toBeDefined();
      const without = differing(answer, payload).filter(({ path }) => !isAbsent(answer, path));
      expect(without.map(({ how }) => how)).toEqual([]);
    },
  );

  it('rule what is absent on purpose is absent: the list may only shrink', () => {
    const away = recorded
      .filter((a) => a.ok)
      .flatMap((answer) => {
        const payload = payloads.get(`${answer.release === '2026.9.6' ? 4 : 3} ${answer.method}`);
        return differing(answer, payload).map(({ path }) => `${answer.method} ${path}`);
      });
    expect(ABSENT.filter((absent) => !away.some((path) => absent.path.test(path)))).toEqual([]);
  });

  it('A10 a rotation of another device tells no token, whatever the release got', () => {
    for (const protocol of [3, 4]) expect(payloads.get(`${protocol} device.token.rotate`).token).toBeUndefined();
  });
});
