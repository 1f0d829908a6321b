import { expect, test } from 'vitest';
import type { DeviceId, Principal } from '../core/authz/principal.ts';
import { type Taker, Turns } from './turn.ts';

/** Long enough for a turn to be handed on: others are served in between. */
async function settled(): Promise<void> {
  for (let n = 0; n < 3; n += 1) await new Promise((done) => setImmediate(done));
}
const principal = (name: string): Principal =>
  name === 'owner' ? { kind: 'owner' } : { kind: 'device', device: name as DeviceId, role: 'operator', asked: null };

/** One connection of a device; `ended`: how it was closed. */
function session(device: string, unread = 0) {
  const ended: string[] = [];
  const told: ((isGone: boolean) => void)[] = [];
  const tell = (isGone: boolean) => {
    for (const one of told.splice(0)) one(isGone);
  };
  let bytes = unread;
  const pipe = {
    buffered: () => bytes,
    close: (code: number, reason: string) => void ended.push(`${code} ${reason}`),
    cut: () => void ended.push('cut'),
    watch: (one: (isGone: boolean) => void) => void told.push(one),
  };
  const left = (now: number) => {
    bytes = now;
    tell(false);
  };
  return { principal: principal(device), pipe, ended, left, gone: () => tell(true), watchers: () => told.length };
}

/** Asks for a turn and keeps it until it is let go. */
function ask(turns: Turns, of: Taker, size = 0) {
  let go = () => {};
  const asked = { began: false, ended: '', go: () => go() };
  const work = () => {
    asked.began = true;
    return new Promise<void>((done) => {
      go = done;
    });
  };
  turns.take(of, work, size).then(
    () => {
      asked.ended = 'done';
    },
    (error: Error) => {
      asked.ended = error.name;
    },
  );
  return asked;
}

async function after(turns: Turns, of: Taker): Promise<string> {
  const asked = ask(turns, of);
  await settled();
  return asked.ended;
}

const MEGA = 1024 * 1024;
const of = (asked: readonly { readonly ended: string }[], ended: string) =>
  asked.filter((one) => one.ended === ended).length;

test('threat 36: of one connection one answer is made at a time, and all that it may have in flight wait', async () => {
  const turns = new Turns(() => []);
  const one = session('a');
  const asked = Array.from({ length: 256 }, () => ask(turns, one));
  await settled();
  expect(asked.filter((a) => a.began)).toHaveLength(1);
  for (const { go } of asked) {
    go();
    await settled();
  }
  expect(of(asked, 'done')).toBe(256);
});

test('threat 38: over however many connections one device asks, it waits for itself, and for so many calls in all', async () => {
  const turns = new Turns(() => []);
  const asked = Array.from({ length: 6 }, () => session('a')).flatMap((one) =>
    Array.from({ length: 256 }, () => ask(turns, one)),
  );
  await settled();
  expect(asked.filter((a) => a.began)).toHaveLength(1);
  expect(of(asked, 'Busy')).toBe(6 * 256 - 1 - 1024);
  const others = ['b', 'c', 'd'].map((device) => ask(turns, session(device)));
  await settled();
  expect(others.map((o) => o.began)).toEqual([true, true, true]);
});

test('threat 38: what waits is bounded by what it came in too', async () => {
  const turns = new Turns(() => []);
  const one = session('a');
  const asked = Array.from({ length: 8 }, () => ask(turns, one, MEGA));
  await settled();
  expect(of(asked, 'Busy')).toBe(8 - 1 - 4);
  // One that needn't wait may be as large as it likes.
  const large = ask(new Turns(() => []), one, 20 * MEGA);
  await settled();
  expect(large.began).toBe(true);
});

test('threat 38: of the programs that share one secret, one that asks little is refused for none that asks much', async () => {
  const turns = new Turns(() => []);
  const greedy = Array.from({ length: 5 }, () => session('a', 2 * MEGA)).map((one) =>
    Array.from({ length: 256 }, () => ask(turns, one)),
  );
  await settled();
  const held = session('a', 2 * MEGA);
  const asked = Array.from({ length: 3 }, () => ask(turns, held));
  await settled();
  expect([of(asked, 'Busy'), of(greedy.flat(), 'Busy')]).toEqual([0, 256 + 3]);
  held.left(0);
  await settled();
  expect(asked.map((a) => a.began)).toEqual([true, false, false]);
});

test('threat 38: devices take turns: who waits with one call is not behind the many of another', async () => {
  const turns = new Turns(() => []);
  const greedy = ['a', 'b', 'c', 'd'].map((device) => {
    const one = session(device);
    return Array.from({ length: 9 }, () => ask(turns, one));
  });
  const other = ask(turns, session('e'));
  await settled();
  expect([greedy.flat().filter((a) => a.began).length, other.began]).toEqual([4, false]);
  greedy[2]?.[0]?.go();
  await settled();
  expect([greedy[2]?.[1]?.began, other.began]).toEqual([false, true]);
  other.go();
  await settled();
  expect(greedy[2]?.[1]?.began).toBe(true);
  // Each of them in its order, and nobody is left over.
  for (const asked of greedy) {
    for (const { go } of asked) {
      go();
      await settled();
    }
  }
  expect(of(greedy.flat(), 'done')).toBe(36);
});

