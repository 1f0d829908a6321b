// The owner socket alone: its file, its lines.
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenOwner, type OwnerDoor } from '../../src/gateway/listen/owner.ts';
import type { Pipe } from '../../src/gateway/listen/pipe.ts';
import { systemClock } from '../../src/system/clock.ts';
import { ownerSocketPlace } from '../../src/system/owner.ts';

let dir: string;
const doors: OwnerDoor[] = [];
const sockets: Socket[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lk-o-'));
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(doors.splice(0).map((door) => door.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function open() {
  const pipes: Pipe[] = [];
  const ends: { code: number; reason: string }[] = [];
  let wake = () => {};
  const door = await listenOwner(
    ownerSocketPlace(dir),
    (pipe) => {
      pipes.push(pipe);
      return {
        message: (text) => pipe.send(text.length > 100 ? `"${text.length}"` : text),
        closed: (code, reason) => {
          ends.push({ code, reason });
          wake();
        },
      };
    },
    systemClock,
  );
  doors.push(door);
  const ended = async () => {
    while (ends.length === 0) await new Promise<void>((done) => (wake = done));
    return ends.shift();
  };
  return { door, pipes, ended };
}

function connect(path: string) {
  const socket = dial(path);
  sockets.push(socket);
  socket.on('error', () => {});
  let text = '';
  let wake = () => {};
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    wake();
  });
  const closed = new Promise<void>((done) => socket.once('close', () => done()));
  const line = async () => {
    while (!text.includes('\n')) await new Promise<void>((done) => (wake = done));
    const end = text.indexOf('\n');
    const one = text.slice(0, end);
    text = text.slice(end + 1);
    return one;
  };
  return { socket, line, closed };
}

describe.skipIf(process.platform === 'win32')('the owner socket', () => {
  it('A11: it and its directory are closed to others whatever the umask, and the umask is given back', async () => {
    const before = process.umask(0);
    try {
      const { door } = await open();
      expect(process.umask()).toBe(0);
      expect(lstatSync(door.path).mode & 0o777).toBe(0o600);
      expect(lstatSync(join(dir, 'run')).mode & 0o777).toBe(0o700);
    } finally {
      process.umask(before);
    }
  });

  it('A11: a directory that others can write, or a link to one, is refused', async () => {
    mkdirSync(join(dir, 'run'));
    chmodSync(join(dir, 'run'), 0o777);
    await expect(open()).rejects.toMatchObject({ name: 'Failure', exitCode: 78 });
    rmSync(join(dir, 'run'), { recursive: true });
    mkdirSync(join(dir, 'elsewhere'));
    symlinkSync(join(dir, 'elsewhere'), join(dir, 'run'));
    await expect(open()).rejects.toMatchObject({ name: 'Failure', exitCode: 78 });
  });

  it("A11: a dead gateway's socket is replaced, anything else with its name is not", async () => {
    const first = await open();
    // A killed process leaves the file: what listens there is gone, the name stays.
    const { path } = first.door;
    await first.door.close();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'precious');
    await expect(open()).rejects.toMatchObject({ name: 'Failure', exitCode: 78 });
    rmSync(path);
    const stale = await leaveStaleSocket(path);
    expect(stale).toBe(true);
    const { door } = await open();
    const client = connect(door.path);
    client.socket.write('{"a":1}\n');
    expect(await client.line()).toBe('{"a":1}');
  });

  it('A11: a path that is too long for a socket is made where it fits', async () => {
    const deep = join(dir, 'x'.repeat(100));
    mkdirSync(deep);
    const runtime = join(dir, 'r');
    mkdirSync(runtime, { mode: 0o700 });
    const place = ownerSocketPlace(deep, { XDG_RUNTIME_DIR: runtime });
    const door = await listenOwner(place, (pipe) => ({ message: (t) => pipe.send(t), closed() {} }), systemClock);
    doors.push(door);
    expect(door.path.startsWith(join(runtime, 'latchkey'))).toBe(true);
    const client = connect(door.path);
    client.socket.write('1\n');
    expect(await client.line()).toBe('1');
  });

  it('rule: many lines in one write come in order, and answers go out as lines', async () => {
    const { door } = await open();
    const client = connect(door.path);
    client.socket.write('1\n2\n\n3');
    expect([await client.line(), await client.line()]).toEqual(['1', '2']);
    client.socket.write('\n');
    expect(await client.line()).toBe('3');
  });

  it('threat 6: a line is at most policy.maxPayload, then the connection is closed and the door stays', async () => {
    const { door, ended } = await open();
    const client = connect(door.path);
    const bound = 25 * 1024 * 1024;
    client.socket.write(`"${'a'.repeat(bound - 2)}"\n`);
    expect(await client.line()).toBe(`"${bound}"`);
    client.socket.write('b'.repeat(bound + 1));
    expect(await ended()).toEqual({ code: 1009, reason: '' });
    await client.closed;
    const other = connect(door.path);
    other.socket.write('1\n');
    expect(await other.line()).toBe('1');
  });

  it('threat 4: what is no UTF-8 closes the connection', async () => {
    const { door, ended } = await open();
    const client = connect(door.path);
    client.socket.write(Buffer.from([0xff, 0x0a]));
    expect((await ended())?.code).toBe(1007);
    await client.closed;
  });

  it('rule: a close comes after what was sent; a peer that leaves is told once; close ends all', async () => {
    const { door, pipes, ended } = await open();
    const client = connect(door.path);
    client.socket.write('1\n');
    await client.line();
    pipes[0]?.send('last');
    pipes[0]?.close(1012, 'service restart');
    pipes[0]?.send('never');
    expect(await client.line()).toBe('last');
    await client.closed;
    expect(await ended()).toEqual({ code: 1012, reason: 'service restart' });
    const leaving = connect(door.path);
    leaving.socket.end('2\n');
    expect(await leaving.line()).toBe('2');
    expect((await ended())?.code).toBe(1000);
    const last = connect(door.path);
    last.socket.write('3\n');
    await last.line();
    expect(door.size).toBe(1);
    await door.close();
    await last.closed;
    expect(existsSync(door.path)).toBe(false);
  });
});

/** Leaves a socket file behind that nobody listens at, as a killed process does. */
async function leaveStaleSocket(path: string): Promise<boolean> {
  const { spawn } = await import('node:child_process');
  const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.stdout.write('up'))`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((done) => child.stdout.once('data', done));
  child.kill('SIGKILL');
  await new Promise((done) => child.once('close', done));
  return lstatSync(path).isSocket();
}
