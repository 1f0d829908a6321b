// T5 below SQLite: the process is killed at each of the system calls of one commit, so that the log ends in the middle
// of it, within a page too, and at each of those that move the log into the database when the gateway stops.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyOf, removeCopy } from './every.ts';
import { House } from './house.ts';
import { type Ground, makeGround } from './operation.ts';
import { differences, faults, plainly, stateOf } from './state.ts';
import { obstacle, Strace } from './strace.ts';

const why = obstacle();
if (why !== null) console.log(`skipped: kills within a commit: ${why}`);

/** Those by which SQLite writes; what the trace writes meanwhile counts too, and is killed at like the rest. */
const CALLS = ['pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'unlink'];
/** More than any commit here has. */
const CALLS_MAX = 80;

describe.skipIf(why !== null)('T5 a torn commit', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
  });
  afterAll(() => removeCopy(ground.template));

  /** Kills at the n-th such call of an approval; `null`: it has fewer. */
  async function approval(dir: string, name: string, n: number): Promise<{ readonly answered: boolean } | null> {
    const { wall } = ground;
    const house = await House.start(dir, { wall });
    const owner = await house.owner();
    const inject = `inject=${name}:signal=KILL:when=${n}`;
    const strace = await Strace.attach(house.pid, ['-e', `trace=${name}`, '-e', inject]);
    let answered = false;
    const requestId = ground.requestOf(ground.strangers[0]);
    const called = owner.call('device.pair.approve', { requestId }).then(
      (answer) => {
        answered = answer.ok;
      },
      () => {},
    );
    const killed = await Promise.race([called.then(() => false), house.ended.then(() => true)]);
    await strace.lines();
    await house.stop('SIGKILL');
    if (killed) await owner.closed;
    return killed ? { answered } : null;
  }

  it.each(CALLS.slice(0, 3))(
    'T5 killed at each %s of an approval: the state before or the state after',
    async (name) => {
      const origin = stateOf(ground.template);
      const before = plainly(origin);
      let kills = 0;
      let whole: ReturnType<typeof stateOf> | null = null;
      const left: { readonly n: number; readonly answered: boolean; readonly state: typeof before }[] = [];
      for (let n = 1; n <= CALLS_MAX && whole === null; n += 1) {
        const dir = copyOf(ground.template);
        const killed = await approval(dir, name, n);
        const state = stateOf(dir, origin);
        expect(await faults(dir, ground.wall), `${name} ${n}`).toEqual([]);
        removeCopy(dir);
        if (killed === null) whole = state;
        else {
          kills += 1;
          left.push({ n, state, answered: killed.answered });
        }
      }
      const after = whole ?? before;
      expect(differences(before, after)).not.toEqual([]);
      for (const { n, answered, state } of left) {
        const isBefore = !answered && differences(before, state).length === 0;
        if (!isBefore) expect(differences(after, state), `${name} ${n}, answered: ${answered}`).toEqual([]);
      }
      // A page is written in two, and a commit has many: less would mean that nothing was looked at.
      if (name === 'pwrite64') expect(kills).toBeGreaterThan(8);
    },
    90_000,
  );

  it('T5 killed at each call that empties the log when it stops: nothing of what was decided is lost', async () => {
    const { wall } = ground;
    const origin = stateOf(ground.template);
    const requestId = ground.requestOf(ground.strangers[0]);
    let kills = 0;
    for (const name of CALLS) {
      for (let n = 1; n <= CALLS_MAX; n += 1) {
        const dir = copyOf(ground.template);
        const house = await House.start(dir, { wall });
        const owner = await house.owner();
        await owner.ask('device.pair.approve', { requestId });
        const decided = stateOf(dir, origin);
        const strace = await Strace.attach(house.pid, [
          '-e',
          `trace=${name}`,
          '-e',
          `inject=${name}:signal=KILL:when=${n}`,
        ]);
        const { signal } = await house.stop();
        await strace.lines();
        expect(differences(decided, stateOf(dir, origin)), `${name} ${n}`).toEqual([]);
        expect(await faults(dir, wall), `${name} ${n}`).toEqual([]);
        removeCopy(dir);
        if (signal === null) break;
        kills += 1;
      }
    }
    expect(kills).toBeGreaterThan(8);
  }, 120_000);
});
