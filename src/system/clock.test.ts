import { expect, test } from 'vitest';
import { ScriptedClock, systemClock } from './clock.ts';

test('rule: a scripted clock fires timers in the order of their instants, also those that timers set', () => {
  const clock = new ScriptedClock(1_000);
  const fired: string[] = [];
  clock.after(30, () => fired.push(`c@${clock.now()}`));
  clock.after(10, () => {
    fired.push(`a@${clock.now()}`);
    clock.after(5, () => fired.push(`b@${clock.now()}`));
  });
  const cancel = clock.after(20, () => fired.push('cancelled'));
  cancel();
  clock.advance(29);
  expect(fired).toEqual(['a@1010', 'b@1015']);
  clock.advance(1);
  expect(fired).toEqual(['a@1010', 'b@1015', 'c@1030']);
  expect(clock.pending).toBe(0);
});

test('T9 setting the wall clock moves no deadline', () => {
  const clock = new ScriptedClock();
  let fired = false;
  clock.after(100, () => {
    fired = true;
  });
  clock.setWall(0);
  expect([fired, clock.monotonicMs(), clock.now()]).toEqual([false, 0, 0]);
  clock.advance(100);
  expect([fired, clock.monotonicMs(), clock.now()]).toEqual([true, 100, 100]);
});

test('rule: a delay beyond what setTimeout takes does not fire at once', async () => {
  let fired = false;
  const cancel = systemClock.after(2 ** 31 + 1_000, () => {
    fired = true;
  });
  await new Promise((done) => systemClock.after(20, () => done(null)));
  cancel();
  expect(fired).toBe(false);
});