test('threat 36: who does not read waits until it has, in its place; the others of its principal pass', async () => {
  const slow = session('a', 2 * MEGA);
  const turns = new Turns(() => [slow]);
  const asked = [ask(turns, slow), ask(turns, slow)];
  const other = ask(turns, session('a'));
  await settled();
  expect([...asked, other].map((a) => a.began)).toEqual([false, false, true]);
  other.go();
  slow.left(MEGA + 1);
  await settled();
  expect(asked.map((a) => a.began)).toEqual([false, false]);
  slow.left(MEGA);
  await settled();
  expect(asked.map((a) => a.began)).toEqual([true, false]);
  // Its answer is large again.
  slow.left(2 * MEGA);
  asked[0]?.go();
  await settled();
  expect(asked.map((a) => a.began)).toEqual([true, false]);
  slow.left(0);
  await settled();
  asked[1]?.go();
  await settled();
  expect(asked.map((a) => a.ended)).toEqual(['done', 'done']);
  slow.left(0);
  expect(slow.watchers()).toBe(0);
});

test('threat 36: where much is unread of one principal, those of it wait that have anything to read, and nobody else', async () => {
  const many = Array.from({ length: 20 }, () => session('a', MEGA));
  const [slow = session('a')] = many;
  const turns = new Turns(() => many);
  const waits = ask(turns, slow);
  const asked = [ask(turns, session('a')), ask(turns, session('b', 10))];
  await settled();
  expect([waits, ...asked].map((a) => a.began)).toEqual([false, true, true]);
  expect(many.flatMap(({ ended }) => ended)).toEqual([]);
  asked[0]?.go();
  slow.left(1);
  await settled();
  expect(waits.began).toBe(false);
  slow.left(0);
  await settled();
  expect(waits.began).toBe(true);
});

test('threat 38: with a connection all goes that waits for it, and nothing else', async () => {
  const slow = session('a', 2 * MEGA);
  const gone = session('a', 2 * MEGA);
  const turns = new Turns(() => []);
  const all = [slow, gone].map((one) => Array.from({ length: 256 }, () => ask(turns, one)));
  await settled();
  expect(of(all.flat(), '')).toBe(512);
  gone.gone();
  await settled();
  expect(all.map((asked) => of(asked, 'Busy'))).toEqual([0, 256]);
  slow.gone();
  await settled();
  expect([of(all.flat(), 'Busy'), slow.watchers(), gone.watchers()]).toEqual([512, 0, 0]);
  expect(all.flat().some((a) => a.began)).toBe(false);
  // Their places are free.
  const again = Array.from({ length: 4 }, () => session('a', 2 * MEGA)).map((one) =>
    Array.from({ length: 256 }, () => ask(turns, one)),
  );
  await settled();
  expect(of(again.flat(), '')).toBe(1024);
});

test('threat 36: beyond what is unread in all, who holds most is closed until there is room; the owner never is', async () => {
  const most = [session('a', 6 * MEGA), session('a', 8 * MEGA), session('a', 7 * MEGA)];
  const more = ['b', 'c', 'd'].map((device) => session(device, 16 * MEGA));
  const owner = session('owner', 40 * MEGA);
  const turns = new Turns(() => [...most, ...more, owner]);
  expect(await after(turns, session('e'))).toBe('');
  expect(most.map(({ ended }) => ended)).toEqual([[], ['1008 slow consumer', 'cut'], []]);
  expect([...more, owner].flatMap(({ ended }) => ended)).toEqual([]);
  // What was closed is on its way out, and not counted again.
  expect(await after(turns, session('f'))).toBe('');
  expect(most.flatMap(({ ended }) => ended)).toHaveLength(2);
});

test('rule: a turn that failed is given back', async () => {
  const one = session('a');
  const turns = new Turns(() => []);
  await expect(turns.take(one, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turns.take(one, async () => 1)).toBe(1);
});

test('A11, threat 36: others are served between two turns of one device, also where no turn waits for anything', async () => {
  const turns = new Turns(() => []);
  const one = session('a');
  let [done, served, most] = [0, 0, 0];
  const work = async () => {
    [done, most, served] = [done + 1, Math.max(most, served === 0 ? done : 0), served];
  };
  const all = Array.from({ length: 30 }, () => turns.take(one, work));
  const tick = () => {
    served += 1;
    if (done < 30) setImmediate(tick);
  };
  setImmediate(tick);
  await Promise.all(all);
  expect(most).toBeLessThan(3);
  expect(served).toBeGreaterThan(25);
});
