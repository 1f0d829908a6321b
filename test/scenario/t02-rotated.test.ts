// T2: in OpenClaw 2026.2.19 a device whose token was rotated to {admin, approvals, pairing} was locked out by the next
// `status`: its connects asked for read, which plain set inclusion did not find.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { recordedConnects, replayParams } from '../wire/verdict.ts';
import { ADMIN, APPROVALS, asking, granted, once, PAIRING, rotate, rows } from './act.ts';

const ROTATED = [ADMIN, APPROVALS, PAIRING];
const statusConnects = recordedConnects().filter((c) => /(^|\/)(foreign-)?status(deep|-deep)?$/.test(c.command));

describe('T2 a device rotated to {admin, approvals, pairing}, then the connects of status ten times', () => {
  let gateway: Gateway;
  let owner: Peer;
  let identity: Identity;
  let oldToken: string;

  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    identity = newIdentity();
    const hello = await once({ port: gateway.port }, asking(ROTATED, { auth: { token: gateway.token } }), { identity });
    if (!hello.ok) throw new Error(hello.error.message);
    oldToken = hello.payload.auth.deviceToken;
    const rotated = await rotate(owner, identity, ROTATED);
    expect(rotated.ok, JSON.stringify(rotated)).toBe(true);
  });
  afterAll(() => gateway?.stop());

  it('T2 the rotation leaves exactly these scopes', async () => {
    expect(await granted(owner, identity)).toEqual([...ROTATED].sort());
  });

  it.each([
    ['the shared secret', () => ({ token: gateway.token })],
    ['the token from before the rotation, as 2026.2.19 sends it', () => ({ token: oldToken })],
    ['the token from before the rotation, as 2026.9.6 sends it', () => ({ deviceToken: oldToken })],
    ['no credential', () => undefined],
  ])(
    'T2 with %s: one outcome, able to read, nothing pending, no line repeated',
    async (_name, auth) => {
      expect(statusConnects.length).toBeGreaterThan(10);
      const before = gateway.logs();
      for (const recorded of statusConnects) {
        const outcomes = new Set<string>();
        for (let time = 0; time < 10; time += 1) {
          const credential = auth();
          const { auth: _recorded, ...params } = replayParams(recorded, 'secret', gateway.token);
          const partner = await Partner.open({ port: gateway.port });
          // The releases that send no device block here prove nothing about a device; with one, all are alike (A2).
          const answer = await partner.connect(credential === undefined ? params : { ...params, auth: credential }, {
            identity,
            version: recorded.signature ?? 'v3',
          });
          const name = `${recorded.release} ${recorded.command} ${time}: ${JSON.stringify(answer).slice(0, 300)}`;
          expect(answer.ok, name).toBe(true);
          if (!answer.ok) continue;
          expect(answer.payload.auth.missing ?? [], name).toEqual([]);
          const answers = [];
          for (const method of ['health', 'status', 'system-presence'])
            answers.push(`${method} ${(await partner.call(method)).ok}`);
          partner.end();
          const { scopes, missing, requestId } = answer.payload.auth;
          outcomes.add(JSON.stringify([scopes, missing ?? [], requestId ?? null, answers]));
          expect(answers, name).toEqual(['health true', 'status true', 'system-presence true']);
        }
        expect([...outcomes], `${recorded.release} ${recorded.command}`).toHaveLength(1);
      }
      expect((await rows(owner)).open).toEqual([]);
      const said = gateway.logs().slice(before.length).split('\n');
      expect(said.filter((line) => /pairing required|mismatch|missing scope|refused/i.test(line))).toEqual([]);
      // A16: whatever is said of these connects is said once a minute at most.
      const lines = said
        .map((line) => line.replace(/[0-9a-f]{8,}|[\d:.-]+/gi, '#').trim())
        .filter((line) => line !== '');
      expect(lines.length, lines.slice(0, 5).join('\n')).toBe(new Set(lines).size);
    },
    60_000,
  );

  it('T2 reports the rotated grant, not the ask, to a client of protocol 3', async () => {
    const answer = await once({ port: gateway.port }, asking([ADMIN], { minProtocol: 3, maxProtocol: 3 }), {
      identity,
    });
    expect(answer.ok && [...answer.payload.auth.scopes].sort()).toEqual([...ROTATED].sort());
  });
});
