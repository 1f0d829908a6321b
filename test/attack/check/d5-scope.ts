// D5.43, D5.44, D5.48: what a grant holds, what it may give, and what is left of it when it is narrowed.
import type { Partner } from '../../partner/client.ts';
import { newIdentity } from '../../partner/identity.ts';
import { ADMIN, asking, PAIRING, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches, skip } from '../check.ts';
import { closure, covers, EIGHT, names, subsets, TEN } from '../scopes.ts';
import { gistOf, type Target } from '../target.ts';

/** One call for each scope that calls can show; none of them changes anything. */
function shown(target: Target): readonly (readonly [scope: string, method: string, params: object, due: RegExp])[] {
  const admin = target.methods.includes('gateway.secret.rotate')
    ? ([ADMIN, 'gateway.secret.rotate', { alsoRevoke: 'not a boolean' }, /^INVALID_REQUEST/] as const)
    : // OpenClaw: what nobody knows needs admin.
      ([ADMIN, 'attack.no.such.method', {}, /^INVALID_REQUEST/] as const);
  return [[READ, 'status', {}, /^ok$/], [PAIRING, 'device.pair.list', {}, /^ok$/], admin];
}
const MISSING = /^(FORBIDDEN MISSING_SCOPE|FORBIDDEN|INVALID_REQUEST)$/;

/** Every method that shows a scope answers as the session's scopes say. */
async function enforced(target: Target, partner: Partner, held: ReadonlySet<string>, what: string): Promise<void> {
  for (const [scope, method, params, due] of shown(target)) {
    const answer = await partner.call(method, params);
    const isAllowed = held.has(scope);
    matches(gistOf(answer), isAllowed ? due : MISSING, `${method} for ${what}`);
    const says = answer.ok ? '' : answer.error.message;
    if (!answer.ok) equal(/missing scope/.test(says), !isAllowed, `${method} for ${what}: ${says}`);
    // Refused calls in a row would end the session.
    assert((await partner.call('health', {})).ok, 'health is for everybody');
  }
}

async function closures(target: Target): Promise<string> {
  const isShared = target.methods.includes('device.pair.ensure');
  const all = subsets(target.product === 'latchkey' ? TEN : EIGHT).filter((set) => set.length > 0);
  const dice = target.dice(43);
  const some = target.quick ? Array.from({ length: 40 }, () => dice.pick(all)) : all;
  const reused = isShared ? await target.pair([]) : null;
  for (const grant of some) {
    const identity = reused ?? (await target.pair(grant));
    if (reused !== null) await target.give(reused, grant);
    equal(await target.granted(identity), [...grant].sort(), `what is stored of ${names(grant)}`);
    const held = closure(grant);
    // Asking for all of it and for any part: what is held is what is in both.
    for (const ask of [TEN, dice.some(TEN, 0.5)]) {
      const { gist, payload, partner } = await target.enter(identity, ask);
      if (target.product !== 'latchkey' && gist !== 'ok') continue;
      equal(gist, 'ok', `a device with ${names(grant)} that asks ${names(ask)} (A4)`);
      const both = new Set([...closure(ask)].filter((scope) => held.has(scope)));
      const reported = closure(payload.auth.scopes);
      const isSame = reported.size === both.size && [...both].every((scope) => reported.has(scope));
      assert(isSame, `${names(ask)} of ${names(grant)}: told ${names(payload.auth.scopes)}, holds ${names(both)}`);
      if (partner !== null) await enforced(target, partner, both, `${names(ask)} of ${names(grant)}`);
      partner?.end();
    }
  }
  return `${some.length} of ${all.length} grants`;
}

interface Approver {
  readonly scopes: readonly string[];
  readonly partner: Partner;
}

/** What approving comes to for one approver; the grant afterwards is what the answer says. */
async function approves(by: Approver, id: string, ask: readonly string[]): Promise<boolean> {
  const answer = await by.partner.call('device.pair.approve', { requestId: id });
  const due = closure(by.scopes).has(PAIRING) && covers(by.scopes, ask);
  const what = `${names(by.scopes)} approves ${names(ask)}`;
  assert(answer.ok === due, `${what}: ${gistOf(answer)}, due was ${due ? 'ok' : 'a refusal'}`);
  if (answer.ok) {
    const { device } = answer.payload;
    equal([...(device.approvedScopes ?? device.scopes)].sort(), [...ask].sort(), `the grant after ${what}`);
  }
  // Refused calls in a row would end the session.
  if (!answer.ok) assert((await by.partner.call('health', {})).ok, 'health is for everybody');
  return answer.ok;
}

