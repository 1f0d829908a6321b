import { describe, expect, it } from 'vitest';
import { type Clock, ScriptedClock } from '../../system/clock.ts';
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

/** Its methods, to lay others over. */
const clockOf = (clock: ScriptedClock): Clock => ({
  now: () => clock.now(),
  monotonicMs: () => clock.monotonicMs(),
  after: (delayMs, run) => clock.after(delayMs, run),
});

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

  it('threat 35: while others of the source speak, who is slow keeps its room, for a second at most', () => {
    const { clock, admitted, cut, enter } = budgetOf({ queueMax: 10_000, total: 3 });
    const [first] = ['first', 'slow'].map((name) => enter(name));
    const storm = Array.from({ length: 20 }, (_, i) => enter(`c${i}`)).reverse();
    // The machine is busy: each says nothing for almost the whole grace.
    for (const next of [first, ...storm.slice(0, 3)]) {
      clock.advance(200);
      next?.spoke();
    }
    expect([cut, admitted.slice(0, 3), admitted.length]).toEqual([[], ['first', 'slow', 'c19'], 6]);
    // Nor is it spared by one that speaks for ever: a flood could have that.
    clock.advance(199);
    expect(cut).toEqual([]);
    clock.advance(1);
    expect(cut).toEqual(['slow']);
  });

  it('threat 35: an upgrade is a sign of life, once', () => {
    const { clock, cut, enter } = budgetOf({ perSource: 1 });
    const only = enter('only');
    enter('waits');
    clock.advance(200);
    only.upgraded();
    clock.advance(249);
    expect(cut).toEqual([]);
    clock.advance(1);
    expect(cut).toEqual(['only']);
  });

  it("threat 35: what the gateway itself was late is nobody's silence", () => {
    const clock = new ScriptedClock();
    let lateMs = 0;
    const lagging = { ...clockOf(clock), monotonicMs: () => clock.monotonicMs() + lateMs };
    const budget = new SilentBudget({ ...RULES, queueMax: 100 }, lagging);
    const cut: string[] = [];
    const enter = (name: string) =>
      budget.enter(
        's',
        () => {},
        () => cut.push(name),
      );
    const [a, b] = ['a', 'b', 'c', 'd'].map(enter);
    // A turn of the loop that took so long that the timer came after what was said, and before it could be read.
    lateMs = 600;
    clock.advance(250);
    expect(cut).toEqual([]);
    a?.spoke();
    b?.spoke();
    clock.advance(249);
    expect(cut).toEqual([]);
    clock.advance(1);
    expect(cut).toEqual([]);
    expect(budget.waiting).toBe(0);
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
