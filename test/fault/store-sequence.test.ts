import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openMemory } from '../../src/store/memory/memory.ts';
import { openSqlite } from '../../src/store/sqlite/open.ts';
import type { Store, WriteTx } from '../../src/store/store.ts';
import { NOON } from '../../src/store/suite/sample.ts';
import { Random } from '../random.ts';
import { generate, type Op } from './sequence/op.ts';
import { compare, type Difference, type Subject, shrink } from './sequence/run.ts';

const SEEDS = 500;
const COMMANDS = 200;
/** So many seeds run as the gateway does, each commit synced to disk. */
const SYNCED = 10;

let dir: string;
let files = 0;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'latchkey-sequence-'));
  mkdirSync(join(dir, 'backups'));
  await (await open(join(dir, 'empty.sqlite'), 'OFF')).close();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const open = (file: string, synchronous: 'FULL' | 'OFF'): Promise<Store> =>
  openSqlite({
    file,
    backupsDir: join(dir, 'backups'),
    now: () => NOON,
    programVersion: '0.1.0',
    create: true,
    synchronous,
  });

/** A store in a file. A crash is the files as they were at that moment, opened by somebody else. */
async function sqlite(synchronous: 'FULL' | 'OFF'): Promise<Subject & { end(): Promise<void> }> {
  const fresh = () => {
    files += 1;
    return join(dir, `${files}.sqlite`);
  };
  let file = fresh();
  copyFileSync(join(dir, 'empty.sqlite'), file);
  let store = await open(file, synchronous);
  const end = async () => {
    await store.close();
    rmSync(file);
  };
  return {
    name: 'sqlite',
    store: () => store,
    async crash() {
      const image = fresh();
      for (const part of ['', '-wal']) if (existsSync(file + part)) copyFileSync(file + part, image + part);
      await end();
      file = image;
      store = await open(file, synchronous);
    },
    end,
  };
}

function memory(): Subject {
  const store = openMemory();
  // A store without a disk has nothing to lose but its handles.
  return { name: 'memory', store: () => store, crash: async () => undefined };
}

async function differenceOf(ops: readonly Op[], synchronous: 'FULL' | 'OFF'): Promise<Difference | null> {
  const file = await sqlite(synchronous);
  try {
    return await compare(ops, [memory(), file]);
  } finally {
    await file.end();
  }
}

/** Throws with the shortest command sequence that still fails. */
async function check(seed: number, synchronous: 'FULL' | 'OFF'): Promise<void> {
  const ops = generate(new Random(seed), COMMANDS);
  if ((await differenceOf(ops, synchronous)) === null) return;
  const least = await shrink(ops, async (fewer) => (await differenceOf(fewer, synchronous)) !== null);
  const difference = await differenceOf(least, synchronous);
  const lines = least.map((op) => JSON.stringify(op)).join('\n');
  throw new Error(`seed ${seed}, ${least.length} commands:\n${lines}\n${JSON.stringify(difference, null, 2)}`);
}

test(`S30 ${SEEDS} random sequences of ${COMMANDS} commands leave the same in the core, memory and sqlite, crashes between`, async () => {
  for (let seed = SYNCED + 1; seed <= SEEDS; seed += 1) await check(seed, 'OFF');
}, 240_000);

test('S30 some of them with every commit on disk before the next', async () => {
  for (let seed = 1; seed <= SYNCED; seed += 1) await check(seed, 'FULL');
}, 60_000);

test('S30 the sequences reach every kind of command, with every kind of outcome', async () => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 40; seed += 1) {
    const store = openMemory();
    const ops = generate(new Random(seed), COMMANDS);
    expect(await compare(ops, [{ name: 'memory', store: () => store, crash: async () => undefined }])).toBeNull();
    for (const { what } of await store.read((tx) => tx.changes.list(100_000)))
      seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  const kinds = [
    'approve',
    'reject',
    'narrow',
    'rotate',
    'revoke',
    'remove',
    'ensure',
    'rename',
    'pair',
    'redeem',
    'expire',
    'ask',
  ];
  expect(kinds.filter((kind) => (seen.get(kind) ?? 0) < 5)).toEqual([]);
});

/** A driver with a fault in one of its repositories. */
function faulty(spoil: (tx: WriteTx) => Partial<WriteTx['devices']>): Subject {
  const store = openMemory();
  const spoilt: Store = {
    ...store,
    describe: 'faulty',
    read: (work) => store.read(work),
    close: () => store.close(),
    write: (work) =>
      store.write((tx) => {
        const more = spoil(tx);
        const devices = new Proxy(tx.devices, {
          get: (target, name) => {
            const value = Reflect.get(name in more ? more : target, name) as (...args: unknown[]) => unknown;
            return value.bind(name in more ? more : target);
          },
        });
        return work({ ...tx, devices });
      }),
  };
  return { name: 'faulty', store: () => spoilt, crash: async () => undefined };
}

test.each<[string, (tx: WriteTx) => Partial<WriteTx['devices']>]>([
  [
    'forgets rejections',
    (tx) => ({
      save: (state, expected) =>
        tx.devices.save(
          { ...state, roles: { ...state.roles, operator: { ...state.roles.operator, rejection: null } } },
          expected,
        ),
    }),
  ],
  ['forgets how requests ended', () => ({ close: async () => undefined })],
  ['counts no asks', () => ({ countAsk: async () => undefined })],
  ['drops nothing', () => ({ drop: async () => undefined })],
])('S30 a driver that %s is caught, in a few commands', async (_, spoil) => {
  const fails = async (ops: readonly Op[]) => (await compare(ops, [faulty(spoil)])) !== null;
  for (let seed = 1; seed <= 50; seed += 1) {
    const ops = generate(new Random(seed), COMMANDS);
    if (!(await fails(ops))) continue;
    const least = await shrink(ops, fails);
    expect(await fails(least)).toBe(true);
    expect(least.length).toBeLessThanOrEqual(6);
    return;
  }
  throw new Error('not caught');
});
