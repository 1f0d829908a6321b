// D5.46: decisions that meet. Judged from outside by what was answered and what is there afterwards; the history
// against the sequential model is judged in test/race.
import { connected } from '../../partner/client.ts';
import { newIdentity } from '../../partner/identity.ts';
import type { Answer, Peer } from '../../partner/peer.ts';
import { within } from '../../partner/peer.ts';
import { ADMIN, asking, PAIRING, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import { gistOf, type Target } from '../target.ts';

const LOST = /^INVALID_REQUEST|^FORBIDDEN|^APPROVAL_NOT_FOUND|^closed (1008|4001)/;

interface Round {
  readonly target: Target;
  readonly admins: readonly [Peer, Peer];
  /** A moment between the two, from none to a few turns of the loop. */
  readonly pause: () => Promise<void>;
}

const call = (peer: Peer, method: string, params: object): Promise<Answer> =>
  peer.call(method, params).catch((): Answer => ({ ok: false, error: { code: 'closed 4001', message: 'gone' } }));

async function approveTwice({ target, admins, pause }: Round): Promise<void> {
  const asker = target.adopt(newIdentity());
  const requestId = await target.ask(asker, [READ]);
  const first = call(admins[0], 'device.pair.approve', { requestId });
  await pause();
  const answers = await Promise.all([first, call(admins[1], 'device.pair.approve', { requestId })]);
  const lost = answers.filter(({ ok }) => !ok);
  equal(lost.length, 1, `refused of two approvals: ${answers.map(gistOf)}`);
  for (const answer of lost) {
    matches(gistOf(answer), LOST, 'the second approval');
    if (target.product === 'latchkey') equal(gistOf(answer), 'INVALID_REQUEST CONFLICT', 'the second approval');
  }
  equal(await target.granted(asker), [READ], 'the grant');
}

async function approveReject({ target, admins, pause }: Round): Promise<void> {
  const asker = target.adopt(newIdentity());
  const requestId = await target.ask(asker, [READ]);
  const yes = call(admins[0], 'device.pair.approve', { requestId });
  await pause();
  const no = call(admins[1], 'device.pair.reject', { requestId });
  const [approved, rejected] = await Promise.all([yes, no]);
  assert(approved.ok !== rejected.ok, `approve ${gistOf(approved)}, reject ${gistOf(rejected)}`);
  equal(await target.granted(asker), approved.ok ? [READ] : null, 'the grant');
  const loser = approved.ok ? rejected : approved;
  if (!loser.ok && target.product === 'latchkey')
    matches(loser.error.message, approved.ok ? /approved/ : /rejected/, 'the loser is told the outcome');
}

async function approveRevokeApprover({ target, admins, pause }: Round): Promise<void> {
  const approver = await target.pair([PAIRING, READ]);
  const { partner } = await target.session(approver, [PAIRING, READ]);
  const asker = target.adopt(newIdentity());
  const requestId = await target.ask(asker, [READ]);
  const gone = partner.closed.then((): Answer => ({ ok: false, error: { code: 'closed 4001', message: 'gone' } }));
  const yes = Promise.race([call(partner, 'device.pair.approve', { requestId }), gone]);
  await pause();
  const revoked = await call(admins[0], 'device.token.revoke', { deviceId: approver.id, role: 'operator' });
  const approved = await yes;
  equal(gistOf(revoked), 'ok', 'revoking the approver');
  await within(partner.closed, "the revoked approver's socket", 2_000);
  const held = await target.granted(asker);
  if (approved.ok) equal(held, [READ], 'approved before the revoke');
  else assert(held === null || gistOf(approved).startsWith('closed'), `refused with ${gistOf(approved)}, and granted`);
}

async function rotateConnect({ target, admins, pause }: Round): Promise<void> {
  const identity = await target.pair([READ]);
  const connecting = target.enter(identity, [READ]);
  await pause();
  const rotated = call(admins[0], 'device.token.rotate', { deviceId: identity.id, role: 'operator' });
  const [{ gist }, answer] = await Promise.all([connecting, rotated]);
  equal(gistOf(answer), 'ok', 'rotating');
  equal(gist, 'ok', 'a connect while its token is rotated (A10)');
  equal((await target.enter(identity, [READ])).gist, 'ok', 'the connect after it');
}

async function removeReconnect({ target, admins, pause }: Round): Promise<void> {
  const identity = await target.pair([READ]);
  const connecting = target.enter(identity, [READ]);
  await pause();
  const removed = await call(admins[0], 'device.pair.remove', { deviceId: identity.id });
  equal(gistOf(removed), 'ok', 'removing');
  const { gist, partner } = await connecting;
  // Let in before it and closed by it, or refused: never a session without a grant.
  const close = partner === null ? { code: 1008 } : await within(partner.closed, `close after ${gist}`, 3_000);
  assert(
    gist === 'ok' ? close.code === 4001 || close.code === 1008 : close.code >= 1000,
    `${gist}, then ${close.code}`,
  );
  equal(await target.granted(identity), null, 'the grant');
}

async function redeemTwice({ target, admins }: Round): Promise<void> {
  const { code } = await admins[0].ask('device.code.create', { role: 'operator', scopes: [READ] });
  const keys = Array.from({ length: 4 }, () => target.adopt(newIdentity()));
  const params = asking([READ, ADMIN], { auth: { bootstrapToken: code } });
  const outcomes = await Promise.all(keys.map((identity) => target.connect(params, { identity })));
  const grants = await Promise.all(keys.map((identity) => target.granted(identity)));
  const given = grants.filter((grant) => grant !== null);
  equal(given, [[READ]], `what one code gave to four keys: ${outcomes.map(({ gist }) => gist)}`);
}

const RACES: Readonly<Record<string, (round: Round) => Promise<void>>> = {
  'approve and approve': approveTwice,
  'approve and reject': approveReject,
  'approve and revoke of the approver': approveRevokeApprover,
  'rotate and connect': rotateConnect,
  'remove and reconnect': removeReconnect,
  'redeem and redeem': redeemTwice,
};

async function races(target: Target): Promise<string> {
  // A15 takes a thousand new keys in ten minutes.
  const rounds = target.quick ? 4 : 100;
  const { token } = target.options;
  const scopes = [ADMIN, PAIRING, READ];
  const second = await connected({ ...target.place(), trace: () => {} }, asking(scopes, { auth: { token } }));
  const dice = target.dice(46);
  const pause = async () => {
    for (let turns = dice.int(4); turns > 0; turns -= 1) await new Promise((done) => setImmediate(done));
  };
  const tried: string[] = [];
  try {
    for (const [name, race] of Object.entries(RACES)) {
      if (name.startsWith('redeem') && !target.methods.includes('device.code.create')) continue;
      tried.push(name);
      for (let round = 0; round < rounds; round += 1) {
        try {
          await race({ target, admins: [await target.admin(), second.partner], pause });
        } catch (error) {
          throw new Error(`${name}, round ${round}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  } finally {
    second.partner.end();
  }
  return `${rounds} rounds each of ${tried.join(', ')}`;
}

export const RACE_CHECKS: readonly Check[] = [
  {
    id: 'D5.46',
    title: 'decisions that meet: one wins, the other is told, and what is there is what was answered',
    quick: true,
    needs: ['token'],
    run: races,
  },
];
