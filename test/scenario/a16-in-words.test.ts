// OpenClaw's programs have no table of remedies: of a refusal they print the message, or the close reason. So the command
// that mends it stands in these; what they print is committed in test/interop/narrowed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Owner } from '../partner/owner.ts';
import {
  ADMIN,
  APPROVALS,
  asking,
  attempt,
  granted,
  narrow,
  once,
  PAIRING,
  paired,
  READ,
  reject,
  revoke,
  rows,
} from './act.ts';

let gateway: Gateway;
let owner: Owner;

beforeAll(async () => {
  gateway = await start();
  owner = await gateway.owner();
});
afterAll(() => gateway?.stop());

const THERE = "on the gateway's host: ";
/** As OpenClaw's 2026.2.19, 2026.3.13 and 2026.9.6 come. */
const as = (protocol: 3 | 4, scopes: readonly string[], token?: string) =>
  asking(scopes, { minProtocol: protocol, maxProtocol: protocol, ...(token === undefined ? {} : { auth: { token } }) });

/** Runs what stands in the brackets, as it stands, beside the gateway. */
async function paste(message: string): Promise<string> {
  const line = message.slice(message.lastIndexOf(THERE) + THERE.length, -1);
  expect(line).toMatch(/^latchkey /);
  const { code, stdout, stderr } = await gateway.cli(line.split(' ').slice(1));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim();
}

async function call(identity: Identity, protocol: 3 | 4, method: string, lk = false) {
  const open = { port: gateway.port, ...(lk ? { lk: true as const } : {}) };
  const { partner } = await connected(open, as(protocol, [ADMIN, APPROVALS, PAIRING]), { identity });
  const answer = await partner.call(method, {});
  partner.end();
  return answer.ok ? null : answer.error;
}

describe.each([3, 4] as const)('A16 protocol %i', (protocol) => {
  it.each([
    ['device.pair.list', READ, PAIRING],
    ['status', PAIRING, READ],
  ])('A16 narrowed: %s names the request, and its approval serves it', async (method, left, missing) => {
    const identity = await paired(owner, [ADMIN]);
    expect((await narrow(owner, identity, [left])).ok).toBe(true);
    const error = await call(identity, protocol, method);
    const [request] = (await rows(owner, identity)).open;
    // What is missing and no more: the device asks for all that was taken away.
    const remedy = `latchkey devices approve ${request?.requestId} --scope ${missing}`;
    expect(error?.message).toBe(`missing scope: ${missing} (${THERE}${remedy})`);
    expect(error?.details).toMatchObject({ missingScope: missing, requestId: request?.requestId });
    // Latchkey's own client looks it up: it is told once.
    expect((await call(identity, protocol, method, true))?.message).toBe(`missing scope: ${missing}`);
    await paste(error?.message ?? '');
    expect(await call(identity, protocol, method)).toBeNull();
    expect((await granted(owner, identity))?.toSorted()).toEqual([left, missing].toSorted());
  });

  it('A16 revoked, then rejected: answer, hint and the close reason of v3 name the command that lets it in', async () => {
    const identity = await paired(owner, [READ]);
    await revoke(owner, identity);
    const come = () => attempt({ port: gateway.port }, as(protocol, [READ], gateway.token), { identity });
    for (const state of ['open', 'rejected'] as const) {
      const { partner, answer } = await come();
      const close = await partner.closed;
      const [row] = (await rows(owner, identity))[state];
      const remedy = `latchkey devices approve ${row?.requestId}`;
      expect(answer.ok ? '' : answer.error.message).toMatch(/^pairing required\b.* \(on the gateway's host: /);
      expect(!answer.ok && answer.error.message.endsWith(`(${THERE}${remedy})`)).toBe(true);
      expect(!answer.ok && answer.error.details).toMatchObject({
        code: 'PAIRING_REQUIRED',
        remediationHint: remedy,
        requestId: row?.requestId,
      });
      expect(close).toEqual({
        code: 1008,
        reason:
          protocol === 3
            ? `pairing required (${THERE}${remedy})`
            : expect.stringMatching(new RegExp(`^pairing required: .* \\(requestId: ${row?.requestId}\\)$`)),
      });
      if (state === 'open') await reject(owner, String(row?.requestId));
      else await paste(answer.ok ? '' : answer.error.message);
    }
    expect((await come()).answer.ok).toBe(true);
  });

  it('A16 a wrong secret: the command prints the right one', async () => {
    const wrong = () => once({ port: gateway.port }, as(protocol, [READ], 'wrong'), { identity: newIdentity() });
    const refused = await wrong();
    const message = refused.ok ? '' : refused.error.message;
    expect(message).toMatch(/^unauthorized: gateway token mismatch \(.*\) \(on the gateway's host: /);
    expect(await paste(message)).toBe(gateway.token);
  });
});

describe('threat: what strangers are told', () => {
  it('A16 the commands hold no id but the one of their own request', async () => {
    const other = newIdentity();
    await once({ port: gateway.port }, asking([READ]), { identity: other });
    const theirs = (await rows(owner, other)).open[0]?.requestId;
    const identity = newIdentity();
    const refused = await once({ port: gateway.port }, asking([READ]), { identity });
    const own = (await rows(owner, identity)).open[0]?.requestId;
    const said = refused.ok ? '' : JSON.stringify(refused.error);
    expect(said).toContain(`latchkey devices approve ${own}`);
    expect(said).not.toContain(theirs);
    expect(said).not.toContain(gateway.stateDir);
    // Without a key nothing of anybody is named.
    const keyless = await once({ port: gateway.port }, asking([READ]));
    expect(keyless.ok ? '' : keyless.error.message).toBe('device identity required');
    expect(keyless.ok ? '' : JSON.stringify(keyless.error)).not.toMatch(/approve|requestId/);
  });
});
