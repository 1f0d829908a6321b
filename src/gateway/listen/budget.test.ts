import { describe, expect, it } from 'vitest';
import { ScriptedClock } from '../../system/clock.ts';
import { type BudgetRules, SilentBudget } from './budget.ts';

const RULES: BudgetRules = { total: 4, perSource: 2, graceMs: 250, queueMax: 5 };

function budgetOf(rules: Partial<BudgetRules> = {}) {
  const clock = new ScriptedClock();
  const budget = new SilentBudget({ ...RULES, ...rules }, clock);
  const admitted: string[] = [];
  const cut: string[] = [];
  const enter = (name: string, source = 's') =>
    budget.enter(
      source,
      () => admitted.push(name),
      () => cut.push(name),
    );
  return { clock, budget, admitted, cut, enter };
}

describe('sockets that have not spoken', () => {
  it('threat 30: over the budget a new one is delayed, and the oldest silent one goes after its grace', () => {
    const { clock, budget, admitted, cut, enter } = budgetOf();
    enter('a');
    enter('b');
    enter('c');
    expect(admitted).toEqual(['a', 'b']);
    clock.advance(249);
    expect(cut).toEqual([]);
    clock.advance(1);
    expect(cut).toEqual(['a']);
    expect(admitted).toEqual(['a', 'b', 'c']);
    // b is as old, and nobody waits for its room.
    clock.advance(10_000);
    expect(cut).toEqual(['a']);
    expect(budget.silent).toBe(2);
  });

  it('threat 30: the newest that waits is admitted first', () => {
    const { clock, admitted, cut, enter } = budgetOf({ perSource: 1 });
    for (const name of ['a', 'b', 'c', 'canary']) enter(name);
    clock.advance(250);
    expect(admitted).toEqual(['a', 'canary']);
    expect(cut).toEqual(['a']);
  });

  it('rule: who speaks gives its room back at once and is never cut', () => {
    const { clock, admitted, cut, enter } = budgetOf({ perSource: 1, queueMax: 10_000, total: 1 });
    const first = enter('first');
    const storm = Array.from({ length: 5000 }, (_, i) => enter(`c${i}`));
    first.spoke();
    // Each speaks as soon as it is read from: all pass without a moment of waiting.
    for (let i = storm.length - 1; i >= 0; i -= 1) {
      expect(admitted.at(-1)).toBe(`c${i}`);
      storm[i]?.spoke();
    }
    clock.advance(60_000);
    expect(cut).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('threat 30: one source takes no room of others; all together are bounded', () => {
    const { clock, budget, admitted, cut, enter } = budgetOf();
    for (let i = 0; i < 4; i += 1) enter(`flood${i}`, 'flood');
    enter('other', 'other');
    expect(admitted).toEqual(['flood0', 'flood1', 'other']);
    enter('third', 'third');
    enter('fourth', 'fourth');
    expect(budget.silent).toBe(4);
    clock.advance(250);
    // Full in all: the oldest goes whoever's it is.
    expect(cut[0]).toBe('flood0');
    expect(admitted).toContain('fourth');
  });

  it('threat 30: through a proxy each client has its own room, and takes none of the others', () => {
    const { clock, budget, admitted, cut, enter } = budgetOf({ total: 10 });
    // A proxy that sends whole requests at once: its own room is free again each time.
    for (let i = 0; i < 5; i += 1) enter(`flood${i}`, 'proxy').moved('flooder');
    enter('honest', 'proxy').moved('honest');
    expect(admitted).toHaveLength(6);
    expect(cut).toEqual([]);
    clock.advance(250);
    // What is over the flooder's own room goes once it had its grace, the oldest first.
    expect(cut).toEqual(['flood0', 'flood1', 'flood2']);
    clock.advance(10_000);
    expect(cut).toHaveLength(3);
    expect(budget.silent).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it('rule: who is moved frees room for those that wait, and once gone stays gone', () => {
    const { clock, budget, admitted, cut, enter } = budgetOf();
    const [a, b] = ['a', 'b', 'c', 'd'].map((name) => enter(name, 'proxy'));
    expect(admitted).toEqual(['a', 'b']);
    a?.moved('x');
    expect(admitted).toEqual(['a', 'b', 'd']);
    b?.spoke();
    b?.moved('x');
    expect(admitted).toEqual(['a', 'b', 'd', 'c']);
    a?.moved('x');
    a?.left();
    expect(budget.silent).toBe(2);
    clock.advance(1_000);
    expect([cut, clock.pending]).toEqual([[], 0]);
  });

  it('rule: the queue is bounded; who has waited longest goes', () => {
    const { budget, cut, enter } = budgetOf({ perSource: 1, queueMax: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) enter(name);
    expect(cut).toEqual(['b', 'c']);
    expect(budget.waiting).toBe(2);
  });

  it('rule: who comes and goes while others hold the room leaves nothing behind', () => {
    const { budget, clock, admitted, cut, enter } = budgetOf({ perSource: 1, queueMax: 1000 });
    const holder = enter('holder');
    for (let i = 0; i < 10_000; i += 1) enter(`x${i}`).left();
    expect(budget.waiting).toBe(0);
    holder.left();
    holder.left();
    enter('next');
    expect(admitted).toEqual(['holder', 'next']);
    expect(cut).toEqual([]);
    clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });
});
