// D6: how it ends, and what it keeps when the disk is full or others may write its files.
import { chmodSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Gateway, latchkey, newStateDir, removeStateDir } from '../../gateway.ts';
import { type Identity, newIdentity } from '../../partner/identity.ts';
import type { Answer, Payload } from '../../partner/peer.ts';
import { within } from '../../partner/peer.ts';
import { asking, PAIRING, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches, skip } from '../check.ts';
import { fill, free, obstacle, smallStateDir, unmountAll } from '../disk.ts';
import { gistOf, type Target } from '../target.ts';

const granting = (identity: Identity) => ({ publicKey: identity.publicKey, role: 'operator', scopes: [READ] });

async function fullDisk(target: Target): Promise<undefined> {
  const why = obstacle();
  if (why !== null) skip(why);
  try {
    const stateDir = smallStateDir(0);
    const inner = target.over(await target.spawn({ stateDir }));
    const [known, victim] = [await inner.pair([READ]), await inner.pair([READ, PAIRING])];
    const owner = await inner.options.own?.owner();
    assert(owner !== undefined, 'no owner socket');
    const live = (await inner.session(victim, [READ, PAIRING])).partner;
    fill(stateDir);
    const stranger = newIdentity();
    // Giving can't be recorded, so it isn't done, and that is what is said.
    matches(gistOf(await owner.call('device.pair.ensure', granting(stranger))), /^UNAVAILABLE/, 'giving');
    matches((await inner.connect(asking([READ]), { identity: newIdentity() })).gist, /^UNAVAILABLE/, 'asking');
    equal(await inner.granted(stranger), null, 'what was given');
    // Who is known is served.
    equal((await inner.enter(known, [READ])).gist, 'ok', 'a paired device');
    // Taking away has room kept for it (A17).
    equal(gistOf(await owner.call('device.token.revoke', { deviceId: victim.id, role: 'operator' })), 'ok', 'revoking');
    await within(live.closed, "the revoked device's socket", 2_000);
    await inner.options.own?.kill();
    free(stateDir);
    const again = target.over(await target.spawn({ stateDir }));
    equal(await again.granted(victim), null, 'the revoked device after kill -9');
    equal(await again.granted(known), [READ], 'the other one');
    const after = await again.options.own?.owner();
    equal(gistOf((await after?.call('device.pair.ensure', granting(stranger))) as Answer), 'ok', 'giving, with room');
    return undefined;
  } finally {
    await target.finish();
    unmountAll();
  }
}

/** Ways to open a state directory to others: which part, and its mode. */
const OPEN: readonly (readonly [string, number])[] = [
  ['', 0o777],
  ['', 0o770],
  ['state', 0o722],
  ['identity', 0o770],
  ['run', 0o777],
  ['identity/gateway.json', 0o640],
  ['identity/gateway.json', 0o602],
];

async function permissions(target: Target): Promise<string> {
  const before = process.umask(0);
  let gateway: Gateway;
  try {
    gateway = await target.spawn();
  } finally {
    process.umask(before);
  }
  const { stateDir } = gateway;
  const all = readdirSync(stateDir, { recursive: true, withFileTypes: true });
  for (const entry of all) {
    const path = join(entry.parentPath, entry.name);
    const stat = lstatSync(path);
    const due = stat.isDirectory() ? 0o700 : stat.isFile() ? 0o600 : 0o777;
    assert((stat.mode & 0o777 & ~due) === 0, `${path} has mode ${(stat.mode & 0o777).toString(8)} under umask 000`);
  }
  await gateway.halt();
  for (const [name, mode] of OPEN) {
    const path = join(stateDir, name);
    const old = statSync(path).mode & 0o777;
    chmodSync(path, mode);
    const args = ['gateway', 'run', '--port', '0', '--state-dir', stateDir];
    const { code, stderr } = await latchkey(args, { home: join(stateDir, '..'), timeoutMs: 10_000 });
    chmodSync(path, old);
    equal(code, 78, `${name === '' ? 'the state directory' : name} with mode ${mode.toString(8)}`);
    matches(stderr, /run: chmod /, 'what mends it');
  }
  return `${all.length} entries, ${OPEN.length} modes`;
}

