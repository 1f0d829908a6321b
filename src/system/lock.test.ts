import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Failure } from './failure.ts';
import { networkFileSystem } from './filesystem.ts';
import { type Lock, type LockOptions, readOwner, takeLock } from './lock.ts';
import { processStart } from './process.ts';

let dir: string;
const children: ChildProcess[] = [];
const locks: Lock[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'latchkey-lock-'));
});
afterEach(async () => {
  for (const lock of locks.splice(0)) lock.release();
  for (const child of children.splice(0)) await kill(child);
  rmSync(dir, { recursive: true, force: true });
});

async function take(options: Partial<LockOptions> = {}): Promise<Lock> {
  const taken = await takeLock(dir, { program: 'test', ...options });
  if (!taken.ok) throw new Error(`held by ${JSON.stringify(taken.owner)}`);
  locks.push(taken.lock);
  return taken.lock;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Another process that takes the lock, says what it got, and keeps it for `holdMs` or until it is killed. */
async function other(options: Partial<LockOptions>, holdMs?: number): Promise<{ child: ChildProcess; got: string }> {
  const script = `
    import { takeLock } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))};
    const taken = await takeLock(${JSON.stringify(dir)}, ${JSON.stringify({ program: 'other', ...options })});
    console.log(taken.ok ? 'fence ' + taken.lock.owner.fence : 'held by ' + taken.owner?.program);
    if (!taken.ok) process.exit(0);
    taken.lock.describe({ port: 18789, addresses: ['127.0.0.1'], socket: '/run/x.sock' });
    console.log('described');
    setTimeout(() => taken.lock.release(), ${holdMs ?? 600_000});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line !== lines[0] || line.startsWith('held')) break;
  }
  return { child, got: lines[0] ?? 'nothing' };
}

test('rule lock: one process holds it, a second is told who', async () => {
  const { child, got } = await other({ program: 'latchkey gateway' });
  expect(got).toBe('fence 1');
  const taken = await takeLock(dir, { program: 'test', waitMs: 60_000 });
  expect(taken).toEqual({
    ok: false,
    owner: {
      pid: child.pid,
      started: processStart(child.pid ?? 0),
      program: 'latchkey gateway',
      brief: false,
      port: 18789,
      addresses: ['127.0.0.1'],
      socket: '/run/x.sock',
      tlsFingerprint: null,
      fence: 1,
    },
  });
  expect((await other({})).got).toBe('held by latchkey gateway');
});

test('rule lock: within one process it is held as well', async () => {
  const lock = await take();
  expect(await takeLock(dir, { program: 'again' })).toEqual({ ok: false, owner: lock.owner });
  lock.release();
  lock.release();
  expect(() => lock.describe({ port: 1, socket: null })).toThrow('given back');
  await take();
});

test('rule lock: the system frees it when its holder is killed, and the fencing number rises', async () => {
  const { child, got } = await other({});
  expect(got).toBe('fence 1');
  await kill(child);
  // What it said of itself is still there and is no longer believed.
  expect(existsSync(join(dir, 'run', 'gateway.json'))).toBe(true);
  expect(readOwner(dir)).toBeNull();
  const lock = await take();
  expect(lock.owner.fence).toBe(2);
  expect(readOwner(dir)).toEqual(lock.owner);
  lock.release();
  expect(readOwner(dir)).toBeNull();
  expect((await take()).owner.fence).toBe(3);
});

test('rule lock: who was killed is known to the next holder, and is not wiped by commands in between, also killed ones', async () => {
  const { child } = await other({ program: 'latchkey gateway' });
  await kill(child);
  const died = { pid: child.pid, program: 'latchkey gateway', port: 18789, fence: 1 };
  const record = () => JSON.parse(readFileSync(join(dir, 'run', 'gateway.json'), 'utf8'));
  for (const fence of [2, 3]) {
    const brief = await take({ brief: true });
    expect(brief.owner).toMatchObject({ fence, died });
    brief.release();
    expect(record()).toMatchObject(died);
    expect(readOwner(dir)).toBeNull();
  }
  await kill((await other({ brief: true })).child);
  expect(record()).toMatchObject({ program: 'other', died });
  const gateway = await take();
  expect(gateway.owner.died).toMatchObject(died);
  expect(gateway.owner.died).not.toHaveProperty('died');
  // It went as it should: nobody died.
  gateway.release();
  expect((await take({ brief: true })).owner.died).toBeUndefined();
});

test('rule lock: a holder that is brief is waited for', async () => {
  const { got } = await other({ brief: true }, 300);
  expect(got).toBe('fence 1');
  expect((await takeLock(dir, { program: 'hasty' })).ok).toBe(false);
  expect((await take({ waitMs: 20_000 })).owner.fence).toBe(2);
});

test('rule lock: waiting has an end', async () => {
  await other({ brief: true });
  const taken = await takeLock(dir, { program: 'test', waitMs: 120 });
  expect(taken.ok ? null : taken.owner?.program).toBe('other');
});

test('rule lock: its files are private whatever the umask, and torn owner data is no obstacle', async () => {
  const before = process.umask(0);
  try {
    const lock = await take();
    lock.describe({ port: 1, socket: '/s' });
    for (const name of ['gateway.lock', 'gateway.json']) {
      expect((statSync(join(dir, 'run', name)).mode & 0o777).toString(8), name).toBe('600');
    }
    expect(JSON.parse(readFileSync(join(dir, 'run', 'gateway.json'), 'utf8'))).toEqual(lock.owner);
    for (const torn of ['', '{"pid": 1', '[]', '{"pid":"1"}', 'null']) {
      writeFileSync(join(dir, 'run', 'gateway.json'), torn);
      expect(await takeLock(dir, { program: 'test' })).toEqual({ ok: false, owner: null });
    }
  } finally {
    process.umask(before);
  }
});

test('rule lock: a lock file that is no lock file is refused with the command that mends it', async () => {
  (await take()).release();
  const file = join(dir, 'run', 'gateway.lock');
  writeFileSync(file, 'x'.repeat(9_000));
  const error = await takeLock(dir, { program: 'test' }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Failure);
  expect((error as Failure).run).toBe(`rm ${file}`);
  rmSync(file);
  await take();
});

test.runIf(process.platform === 'linux')('rule lock: network file systems are known by their type or mount', () => {
  const mounts = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '40 22 0:44 / /mnt/anna rw - fuse.sshfs anna@host: rw',
    '41 40 0:45 / /mnt/anna/my\\040disk rw - fuseblk /dev/sdb1 rw',
  ].join('\n');
  const NFS = 0x6969;
  const EXT4 = 0xef53;
  const FUSE = 0x65735546;
  expect(networkFileSystem(NFS, '/')).toBe('NFS');
  expect(networkFileSystem(0xff534d42 | 0, '/')).toBe('CIFS');
  expect(networkFileSystem(EXT4, '/')).toBeNull();
  expect(networkFileSystem(FUSE, '/', () => mounts)).toBeNull();
  const under = (point: string) => mounts.replaceAll('/mnt/anna', point);
  expect(networkFileSystem(FUSE, dir, () => under(dir))).toBe('fuse.sshfs');
  expect(networkFileSystem(FUSE, dir, () => under(dir.slice(0, -1)))).toBeNull();
});

test('rule lock: a process is told from a later one with its pid, and from one that has ended', async () => {
  const own = processStart(process.pid);
  expect(own).toMatch(/\d/);
  const { child } = await other({});
  expect(processStart(child.pid ?? 0)).not.toBe(own);
  await kill(child);
  expect(processStart(child.pid ?? 0)).toBeUndefined();
  expect(processStart(process.pid)).toBe(own);
});
