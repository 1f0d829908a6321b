import { expect, test } from 'vitest';
import { type Taker, Turns } from './turn.ts';

const session = (unread = 0): Taker => ({ pipe: { buffered: () => unread } });
const settled = () => new Promise((done) => setImmediate(done));

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

test('threat 36: a session has one turn at a time, and few wait behind it', async () => {
  const one = session();
  const turns = new Turns(() => [one]);
  const asked = Array.from({ length: 250 }, () => ask(turns, one));
  await settled();
  expect(asked.filter((a) => a.began)).toHaveLength(1);
  expect(asked.filter((a) => a.ended === 'Busy')).toHaveLength(250 - 1 - 8);
  for (const { go } of asked.slice(0, 9)) {
    go();
    await settled();
  }
  expect(asked.slice(0, 9).map((a) => a.ended)).toEqual(Array(9).fill('done'));
});

test('threat 36: for all sessions together few turns are taken, and others get theirs between them', async () => {
  const turns = new Turns(() => []);
  const [first, ...others] = Array.from({ length: 6 }, () => session());
  if (first === undefined) throw new Error('none');
  const [a, b] = [ask(turns, first), ask(turns, first)];
  const rest = others.map((other) => ask(turns, other));
  await settled();
  expect([a.began, b.began, ...rest.map((r) => r.began)]).toEqual([true, false, true, true, true, false, false]);
  rest[0]?.go();
  await settled();
  // The one that waits longest has a turn already: the next of another session goes on.
  expect([b.began, rest[3]?.began, rest[4]?.began]).toEqual([false, true, false]);
  a.go();
  await settled();
  expect(b.began).toBe(true);
});

test('threat 36: who does not read gets no turn, nor does anybody while too much is unread', async () => {
  const lazy = session(2 * 1024 * 1024);
  const good = session();
  expect(await after(new Turns(() => [lazy]), lazy)).toBe('Busy');
  expect(await after(new Turns(() => [lazy]), good)).toBe('');
  const many = Array.from({ length: 40 }, () => session(2 * 1024 * 1024));
  expect(await after(new Turns(() => many), good)).toBe('Busy');
});

test('rule: a turn that failed is given back', async () => {
  const one = session();
  const turns = new Turns(() => []);
  await expect(turns.take(one, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turns.take(one, async () => 1)).toBe(1);
});

async function after(turns: Turns, of: Taker): Promise<string> {
  const asked = ask(turns, of);
  await settled();
  return asked.ended;
}