async function approvers(target: Target): Promise<string> {
  const isShared = target.methods.includes('device.pair.ensure');
  const sets = subsets(EIGHT);
  const dice = target.dice(44);
  const askable = sets.filter((set) => set.length > 0);
  const pick = (from: typeof sets, count: number) =>
    target.quick || !isShared ? Array.from({ length: count }, () => dice.pick(from)) : from;
  const requests = [[READ], [ADMIN], [PAIRING], ...pick(askable, 12)];
  const sessions: Approver[] = [];
  for (const scopes of [[PAIRING], [PAIRING, READ], [READ], ...pick(sets, 14)])
    sessions.push({ scopes, partner: (await target.session(await target.pair(scopes), scopes)).partner });
  const fixed = isShared ? await target.pair([]) : null;
  let count = 0;
  for (const ask of requests) {
    const fresh = async () => {
      const asker = fixed ?? target.adopt(newIdentity());
      if (fixed !== null) await target.give(fixed, []);
      return { asker, id: await target.ask(asker, ask) };
    };
    let { asker, id } = await fresh();
    // Those that must be refused first: the request stays for the others.
    for (const by of sessions.toSorted((a, b) => Number(covers(a.scopes, ask)) - Number(covers(b.scopes, ask)))) {
      count += 1;
      if (!(await approves(by, id, ask))) continue;
      if (target.quick) equal(await target.granted(asker), [...ask].sort(), 'what is stored');
      ({ asker, id } = await fresh());
    }
    // Nobody of those who must not gave anything: the last to approve was allowed to, and then it began anew.
    equal(await target.granted(asker), fixed === null ? null : [], 'what is stored of an open request');
    target.forget();
    await (await target.admin()).call('device.pair.reject', { requestId: id });
    if (fixed === null) continue;
    // What was rejected is not asked again for a day (A5): declared anew, the device has asked nothing.
    await target.give(fixed, []);
  }
  return `${count} pairs over ${requests.length} requests`;
}

async function narrowed(target: Target): Promise<undefined> {
  if (!target.methods.includes('device.grant.narrow')) skip('this gateway has no way to narrow');
  const admin = await target.admin();
  const wide = [ADMIN, PAIRING, READ];
  for (const left of [[PAIRING, READ], [READ], [PAIRING], []]) {
    const identity = await target.pair(wide);
    const { partner } = await target.session(identity, wide);
    await enforced(target, partner, closure(wide), names(wide));
    const calls = Array.from({ length: 20 }, () => partner.call('device.pair.list', {}).catch(() => null));
    const answer = await admin.call('device.grant.narrow', { deviceId: identity.id, role: 'operator', scopes: left });
    equal(gistOf(answer), 'ok', 'narrowing');
    // The very next call, on the session that was there.
    await enforced(target, partner, closure(left), `a live session narrowed to ${names(left)}`);
    await Promise.all(calls);
    const again = await target.enter(identity, wide);
    equal(again.gist, 'ok', 'its next connect');
    if (again.partner !== null)
      await enforced(target, again.partner, closure(left), `the next session of ${names(left)}`);
    equal(await target.granted(identity), [...left].sort(), 'the grant');
    partner.end();
  }
  const victim = await target.pair([READ]);
  const { partner } = await target.session(victim, [READ]);
  const asks = asking([READ, ADMIN], target.credential(victim));
  const wider = await target.connect(asks, { identity: victim });
  assert(!closure(wider.payload?.auth?.scopes ?? []).has(ADMIN), 'asking for more gave more');
  assert((await partner.call('status', {})).ok, 'asking for more took something away');
  return undefined;
}

export const SCOPE_CHECKS: readonly Check[] = [
  {
    id: 'D5.43',
    title: 'over all subsets of the scopes: told, enforced and stored are the closure of ask and grant, byte for byte',
    quick: true,
    needs: ['token'],
    run: closures,
  },
  {
    id: 'D5.44',
    title: 'over all pairs of approver and request: approved exactly when the request is covered',
    quick: true,
    needs: ['token'],
    run: approvers,
  },
  {
    id: 'D5.48',
    title: 'narrowing holds for live sessions at their next call, and asking for more gives and takes nothing',
    quick: true,
    needs: ['token'],
    run: narrowed,
  },
];
