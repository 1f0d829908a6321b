import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ASK_MAX,
  beyond,
  closure,
  covers,
  coversAll,
  type Held,
  heldUntil,
  implies,
  isKnown,
  liveScopes,
  OPERATOR_SCOPES,
  reported,
  type Scope,
  scopeSet,
} from './scope.ts';

const scope = fc.constantFrom<Scope>(...OPERATOR_SCOPES);
const set = fc.uniqueArray(scope, { maxLength: 5 }).map(scopeSet);
const holds = fc.array(fc.record({ scope, until: fc.option(fc.integer({ min: 1, max: 9 })) }), { maxLength: 5 });

/** Runs the property on the same examples each time. */
function always<T extends readonly unknown[]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...xs: T) => void]
) {
  const judge = args.pop() as (...xs: T) => void;
  fc.assert(
    fc.property(...(args as unknown as [fc.Arbitrary<unknown>]), (...xs) => judge(...(xs as unknown as T))),
    {
      seed: 1,
      numRuns: 500,
    },
  );
}

test('A1.6 implying is an order: each scope implies itself, and nothing implies in a circle', () => {
  for (const a of OPERATOR_SCOPES) {
    expect(implies(a, a)).toBe(true);
    for (const b of OPERATOR_SCOPES) {
      if (a !== b && implies(a, b)) expect(implies(b, a)).toBe(false);
      for (const c of OPERATOR_SCOPES) if (implies(a, b) && implies(b, c)) expect(implies(a, c)).toBe(true);
    }
  }
});

test('A1.6 closure: it holds its set, closing twice adds nothing, more gives no less', () => {
  always<[readonly Scope[], readonly Scope[]]>(set, set, (a, b) => {
    const closed = closure(a);
    expect(coversAll(closed, a)).toBe(true);
    expect(closure(closed)).toEqual(closed);
    expect(coversAll(closure([...a, ...b]), closed)).toBe(true);
    expect(beyond(closed, a)).toEqual([]);
    for (const s of OPERATOR_SCOPES) expect(covers(a, s)).toBe(closed.includes(s));
  });
});

test('A1.6 admin is above all, and pairing, approvals, questions are above nothing', () => {
  expect(closure(['operator.admin'])).toEqual(OPERATOR_SCOPES);
  for (const s of ['operator.pairing', 'operator.approvals', 'operator.questions', 'operator.talk.secrets'])
    expect(closure([s])).toEqual([s]);
});

test('A1.3 reported is closed to exactly what is asked and granted, and names no scope that another covers for nothing', () => {
  always<[readonly Scope[], readonly Scope[]]>(set, set, (asked, granted) => {
    const told = reported(asked, granted);
    const held = closure(asked).filter((s) => covers(granted, s));
    expect(closure(told)).toEqual(held);
    expect(told).toEqual(scopeSet(told));
    const names = [...asked, ...granted].filter((s) => held.includes(s));
    for (const s of names) expect(told).toContain(s);
    for (const s of told.filter((x) => !names.includes(x))) {
      expect(told.filter((o) => o !== s).some((o) => implies(o, s))).toBe(false);
    }
  });
});

test('A1.3 asking more never yields less, and asking for the grant yields it', () => {
  always<[readonly Scope[], readonly Scope[], readonly Scope[]]>(set, set, set, (less, more, granted) => {
    expect(coversAll(reported([...less, ...more], granted), reported(less, granted))).toBe(true);
    expect(reported(null, granted)).toEqual(granted);
    expect(reported([], granted)).toEqual([]);
  });
});

test('A20.1 a scope is held as long as the longest of what implies it, and not at its end', () => {
  always<[Held[], Scope, number]>(holds, scope, fc.integer({ min: 0, max: 10 }), (have, want, at) => {
    const until = heldUntil(have, want, at);
    expect(until !== undefined).toBe(covers(liveScopes(have, at), want));
    if (until === undefined) return;
    if (until !== null) {
      expect(heldUntil(have, want, until - 1)).toBe(until);
      expect(heldUntil(have, want, until)).toBeUndefined();
    }
    const ends = have.filter((h) => implies(h.scope, want)).map((h) => h.until ?? Number.POSITIVE_INFINITY);
    expect(until ?? Number.POSITIVE_INFINITY).toBe(Math.max(...ends));
  });
});

test('A1.4 a set of scopes is sorted and has no repeats, whatever it is made of', () => {
  always<[Scope[]]>(fc.array(scope), (names) => {
    const made = scopeSet(names);
    expect(made).toEqual([...new Set(names)].sort());
    expect(scopeSet(made)).toEqual(made);
  });
});

test('A1.5 node commands have a grammar; operator scopes have none beside their list', () => {
  const commands = ['canvas', 'canvas.navigate', 'screen.record', 'a.b.c.d', 'sms.send2'];
  expect(commands.filter((name) => isKnown('node', name))).toEqual(commands);
  const none = ['', '.', 'a.', 'A.b', 'a b', 'a.b.c.d.e', 'ä', 'a\n', '../a', 'x'.repeat(33)];
  expect(none.filter((name) => isKnown('node', name))).toEqual([]);
  expect(OPERATOR_SCOPES.filter((name) => isKnown('node', name) || !isKnown('operator', name))).toEqual([]);
  expect(isKnown('operator', '__proto__') || isKnown('operator', 'operator')).toBe(false);
  expect(OPERATOR_SCOPES.length).toBeLessThan(ASK_MAX);
});

test('A1.7 a node command implies itself and nothing else', () => {
  always<[Scope]>(scope, (s) => {
    expect(implies('camera.snap', s) || implies(s, 'camera.snap')).toBe(false);
  });
});
