// Run by store-disk.test.ts in a process whose disk it fills, closes and opens again. Prints what happened as JSON.
//
//   node disk.ts tmpfs DIR    DIR is a small tmpfs of its own, which this process may mount anew
//   node disk.ts quota DIR    run under a soft limit on the size of files
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../../src/store/sqlite/open.ts';
import { type Store, StoreUnavailable, type WriteOptions } from '../../../src/store/store.ts';
import { change, device, deviceId, NOON } from '../../../src/store/suite/sample.ts';

const [mode = '', dir = ''] = process.argv.slice(2);
const filler = join(dir, 'filler');
const reserve = join(dir, 'reserve');
let now = NOON;
let saved = 0;
const seen: Record<string, unknown> = {};

const open = (): Promise<Store> => {
  mkdirSync(join(dir, 'backups'), { recursive: true });
  const backupsDir = join(dir, 'backups');
  const file = join(dir, 'latchkey.sqlite');
  return openSqlite({ file, backupsDir, now: () => now, programVersion: '0.1.0', create: !existsSync(file) });
};

/** Saves one more device and its change, `big` bytes wide; `null`, or what it was refused with. */
async function save(store: Store, big = 0, options?: WriteOptions): Promise<string | null> {
  try {
    await store.write(async (tx) => {
      const seq = await tx.nextSeq();
      // A caller that catches and goes on, as group commit does, gets no half of it on disk either.
      await tx.part(() => tx.devices.save({ ...device(saved + 1), name: 'x'.repeat(big) }, 0)).catch(() => undefined);
      await tx.changes.add(change(seq, saved + 1));
    }, options);
    saved += 1;
    return null;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) return `another error: ${String(error)}`;
    return error.remedy === '' ? 'no remedy' : 'unavailable';
  }
}

/** What is stored is exactly what was answered: so many devices, each with its change. */
async function isWhole(store: Store): Promise<boolean> {
  return store.read(async (tx) => {
    const devices = await tx.devices.list();
    const changes = await tx.changes.list(100_000);
    return (
      devices.length === saved && changes.length === saved && devices.every((d, i) => d.device === deviceId(i + 1))
    );
  });
}

async function saveUntilRefused(store: Store, big: number): Promise<string> {
  for (let i = 0; i < 5_000; i += 1) {
    const refused = await save(store, big);
    if (refused !== null) return refused;
  }
  return 'never refused';
}

/** Takes all the room there is. */
function fill(): void {
  const file = openSync(filler, 'a');
  try {
    for (let size = 65_536; size >= 1; size = Math.floor(size / 4)) {
      for (;;) {
        try {
          if (writeSync(file, Buffer.alloc(size, 1)) < size) break;
        } catch {
          break;
        }
      }
    }
  } finally {
    closeSync(file);
  }
}

const remount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, dir]);

// Others' files: what frees room when they go.
if (mode === 'tmpfs') writeFileSync(filler, Buffer.alloc(3 * 1024 * 1024, 1));
let store = await open();
await save(store);
if (mode === 'quota') {
  seen.full = await saveUntilRefused(store, 20_000);
  seen['whole when full'] = await isWhole(store);
  seen.again = await save(store, 20_000);
  execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
  seen['with room'] = await save(store, 20_000);
  seen.whole = await isWhole(store);
} else {
  seen.reserve = statSync(reserve).size;
  seen.full = await saveUntilRefused(store, 20_000);
  fill();
  seen['small when full'] = await saveUntilRefused(store, 0);
  seen['whole when full'] = await isWhole(store);
  seen['reserve when full'] = statSync(reserve).size;
  seen.urgent = await save(store, 0, { urgent: true });
  seen['reserve given up'] = !existsSync(reserve);
  let refused = 0;
  for (let i = 0; i < 100; i += 1) if ((await save(store, 0, { urgent: true })) !== null) refused += 1;
  seen['urgent refused of 100'] = refused;
  await store.close();
  rmSync(filler);
  store = await open();
  seen['whole after opening anew'] = await isWhole(store);
  seen['with room'] = await save(store);
  now += 60_000;
  await save(store);
  seen['reserve again'] = statSync(reserve).size;
  await store.close();
  remount('ro');
  seen['read-only'] = await open().catch((error: unknown) => error instanceof StoreUnavailable && error.remedy !== '');
  remount('rw');
  store = await open();
  seen['writable again'] = await save(store);
  seen.whole = await isWhole(store);
}
await store.close();
seen.saved = saved > 1;
console.log(JSON.stringify(seen));
