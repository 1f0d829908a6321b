import { expect, test } from 'vitest';
import { ScriptedClock } from '../system/clock.ts';
import { Thoughts } from './thoughts.ts';

function gathered() {
  const clock = new ScriptedClock();
  const told: { readonly text: string; readonly delta: string }[] = [];
  return { clock, told, thoughts: new Thoughts(clock, (thinking) => void told.push(thinking)) };
}

test('threat 37: a model that thinks and says a character in turn has its thoughts told a bounded number of times', () => {
  const { clock, told, thoughts } = gathered();
  for (let n = 0; n < 10_000; n += 1) {
    thoughts.add('x');
    thoughts.flush();
  }
  expect(told.length).toBeLessThan(100);
  clock.advance(1_000);
  thoughts.add('y');
  thoughts.end();
  expect(told.at(-1)?.text).toBe(`${'x'.repeat(10_000)}y`);
  expect(told.map(({ delta }) => delta).join('')).toBe(told.at(-1)?.text);
});

test('rule: what was thought is told before what is said behind it, and what is left at the end', () => {
  const { told, thoughts } = gathered();
  thoughts.add('one');
  thoughts.add(' two');
  expect(told.map(({ delta }) => delta)).toEqual(['one']);
  thoughts.flush();
  expect(told.at(-1)).toEqual({ text: 'one two', delta: ' two' });
  thoughts.flush();
  thoughts.end();
  expect(told.length).toBe(2);
  thoughts.add(' three');
  thoughts.end();
  expect(told.at(-1)).toEqual({ text: 'one two three', delta: ' three' });
});
