import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const CHILD = join(import.meta.dirname, 'child', 'disk.ts');
const TIMEOUT_MS = 100_000;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'latchkey-disk-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs the child under `sh`, with the directory as `$1`, Node as `$2` and its script as `$3`. */
function run(command: readonly string[], script: string): Record<string, unknown> {
  const [program = '', ...args] = [...command, 'sh', '-c', script, 'sh', dir, process.execPath, CHILD];
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8', timeout: TIMEOUT_MS });
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const OWN_MOUNTS = ['unshare', '--user', '--map-root-user', '--mount'] as const;

/** Why this machine lets nobody mount a disk of their own; `null`: it does. */
function noMount(): string | null {
  const [program, ...args] = OWN_MOUNTS;
  const tried = spawnSync(program, [...args, 'mount', '-t', 'tmpfs', 'none', dir], { encoding: 'utf8' });
  if (tried.error) return String(tried.error.message);
  return tried.status === 0 ? null : tried.stderr.trim();
}

test(
  'S25 S29 threat 57 a full disk and a read-only one: nothing is half written, narrowing goes on, and all works when it clears',
  (context) => {
    const reason = noMount();
    if (reason !== null) context.skip(`no disk of its own: ${reason}`);
    const seen = run(OWN_MOUNTS, 'mount -t tmpfs -o size=8m none "$1" && exec "$2" "$3" tmpfs "$1"');
    expect(seen).toEqual({
      reserve: 1024 * 1024,
      full: 'unavailable',
      'small when full': 'unavailable',
      'whole when full': true,
      'reserve when full': 1024 * 1024,
      urgent: null,
      'reserve given up': true,
      'urgent refused of 100': 0,
      'whole after opening anew': true,
      'with room': null,
      'reserve again': 1024 * 1024,
      'read-only': true,
      'writable again': null,
      whole: true,
      saved: true,
    });
  },
  TIMEOUT_MS,
);

test.runIf(process.platform === 'linux')(
  'S25 threat 57 a write that fails below the engine leaves nothing, and the next works when the fault clears',
  () => {
    // In blocks of 512 bytes or 1 KiB, as the shell has it: room for the database, not for much more.
    const seen = run([], 'ulimit -S -f 4096; exec "$2" "$3" quota "$1"');
    expect(seen).toEqual({
      full: 'unavailable',
      'whole when full': true,
      again: 'unavailable',
      'with room': null,
      whole: true,
      saved: true,
    });
  },
  TIMEOUT_MS,
);
