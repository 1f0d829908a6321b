import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isOursAt } from './listener.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A /proc in which sockets of these users are at port 11434. */
function procOf({ v4 = [], v6 = [], state = '0A' }: { v4?: number[]; v6?: number[]; state?: string }): string {
  const proc = mkdtempSync(join(tmpdir(), 'lk-proc-'));
  folders.push(proc);
  mkdirSync(join(proc, 'net'));
  const table = (address: string, uids: readonly number[]) =>
    [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      ...uids.map(
        (uid, i) =>
          `   ${i}: ${address}:2CAA 0:0000 ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 7${i} 1`,
      ),
    ].join('\n');
  writeFileSync(join(proc, 'net', 'tcp'), `${table('0100007F', v4)}\n`);
  writeFileSync(join(proc, 'net', 'tcp6'), `${table('0'.repeat(32), v6)}\n`);
  return proc;
}

test.each([
  ['of this user', { v4: [1_000] }, true],
  ['of root', { v6: [0] }, true],
  ['of this user and of root', { v4: [1_000], v6: [0] }, true],
  ['of another user', { v4: [1_001] }, false],
  ['of another user beside this one', { v4: [1_001], v6: [1_000] }, false],
  ['of nobody', {}, false],
  ['that only speaks', { v4: [1_000], state: '01' }, false],
])('threat: a listener %s: %j is ours: %s', (_whose, sockets, expected) => {
  expect(isOursAt(11_434, { proc: procOf(sockets), uid: 1_000 })).toBe(expected);
});

test('threat: where nothing can be seen nobody is ours', () => {
  expect(isOursAt(11_434, { proc: '/nowhere', uid: 1_000 })).toBe(false);
  expect(isOursAt(11_434, { proc: procOf({ v4: [1_000] }), uid: null })).toBe(false);
});

test.runIf(process.platform === 'linux')('rule: a listener of this very process is ours', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  expect(isOursAt(port)).toBe(true);
  await new Promise((done) => server.close(done));
  expect(isOursAt(port)).toBe(false);
});