async function ending(target: Target): Promise<string> {
  const stateDir = newStateDir();
  try {
    const inner = target.over(await target.spawn({ stateDir }));
    const { own } = inner.options;
    assert(own !== undefined, 'no gateway');
    const live = (await inner.session(await inner.pair([READ]), [READ])).partner;
    const owner = await own.owner();
    const devices = Array.from({ length: target.quick ? 300 : 1_000 }, () => newIdentity());
    const answers = new Map<Identity, Answer>();
    const calls = devices.map((identity) =>
      owner.call('device.pair.ensure', granting(identity), { timeoutMs: 60_000 }).then(
        (answer) => answers.set(identity, answer),
        () => {},
      ),
    );
    await Promise.race(calls);
    const began = performance.now();
    process.kill(own.pid, 'SIGTERM');
    equal((await live.closed).code, 1012, 'the close of a session');
    await owner.closed;
    equal(await own.halt(), 0, 'its exit code');
    const tookMs = performance.now() - began;
    assert(tookMs < 10_000, `it took ${Math.round(tookMs)} ms to end`);
    for (const answer of answers.values()) {
      if (answer.ok) continue;
      matches(gistOf(answer), /^UNAVAILABLE/, 'a call that was refused');
      assert(answer.error.retryable === true, 'a refused call may be tried again');
    }
    const kept = devices.filter((identity) => answers.get(identity)?.ok === true);
    let next = target.over(await target.spawn({ stateDir }));
    await holds(next, kept);
    // kill -9 in the middle of writing, again and again.
    for (let round = 0; round < (target.quick ? 2 : 200); round += 1) {
      kept.push(...(await killed(next, round)));
      next = target.over(await target.spawn({ stateDir }));
      await holds(next, kept);
    }
    await next.options.own?.halt();
    return `${kept.length} acknowledged writes kept, ended in ${Math.round(tookMs)} ms`;
  } finally {
    await target.finish();
    removeStateDir(stateDir);
  }
}

/** Kills it while it writes; who had an answer. */
async function killed(target: Target, round: number): Promise<readonly Identity[]> {
  const owner = await target.options.own?.owner();
  const done: Identity[] = [];
  let enough: () => void = () => {};
  const some = new Promise<void>((go) => {
    enough = go;
  });
  for (let i = 0; i < 60; i += 1) {
    const identity = newIdentity();
    void owner?.call('device.pair.ensure', granting(identity), { timeoutMs: 60_000 }).then(
      (answer) => {
        if (answer.ok) done.push(identity);
        if (done.length > round % 7) enough();
      },
      () => {},
    );
  }
  await some;
  await target.options.own?.kill();
  return done;
}

async function holds(target: Target, devices: readonly Identity[]): Promise<void> {
  const owner = await target.options.own?.owner();
  const { paired } = await (owner as NonNullable<typeof owner>).ask('device.pair.list', {});
  const held = new Map<string, unknown>(paired.map((row: Payload) => [row.deviceId, row.scopes]));
  for (const { id } of devices) equal(held.get(id), [READ], 'a device whose grant was acknowledged');
}

const elsewhere = (id: string, title: string, reason: string): Check => ({
  id,
  title,
  quick: false,
  needs: [],
  run: async () => skip(reason),
});

export const STATE_CHECKS: readonly Check[] = [
  elsewhere(
    'D6.56',
    'kill -9 before and after every write: before or after, never between',
    'ends the process at the n-th write of a composition root of its own: test/crash',
  ),
  {
    id: 'D6.57',
    title: 'a full disk: giving is UNAVAILABLE and changes nothing, taking away holds, who is known is served',
    quick: true,
    needs: ['second process', 'root'],
    run: fullDisk,
  },
  {
    id: 'D6.59',
    title: 'files are private under any umask; a state directory that others can write is refused with the chmod line',
    quick: true,
    needs: ['second process'],
    run: permissions,
  },
  elsewhere(
    'D6.61',
    'a wall clock that jumps locks nobody out',
    'no clock of another process can be set from outside here; a scripted clock in a composition root of its own: test/crash',
  ),
  {
    id: 'D6.62',
    title: 'SIGTERM in the middle of calls, and kill -9 again and again: what was acknowledged is kept',
    quick: true,
    needs: ['second process'],
    run: ending,
  },
];
