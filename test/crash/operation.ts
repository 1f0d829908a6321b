// What is done to a gateway that dies meanwhile, and the state that it is done on.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newStateDir, start } from '../gateway.ts';
import { connected, Partner, plainParams } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer } from '../partner/peer.ts';
import { ADMIN, asking, ensure, once, PAIRING, READ, rows, session, WRITE } from '../scenario/act.ts';
import type { Operation } from './every.ts';

/** The state that everything here happens on. */
export interface Ground {
  readonly template: string;
  /** After everything that is in it. */
  readonly wall: number;
  readonly secret: string;
  /** Two keys that ask and hold nothing; the first asked first. */
  readonly strangers: readonly [Identity, Identity];
  /** Was told no. */
  readonly refused: Identity;
  /** Holds read, asks for more. */
  readonly reader: Identity;
  /** Holds read, write and pairing, made a code and gave `child` what it holds. */
  readonly decider: Identity;
  readonly child: Identity;
  readonly code: string;
  /** By identity: what it asks. */
  readonly requestOf: (identity: Identity) => string;
}

/** A state directory with a history; its secret is the generated one. */
export async function makeGround(): Promise<Ground> {
  const template = newStateDir({ gateway: { auth: { token: undefined } } });
  const gateway = await start({ stateDir: template });
  try {
    const owner = await gateway.owner();
    const [a, b, c, refused, reader, decider, child] = Array.from({ length: 7 }, newIdentity) as Identity[];
    if (!a || !b || !c || !refused || !reader || !decider || !child) throw new Error('seven identities');
    const ask = (identity: Identity, scopes: readonly string[]) =>
      once({ port: gateway.port }, asking(scopes), { identity });
    const request = async (identity: Identity) => String((await rows(owner, identity)).open[0]?.requestId);
    await ensure(owner, reader, [READ]);
    await ensure(owner, decider, [READ, WRITE, PAIRING]);
    await ask(reader, [READ, WRITE, ADMIN]);
    await ask(refused, [READ, WRITE]);
    await owner.ask('device.pair.reject', { requestId: await request(refused) });
    await ask(child, [READ]);
    const { partner } = await session(gateway, decider);
    await partner.ask('device.pair.approve', { requestId: await request(child) });
    const { code } = await partner.ask('device.code.create', { role: 'operator', scopes: [READ] });
    partner.end();
    // One source has room for three.
    for (const identity of [a, b, c]) await ask(identity, [READ, WRITE]);
    const secret = String(JSON.parse(readFileSync(join(template, 'identity', 'gateway.json'), 'utf8')).secret);
    // A code that the secret made: it ends with the secret.
    const bySecret = await connected({ port: gateway.port }, asking([ADMIN], { auth: { token: secret } }));
    await bySecret.partner.ask('device.code.create', { role: 'operator', scopes: [READ] });
    bySecret.partner.end();
    const open = new Map<string, string>();
    for (const identity of [a, b, reader]) open.set(identity.id, await request(identity));
    return {
      template,
      secret,
      refused,
      reader,
      decider,
      child,
      code: String(code),
      strangers: [a, b],
      wall: Date.now(),
      requestOf: (identity) => open.get(identity.id) ?? '',
    };
  } finally {
    await gateway.halt();
  }
}

/** A call over the owner socket. */
export function asOwner(method: string, params: Record<string, unknown>): Operation {
  return async (house) => {
    const owner = await house.owner();
    return { answer: owner.call(method, params), closed: owner.closed };
  };
}

/** A `connect` over TCP. The answer of a refusal that asks counts as one. */
export function asClient(identity: Identity, params: Parameters<typeof plainParams>[0]): Operation {
  return async (house) => {
    const partner = await Partner.open({ port: house.port });
    const answer = partner.connect(plainParams(params), { identity }).then((given): Answer => {
      const asked = !given.ok && typeof given.error.details?.requestId === 'string';
      return asked ? { ok: true, payload: given } : given;
    });
    return { answer, closed: partner.closed };
  };
}

const role = 'operator';

/** What takes and gives authority, as the owner does it. */
export const DECISIONS: Readonly<Record<string, (ground: Ground) => Operation>> = {
  approve: (g) => asOwner('device.pair.approve', { requestId: g.requestOf(g.strangers[0]) }),
  'approve a part': (g) =>
    asOwner('device.pair.approve', { requestId: g.requestOf(g.reader), scopes: [WRITE], untilMs: g.wall + 3_600_000 }),
  reject: (g) => asOwner('device.pair.reject', { requestId: g.requestOf(g.strangers[1]) }),
  narrow: (g) => asOwner('device.grant.narrow', { deviceId: g.decider.id, role, scopes: [READ] }),
  rotate: (g) => asOwner('device.token.rotate', { deviceId: g.decider.id, role, scopes: [READ, WRITE] }),
  revoke: (g) => asOwner('device.token.revoke', { deviceId: g.decider.id, role }),
  remove: (g) => asOwner('device.pair.remove', { deviceId: g.decider.id }),
  'remove with all that it approved': (g) => asOwner('device.pair.remove', { deviceId: g.decider.id, withAll: true }),
};

/** What makes authority, or asks for it. */
export const PAIRINGS: Readonly<Record<string, (ground: Ground) => Operation>> = {
  'ensure over a no, with a name': (g) =>
    asOwner('device.pair.ensure', {
      publicKey: g.refused.publicKey,
      role,
      scopes: [READ, WRITE],
      displayName: 'a name',
    }),
  'ensure a new key': () =>
    asOwner('device.pair.ensure', { publicKey: newIdentity().publicKey, role, scopes: [ADMIN] }),
  code: () => asOwner('device.code.create', { role, scopes: [READ] }),
  'redeem a code, asking for more': (g) =>
    asClient(newIdentity(), { scopes: [READ, ADMIN], auth: { bootstrapToken: g.code } }),
  'pair by the secret': (g) => asClient(g.strangers[0], { scopes: [READ], auth: { token: g.secret } }),
  'ask where another has to make room': () => asClient(newIdentity(), { scopes: [READ] }),
};
