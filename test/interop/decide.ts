// The commands that decide: each about a device that a raw client brought, and each looked after at the gateway.

import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Owner } from '../partner/owner.ts';
import { asking, granted, once, READ, rows, session } from '../scenario/act.ts';
import type { Expectation } from './judge.ts';
import type { Site } from './site.ts';

export interface Decision {
  readonly row: string;
  readonly args: readonly string[];
  readonly expected: Expectation;
  /** `null`, or what the gateway holds that it shouldn't. */
  verify(): Promise<string | null>;
}

/** A key without the secret asks: what a browser or a phone does that somebody is to approve. */
export async function bringRequest(site: Site, owner: Owner): Promise<{ identity: Identity; requestId: string }> {
  const identity = newIdentity();
  site.brought.add(identity.id);
  await once({ port: site.facts().port }, asking([READ]), { identity });
  const open = (await rows(owner, identity)).open[0];
  if (open === undefined) throw new Error('the raw client asked, and no request is open');
  return { identity, requestId: String(open.requestId) };
}

/** It names the device or the request that it decided about. */
function names(...ids: readonly string[]): Expectation {
  return { evidence: ({ stdout }) => (ids.some((id) => stdout.includes(id)) ? null : 'neither device nor request') };
}

async function deviceToken(site: Site, identity: Identity): Promise<string> {
  const { partner, hello } = await session(site.facts(), identity);
  partner.end();
  return String(hello.auth.deviceToken);
}

async function rejecting(site: Site, owner: Owner): Promise<Decision> {
  const { identity, requestId } = await bringRequest(site, owner);
  return {
    row: 'devices reject',
    args: ['devices', 'reject', requestId],
    expected: names(requestId, identity.id),
    async verify() {
      const { open, paired } = await rows(owner, identity);
      return open.length + paired.length === 0 ? null : 'the request is still open, or the device is paired';
    },
  };
}

async function approving(owner: Owner, identity: Identity, requestId: string): Promise<Decision> {
  return {
    row: 'devices approve',
    args: ['devices', 'approve', requestId],
    expected: names(requestId, identity.id),
    async verify() {
      const { open } = await rows(owner, identity);
      const scopes = await granted(owner, identity);
      return open.length === 0 && scopes?.join() === READ ? null : `the device holds ${scopes?.join() ?? 'nothing'}`;
    },
  };
}

async function rotating(site: Site, owner: Owner, identity: Identity): Promise<Decision> {
  const before = await deviceToken(site, identity);
  return {
    row: 'devices rotate',
    args: ['devices', 'rotate', '--device', identity.id, '--role', 'operator', '--scope', READ],
    expected: names(identity.id),
    async verify() {
      const scopes = await granted(owner, identity);
      if (scopes?.join() !== READ) return `the device holds ${scopes?.join() ?? 'nothing'}`;
      return (await deviceToken(site, identity)) === before ? 'the device has the same token as before' : null;
    },
  };
}

async function revoking(owner: Owner, identity: Identity): Promise<Decision> {
  return {
    row: 'devices revoke',
    args: ['devices', 'revoke', '--device', identity.id, '--role', 'operator'],
    expected: names(identity.id),
    async verify() {
      const scopes = (await granted(owner, identity)) ?? [];
      return scopes.length === 0 ? null : `the device still holds ${scopes.join()}`;
    },
  };
}

async function removing(site: Site, owner: Owner): Promise<Decision> {
  const { identity, requestId } = await bringRequest(site, owner);
  await owner.ask('device.pair.approve', { requestId });
  return {
    row: 'devices remove',
    args: ['devices', 'remove', identity.id],
    expected: names(identity.id),
    async verify() {
      const { open, paired, rejected } = await rows(owner, identity);
      return open.length + paired.length + rejected.length === 0 ? null : 'the gateway still knows the device';
    },
  };
}

/**
 * One after the other, each prepared when it is its turn: a device is rejected, another one approved, rotated and
 * revoked, a third one removed.
 */
export async function* decisions(site: Site, owner: Owner): AsyncGenerator<Decision> {
  yield await rejecting(site, owner);
  const { identity, requestId } = await bringRequest(site, owner);
  yield await approving(owner, identity, requestId);
  yield await rotating(site, owner, identity);
  yield await revoking(owner, identity);
  yield await removing(site, owner);
}

export const DECISION_ROWS = [
  'devices approve',
  'devices reject',
  'devices rotate',
  'devices revoke',
  'devices remove',
] as const;
