import { isDeepStrictEqual } from 'node:util';
import type { DeviceId } from '../../src/core/authz/principal.ts';
import { type Books, plainText, type Run } from './books.ts';
import { type Operation, precedes, type Reply } from './history.ts';
import type { Fixed } from './model.ts';
import { turned } from './sequel.ts';

/** What is looked for: an order of the operations that respects real time and explains answers and books. */
export interface Question {
  readonly start: Run;
  readonly operations: readonly Operation[];
  readonly end: Books;
  readonly fixed: Fixed;
}

/** One operation at its place, and whose ends it told of, by the names of the sequential run. */
export interface Placed {
  readonly operation: Operation;
  readonly told: readonly string[];
}

export interface Answer {
  /** The order that was found; `null`: there is none. */
  readonly order: readonly Placed[] | null;
  /** What the sequential run in that order leaves. */
  readonly run: Run | null;
  /** Books of orders that explain every answer, and differ in what was left behind. */
  readonly nearly: readonly string[];
  readonly tried: number;
}

/** The names under which the sequential run knows the ids of this answer; `null`: another answer. */
function named(names: ReadonlyMap<string, string>, said: Reply, seen: Reply): ReadonlyMap<string, string> | null {
  if (said.kind !== seen.kind || !isDeepStrictEqual(said.says, seen.says)) return null;
  const keys = Object.keys(said.ids);
  if (keys.length !== Object.keys(seen.ids).length) return null;
  let bound = names;
  for (const key of keys) {
    const mine = said.ids[key] ?? null;
    const theirs = seen.ids[key] ?? null;
    if (mine === null || theirs === null) {
      if (mine !== theirs) return null;
      continue;
    }
    const name = bound.get(theirs);
    if (name === mine) continue;
    const isTaken = [...bound.values()].includes(mine);
    // An id from before the round is its own name.
    if (name !== undefined || isTaken || (!mine.startsWith('~') && mine !== theirs)) return null;
    bound = new Map(bound).set(theirs, mine);
  }
  return bound;
}

/**
 * Tries every order in which no operation comes before one that was answered before it was sent. Each is run through
 * `step` itself, and given up at the first answer that differs. One without an answer may be left out.
 */
export function linearize(question: Question): Answer {
  const { fixed, operations } = question;
  const nearly = new Map<string, true>();
  let tried = 0;

  const dead = (operation: Operation): DeviceId | null => {
    const { asked } = operation;
    if (asked.kind !== 'call') return asked.knock.device;
    return asked.as.kind === 'device' ? asked.as.device : null;
  };

  const isEnd = (run: Run): boolean => {
    // A connection of a device ends with its grant, and for nothing else.
    const lost = operations.filter((o) => o.reply === null).map(dead);
    if (lost.some((device) => device === null || !run.ended.has(device))) return false;
    const theirs = plainText(question.end, (id) => run.names.get(id) ?? null);
    const mine = plainText(run, (id) => ([...run.names.values()].includes(id) ? id : null));
    if (mine === theirs) return true;
    nearly.set(mine, true);
    return false;
  };

  let last: Run | null = null;
  /** `path`: the runs before each place of `order`, and the one after it. */
  const search = (
    path: readonly Run[],
    left: readonly Operation[],
    order: readonly Placed[],
  ): readonly Placed[] | null => {
    const run = path.at(-1) ?? question.start;
    if (left.every((o) => o.reply === null) && isEnd(run)) {
      last = run;
      return order;
    }
    for (const operation of left) {
      if (left.some((other) => other !== operation && precedes(other, operation))) continue;
      tried += 1;
      const arrived = order.findLastIndex((placed) => precedes(placed.operation, operation)) + 1;
      for (const next of turned(run, operation, path.slice(arrived, -1), fixed)) {
        const names = operation.reply === null ? next.run.names : named(next.run.names, next.reply, operation.reply);
        if (names === null) continue;
        const told = next.run.told.slice(run.told.length).map(([id]) => id);
        const rest = left.filter((other) => other !== operation);
        const found = search([...path, { ...next.run, names }], rest, [...order, { operation, told }]);
        if (found !== null) return found;
      }
    }
    return null;
  };

  const order = search([question.start], operations, []);
  return { order, run: last, nearly: [...nearly.keys()], tried };
}
