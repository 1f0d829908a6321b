// A17: every refusal that a client can meet names a decision, and `why` explains it by the clause it was made by.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Owner } from '../partner/owner.ts';
import type { Answer, Payload, Peer } from '../partner/peer.ts';
import {
  ADMIN,
  APPROVALS,
  approve,
  asking,
  attempt,
  ensure,
  once,
  PAIRING,
  type Place,
  paired,
  READ,
  session,
  WRITE,
} from './act.ts';
import { files } from './state.ts';

const UNKNOWN = 'd_00000000-0000-4000-8000-000000000000';

/** The id that a refusal names. */
function decisionOf(answer: Answer): string {
  if (answer.ok) throw new Error('connected, though a refusal was due');
  expect(String(answer.error.details?.decision)).toMatch(/^d_[0-9a-f-]{36}$/);
  return String(answer.error.details?.decision);
}

const explain = (peer: Peer, id: string): Promise<Payload> => peer.ask('decision.explain', { id });

describe('A17 every refusal names a decision, and why explains it', () => {
  let gateway: Gateway;
  let owner: Owner;
  let open: Place;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    open = { port: gateway.port, token: gateway.token };
  });
  afterAll(() => gateway?.stop());

  const refusals: readonly [string, string, () => Promise<Answer>][] = [
    ['A8.2', 'pairing_required', () => once(open, asking([READ]), { identity: newIdentity() })],
    ['A13.6', 'identity_required', () => once(open, asking([READ]))],
    [
      'A13.5',
      'secret_mismatch',
      () => once(open, asking([READ], { auth: { token: 'wrong' } }), { identity: newIdentity() }),
    ],
    [
      'A4.4',
      'origin',
      () => once({ ...open, origin: 'https://evil.example' }, asking([READ]), { identity: newIdentity() }),
    ],
    ['A3', 'nonce_mismatch', () => once(open, asking([READ]), { identity: newIdentity(), nonce: 'A'.repeat(43) })],
    [
      'A3',
      'signature',
      () =>
        once(open, asking([READ]), { identity: newIdentity(), tamper: (params) => ({ ...params, scopes: [ADMIN] }) }),
    ],
    [
      'A3',
      'device_id',
      () =>
        once(open, asking([READ]), {
          identity: newIdentity(),
          tamper: (params) => ({ ...params, device: { ...(params.device as object), id: 'ab'.repeat(32) } }),
        }),
    ],
    [
      'A18',
      'gateway_key',
      () =>
        once(open, asking([READ]), {
          identity: newIdentity(),
          latchkey: { gatewayKey: 'A'.repeat(43), host: 'x', r: 'A'.repeat(43) },
          version: 'lk1',
        }),
    ],
    ['A1.7', 'role', () => once(open, asking([READ], { role: 'king' }))],
    ['A16', 'connect_params', () => once(open, asking([READ], { minProtocol: 'three' as unknown as number }))],
    ['A16', 'protocol_mismatch', () => once(open, asking([READ], { minProtocol: 99, maxProtocol: 99 }))],
    [
      'A16',
      'not_connect',
      async () => {
        const partner = await Partner.open(open);
        const answer = await partner.call('health', {});
        partner.end();
        return answer;
      },
    ],
    [
      'A5.6',
      'rejected',
      async () => {
        const identity = newIdentity();
        const asked = await once(open, asking([READ]), { identity });
        if (!asked.ok) await owner.ask('device.pair.reject', { requestId: asked.error.details?.requestId });
        return once(open, asking([READ]), { identity });
      },
    ],
    ['A1.1', 'missing_scope', () => call([READ], 'device.pair.list', {})],
    ['A7.8', 'not_found', () => call([PAIRING], 'device.pair.approve', { requestId: 'nothing' })],
    ['A9.1', 'beyond_grant', () => callSelf([READ], 'device.grant.narrow', { scopes: [ADMIN] })],
    [
      'A7.3',
      'beyond_decider',
      async () => {
        const { partner } = await session(open, await paired(owner, [PAIRING, READ]));
        const answer = await partner.call('device.code.create', { scopes: [ADMIN] });
        partner.end();
        return answer;
      },
    ],
    [
      'A5.3',
      'conflict',
      async () => {
        const identity = newIdentity();
        const asked = await once(open, asking([READ]), { identity });
        const requestId = asked.ok ? '' : String(asked.error.details?.requestId);
        await approve(owner, requestId);
        return approve(owner, requestId);
      },
    ],
  ];

  /** One call of a device that holds these scopes. */
  async function call(scopes: readonly string[], method: string, params: Payload): Promise<Answer> {
    const { partner } = await session(open, await paired(owner, scopes));
    const answer = await partner.call(method, params);
    partner.end();
    return answer;
  }

  async function callSelf(scopes: readonly string[], method: string, params: Payload): Promise<Answer> {
    const identity = await paired(owner, scopes);
    const { partner } = await session(open, identity);
    const answer = await partner.call(method, { ...params, deviceId: identity.id });
    partner.end();
    return answer;
  }

  it.each(refusals)('A16 %s %s', async (clause, code, refuse) => {
    const answer = await refuse();
    const id = decisionOf(answer);
    const story = await explain(owner, id);
    expect(answer.ok ? '' : answer.error.details?.refusal).toBe(code);
    expect({ id: story.id, clause: story.rule.clause, code: story.outcome.code }).toEqual({ id, clause, code });
    expect(['never', 'after', 'onApproval']).toContain(story.outcome.retry);
    expect(String(story.remedy)).toMatch(/\S/);
    expect(story.rule.text).toMatch(/\.$/);
  });

  it('A17 a connect that is let in names its decision, by id and by connection', async () => {
    const identity = await paired(owner, [READ]);
    const { partner, hello } = await session(open, identity, [READ, WRITE]);
    const byId = await explain(owner, hello.auth.decision);
    expect(byId).toMatchObject({
      kind: 'connect',
      outcome: { code: 'connected' },
      rule: { clause: 'A4.1' },
      also: [{ clause: 'A4.3' }],
      facts: { deviceId: identity.id, asked: [READ, WRITE], missing: [WRITE], key: 'proven', live: true, direct: true },
      claimed: { clientId: 'cli', platform: 'linux' },
    });
    expect(byId.remedy).toBe(`latchkey devices approve ${hello.auth.requestId}`);
    // What is repeated within the minute is one row: each of its connections finds it.
    const again = await session(open, identity, [READ, WRITE]);
    const repeated = await explain(owner, again.hello.server.connId);
    expect(repeated).toMatchObject({ id: byId.id, count: 2, facts: { connection: again.hello.server.connId } });
    expect((await explain(owner, hello.server.connId)).facts.connection).toBe(hello.server.connId);
    partner.end();
    again.partner.end();
  });

  it('A17 repeats are one row, and the client is told of that row', async () => {
    const identity = newIdentity();
    const ids = [];
    for (let i = 0; i < 5; i += 1) ids.push(decisionOf(await once(open, asking([READ]), { identity })));
    expect(new Set(ids).size).toBe(1);
    expect(await explain(owner, ids[0] ?? '')).toMatchObject({ count: 5 });
    expect(await owner.ask('decision.explain', { last: true })).toMatchObject({ id: ids[0] });
  });

  it('A17 a change, the request that it answered and the device tell one story', async () => {
    const identity = newIdentity();
    const asked = await once(open, asking([READ]), { identity });
    const requestId = asked.ok ? '' : String(asked.error.details?.requestId);
    expect(await explain(owner, requestId.slice(0, 13))).toMatchObject({
      kind: 'request',
      id: requestId,
      outcome: { code: 'open' },
      facts: { asked: [READ], held: null, deviceId: identity.id },
      remedy: `latchkey devices approve ${requestId}`,
    });
    expect(await explain(owner, identity.id.slice(0, 12))).toMatchObject({
      outcome: { code: 'asking' },
      facts: { nextConnect: 'pairing_required' },
    });
    const answer = await approve(owner, requestId);
    const [change] = answer.ok ? (answer.payload.changeIds as string[]) : [];
    expect(await explain(owner, change ?? '')).toMatchObject({
      kind: 'change',
      rule: { clause: 'A7.2' },
      outcome: { code: 'approve' },
      facts: { by: { kind: 'owner' }, deviceId: identity.id, requestId, scopes: [{ scope: READ, untilMs: null }] },
      remedy: `latchkey devices revoke ${identity.id} --role operator`,
    });
    expect(await explain(owner, requestId)).toMatchObject({
      kind: 'request',
      rule: { clause: 'A5.4' },
      outcome: { code: 'approved' },
      facts: { by: { kind: 'owner' }, given: [READ] },
    });
    await owner.ask('device.pair.rename', { deviceId: identity.id, label: 'the kitchen' });
    const story = await explain(owner, 'the kitchen');
    expect(story).toMatchObject({
      kind: 'device',
      id: identity.id,
      outcome: { code: 'paired' },
      facts: { nextConnect: 'connected', grants: [{ role: 'operator', by: { kind: 'owner' } }] },
    });
    expect(story.related.map((row: Payload) => row.code)).toEqual(
      expect.arrayContaining(['rename', 'approve', 'ask', 'pairing_required']),
    );
    for (const row of story.related) expect((await explain(owner, row.id)).id).toBe(row.id);
  });

  it('A9 a session that was ended is told why, and what its device lost', async () => {
    const identity = await paired(owner, [READ]);
    const { partner, hello } = await session(open, identity);
    await owner.ask('device.pair.remove', { deviceId: identity.id });
    await partner.closed;
    expect(await explain(owner, identity.id)).toMatchObject({
      rule: { clause: 'A9.3' },
      outcome: { code: 'gone' },
      remedy: expect.stringContaining(`--key ${identity.publicKey}`),
    });
    const { related } = await explain(owner, hello.server.connId);
    expect(related).toContainEqual(expect.objectContaining({ kind: 'session', code: 'grant_ended' }));
    expect(related).toContainEqual(expect.objectContaining({ kind: 'change', code: 'remove' }));
  });

  it('A8 an ask that waited and was rejected is explained under the decision that it waited by', async () => {
    const identity = newIdentity();
    const partner = await Partner.open(open);
    const answer = partner.connect(asking([READ], { caps: ['latchkey.wait'] }), { identity });
    const { payload } = await partner.event('connect.waiting');
    expect(await explain(owner, payload.decision)).toMatchObject({
      outcome: { code: 'waiting' },
      rule: { clause: 'A8.2' },
    });
    await owner.ask('device.pair.reject', { requestId: payload.requestId });
    expect(await explain(owner, decisionOf(await answer))).toMatchObject({ outcome: { code: 'rejected' } });
    partner.end();
  });

  it('A7 a device sees its own, one that decides what it could decide, and nobody can tell the rest from nothing', async () => {
    const other = await paired(owner, [ADMIN]);
    const { hello } = await session(open, other).then(({ partner, hello }) => {
      partner.end();
      return { hello };
    });
    const asker = newIdentity();
    const asked = await once(open, asking([READ]), { identity: asker });
    const wide = await once(open, asking([APPROVALS]), { identity: newIdentity() });
    const keyless = await once(open, asking([READ]));
    const { changeIds } = await ensure(owner, other, [ADMIN, READ]);

    const reader = await session(open, await paired(owner, [READ]));
    const decider = await session(open, await paired(owner, [PAIRING, READ]));
    const nothing = await session(open, await paired(owner, []));
    const gist = async (peer: Peer, id: string) => {
      const answer = await peer.call('decision.explain', { id });
      return answer.ok ? answer.payload.outcome.code : JSON.stringify(answer.error);
    };
    const none = await gist(reader.partner, UNKNOWN);
    expect(none).toContain('not_found');
    const ids = [
      other.id,
      other.id.slice(0, 10),
      hello.server.connId,
      hello.auth.decision,
      changeIds[0],
      decisionOf(keyless),
      decisionOf(wide),
      wide.ok ? '' : String(wide.error.details?.requestId),
    ];
    for (const id of ids) {
      expect(await gist(reader.partner, id), id).toBe(none);
      expect(await gist(decider.partner, id), id).toBe(none);
      expect(await gist(owner, id), id).not.toContain('not_found');
    }
    const open2 = [decisionOf(asked), asker.id, asked.ok ? '' : String(asked.error.details?.requestId)];
    for (const id of open2) {
      expect(await gist(reader.partner, id), id).toBe(none);
      expect(await gist(decider.partner, id), id).not.toContain('not_found');
    }
    // Its own, whatever it holds: the refusal, the connect, the device.
    const denied = decisionOf(await nothing.partner.call('status', {}));
    for (const id of [denied, nothing.hello.server.connId]) {
      expect(await gist(nothing.partner, id)).not.toContain('not_found');
      expect(await gist(reader.partner, id)).toBe(none);
    }
    expect(await nothing.partner.ask('decision.explain', { last: true })).toMatchObject({ id: denied, kind: 'call' });
    expect((await reader.partner.call('decision.explain', { last: true })).ok).toBe(false);
    for (const { partner } of [reader, decider, nothing]) partner.end();
  });

  it('rule: the command shows it, on a terminal and as a document, and knows what it was not given', async () => {
    const identity = newIdentity();
    const id = decisionOf(await once(open, asking([READ]), { identity }));
    const shown = await gateway.cli(['why', id]);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(
      /pairing_required[\s\S]*A8\.2[\s\S]*latchkey --state-dir \S+ devices approve [0-9a-f-]{36}/,
    );
    expect(JSON.parse((await gateway.cli(['why', '--last', '--json'])).stdout)).toMatchObject({ id });
    expect((await gateway.cli(['why', UNKNOWN])).code).toBe(1);
    const refused = await gateway.cli(['-v', 'devices', 'approve', UNKNOWN]);
    expect(refused.stderr).toMatch(/decision: latchkey .* why d_[0-9a-f-]{36}\n/);
    expect(refused.stderr).toMatch(/\n {2}run: latchkey .* devices list\n/);
    expect((await gateway.cli(['why'])).code).toBe(2);
  });

  it('A2 what a client claims is marked as claimed and acts on no terminal', async () => {
    const client = {
      id: 'cli',
      version: '1',
      platform: 'linux',
      mode: 'cli',
      displayName: '\u202eeno\u001b[2J\r\nroot',
    };
    const { partner, answer } = await attempt(open, asking([READ], { client }), { identity: newIdentity() });
    partner.end();
    const { stdout } = await gateway.cli(['why', decisionOf(answer)]);
    expect(stdout).toContain('it claims');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });
});

describe('A17 without a gateway', () => {
  it('A11 the same is told from the state directory', async () => {
    const gateway = await start();
    try {
      const identity = newIdentity();
      const id = decisionOf(await once({ port: gateway.port }, asking([READ]), { identity }));
      await gateway.halt();
      const before = files(gateway.stateDir);
      const shown = await gateway.cli(['why', id, '--json']);
      expect(JSON.parse(shown.stdout)).toMatchObject({ id, outcome: { code: 'pairing_required' } });
      expect(JSON.parse((await gateway.cli(['why', '--last', '--json'])).stdout)).toMatchObject({ id });
      expect(files(gateway.stateDir)).toEqual(before);
    } finally {
      await gateway.stop();
    }
  });
});
