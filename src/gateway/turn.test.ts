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
function session(device: string, unread = 0): Taker & { readonly ended: string[] } {
  const ended: string[] = [];
  const pipe = {
    buffered: () => unread,
    close: (code: number, reason: string) => void ended.push(`${code} ${reason}`),
    cut: () => void ended.push('cut'),
  };
  return { principal: principal(device), pipe, ended };
}

/** Asks for a turn and keeps it until it is let go. */
function ask(turns: Turns, of: Taker) {
  let go = () => {};
  const asked = { began: false, ended: '', go: () => go() };
  const work = () => {
    asked.began = true;
    return new Promise<void>((done) => {
      go = done;
    });
  };
  turns.take(of, work).then(
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

test('threat 36: of one connection one answer is made at a time, and few wait', async () => {
  const turns = new Turns(() => []);
  const one = session('a');
  const asked = Array.from({ length: 250 }, () => ask(turns, one));
  await settled();
  expect(asked.filter((a) => a.began)).toHaveLength(1);
  expect(of(asked, 'Busy')).toBe(250 - 1 - 32);
  for (const { go } of asked.slice(0, 33)) {
    go();
    await settled();
  }
  expect(asked.slice(0, 33).map((a) => a.ended)).toEqual(Array(33).fill('done'));
});

test('threat 38: over however many connections one device asks, it waits for itself, and for so many calls in all', async () => {
  const turns = new Turns(() => []);
  const asked = Array.from({ length: 20 }, () => session('a')).flatMap((one) =>
    Array.from({ length: 9 }, () => ask(turns, one)),
  );
  await settled();
  expect(asked.filter((a) => a.began)).toHaveLength(1);
  expect(of(asked, 'Busy')).toBe(180 - 1 - 128);
  const others = ['b', 'c', 'd'].map((device) => ask(turns, session(device)));
  await settled();
  expect(others.map((o) => o.began)).toEqual([true, true, true]);
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

test('threat 36: who does not read gets no turn, over none of its connections; others do', async () => {
  const lazy = session('a', 2 * MEGA);
  const good = session('b');
  expect(await after(new Turns(() => [lazy]), lazy)).toBe('Busy');
  expect(await after(new Turns(() => [lazy]), good)).toBe('');
  const many = Array.from({ length: 20 }, () => session('a', MEGA));
  expect(await after(new Turns(() => many), session('a'))).toBe('Busy');
  expect(await after(new Turns(() => many), good)).toBe('');
  expect(many.flatMap(({ ended }) => ended)).toEqual([]);
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
