import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PortTaken, portOccupant } from './occupant.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A /proc with one program that listens at 18789. */
function fakeProc(): string {
  const proc = mkdtempSync(join(tmpdir(), 'lk-proc-'));
  folders.push(proc);
  mkdirSync(join(proc, 'net'));
  mkdirSync(join(proc, '4242', 'fd'), { recursive: true });
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (port: string, state: string, inode: number) =>
    `   0: 0100007F:${port} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1\n`;
  writeFileSync(join(proc, 'net', 'tcp'), head + row('4965', '01', 1) + row('4965', '0A', 77) + row('0050', '0A', 3));
  writeFileSync(join(proc, '4242', 'comm'), 'node\n');
  writeFileSync(join(proc, '4242', 'cmdline'), 'node\0--no-warnings\0/opt/openclaw/openclaw.mjs\0gateway\0');
  symlinkSync('socket:[77]', join(proc, '4242', 'fd', '9'));
  return proc;
}

describe('a taken port', () => {
  it('rule: pid and program of whoever listens are named', () => {
    const occupant = portOccupant(0x4965, fakeProc());
    expect(occupant).toEqual({ pid: 4242, program: 'node /opt/openclaw/openclaw.mjs' });
    expect(new PortTaken('127.0.0.1', 18789, occupant).message).toContain('node /opt/openclaw/openclaw.mjs (pid 4242)');
  });

  it('rule: where nobody listens, or nothing can be seen, there is no name', () => {
    expect(portOccupant(1234, fakeProc())).toBeNull();
    expect(portOccupant(0x50, fakeProc())).toBeNull();
    expect(portOccupant(0x4965, '/nowhere')).toBeNull();
  });

  it.runIf(process.platform === 'linux')('rule: this very process is found', async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(portOccupant(port)?.pid).toBe(process.pid);
    await new Promise((done) => server.close(done));
  });
});
