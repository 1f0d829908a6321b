import { isDeepStrictEqual } from 'node:util';
import type { ReadTx, Store } from '../../../src/store/store.ts';
import { NOON } from '../../../src/store/suite/sample.ts';
import { DEVICES, type Op, SOURCES } from './op.ts';
import { Plain } from './plain.ts';
import { codeId, deviceId, requestId, run } from './shell.ts';

/** One store under test, and what becomes of it when its process ends between a commit and what was to be told. */
export interface Subject {
  readonly name: string;
  readonly store: () => Store;
  crash(): Promise<void>;
}

/** Where a store and the plain books part. */
export interface Difference {
  readonly store: string;
  /** After which step. */
  readonly n: number;
  readonly what: string;
  readonly expected: unknown;
  readonly found: unknown;
}

class Aborted extends Error {}

/** Every table, through every question that can be asked of it. */
export async function everything(
  tx: ReadTx,
  ops: readonly Op[],
  at: number,
): Promise<Readonly<Record<string, unknown>>> {
  const ids = ops.map((op) => requestId(op.n));
  const each = async <T>(values: readonly T[], ask: (value: T) => Promise<unknown>) => {
    const answers: unknown[] = [];
    for (const value of values) answers.push(await ask(value));
    return answers;
  };
  const devices = Array.from({ length: DEVICES }, (_, n) => deviceId(n));
  return {
    'devices.list': await tx.devices.list(),
    'devices.load': await each(devices, (d) => tx.devices.load(d)),
    'devices.find': await each(ids, (id) => tx.devices.find(id)),
    'devices.past': await each(ids, (id) => tx.devices.past(id)),
    'devices.room': await each(SOURCES, (s) => tx.devices.room(s, at, new Set(ids.slice(-3)))),
    'devices.due': await tx.devices.due(at),
    'devices.nextEnd': await tx.devices.nextEnd(),
    'devices.givenBy': await each(devices, (d) => tx.devices.givenBy(d)),
    'codes.load': await each(ops, (op) => tx.codes.load(codeId(op.n))),
    'changes.list': await tx.changes.list(100_000),
    'changes of a device': await tx.changes.list(5, deviceId(0)),
  };
}

/** Applies the commands to the plain books and to each store; `null`: all agree, in every reply and in every table. */
export async function compare(ops: readonly Op[], subjects: readonly Subject[]): Promise<Difference | null> {
  const plain = new Plain();
  let at = NOON;
  for (const [i, op] of ops.entries()) {
    at += op.passMs;
    const now = { at, seq: op.n + 1 };
    const isLast = i === ops.length - 1;
    const expected = op.fate === 'abort' ? null : await plain.write((tx) => run(tx, op, now));
    for (const { name, store, crash } of subjects) {
      const differs = (what: string, wanted: unknown, found: unknown): Difference | null =>
        isDeepStrictEqual(wanted, found) ? null : { store: name, n: op.n, what, expected: wanted, found };
      const found = await attempt(store(), op, now);
      const told = differs(`the answer to ${op.kind}`, expected, found);
      if (told !== null) return told;
      if (op.fate === 'crash') await crash();
      if (op.fate === 'done' && !isLast) continue;
      const seen = ops.slice(0, i + 1);
      const wanted = await plain.write((tx) => everything(tx, seen, at));
      const stored = await store().read((tx) => everything(tx, seen, at));
      for (const [table, rows] of Object.entries(wanted)) {
        const difference = differs(table, rows, stored[table]);
        if (difference !== null) return difference;
      }
    }
  }
  return null;
}

/** `null` for a step that is to fail after its last write. */
async function attempt(store: Store, op: Op, now: { at: number; seq: number }): Promise<unknown> {
  try {
    return await store.write(async (tx) => {
      const result = await tx.part(() => run(tx, op, now));
      if (op.fate === 'abort') throw new Aborted();
      return result;
    });
  } catch (error) {
    if (error instanceof Aborted) return null;
    return String(error);
  }
}

/** The least of `ops` that still fails: halves are left out first, then less, down to single commands. */
export async function shrink(
  ops: readonly Op[],
  fails: (ops: readonly Op[]) => Promise<boolean>,
): Promise<readonly Op[]> {
  let least = ops;
  for (let size = Math.ceil(ops.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < least.length; ) {
      const fewer = [...least.slice(0, from), ...least.slice(from + size)];
      if (await fails(fewer)) least = fewer;
      else from += size;
    }
  }
  return least;
}
