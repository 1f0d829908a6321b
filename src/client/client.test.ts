import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScriptedClock, systemClock } from '../system/clock.ts';
import { Client, ConnectionLost, NoAnswer, RemoteError } from './client.ts';
import { openOwnerSocket } from './node/socket.ts';

let home = '';
let server: Server;
let sockets: Socket[] = [];
/** What the scripted gateway does with each line. */
let onLine: (line: string, socket: Socket) => void = () => {};
const path = () => join(home, 's.sock');

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'lk-cl-'));
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    let rest = '';
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line, socket);
    });
  });
  await new Promise<void>((done) => server.listen(path(), done));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((done) => server.close(done));
  rmSync(home, { recursive: true, force: true });
});

const open = async (clock = systemClock) =>
  new Client(await openOwnerSocket(path()), (ms, run) => clock.after(ms, run));
const answer = (line: string, payload: unknown) =>
  `${JSON.stringify({ type: 'res', id: JSON.parse(line).id, ok: true, payload })}\n`;

test('rule: answers find their requests in any order, split anywhere, between events', async () => {
  const held: string[] = [];
  onLine = (line, socket) => {
    held.push(line);
    if (held.length < 3) return;
    const text = `{"type":"event","event":"tick","payload":{"ts":1}}\n\n${held
      .reverse()
      .map((l) => answer(l, JSON.parse(l).params))
      .join('')}`;
    const bytes = Buffer.from(text);
    // Byte by byte: also within a character.
    for (const byte of bytes) socket.write(Buffer.from([byte]));
  };
  const client = await open();
  const events: string[] = [];
  client.onEvent = (event) => events.push(event.event);
  const values = ['a', 'ü🦊', { deep: [1] }];
  const answers = await Promise.all(values.map((value) => client.request('echo', { value }, 5_000)));
  expect(answers).toEqual(values.map((value) => ({ value })));
  expect(events).toEqual(['tick']);
  client.close();
});

test('A16 a refusal comes as RemoteError with its code', async () => {
  onLine = (line, socket) =>
    socket.write(
      `${JSON.stringify({ type: 'res', id: JSON.parse(line).id, ok: false, error: { code: 'INVALID_REQUEST', message: 'no', details: { refusal: 'not_found' } } })}\n`,
    );
  const client = await open();
  const error: unknown = await client.request('x', undefined, 5_000).catch((e) => e);
  if (!(error instanceof RemoteError)) throw error;
  expect([error.refusal, error.error.code]).toEqual(['not_found', 'INVALID_REQUEST']);
  client.close();
});

test('T20 no answer in time is NoAnswer; one that comes too late disturbs nothing', async () => {
  const clock = new ScriptedClock();
  const held: string[] = [];
  let came: () => void = () => {};
  const second = new Promise<void>((done) => {
    came = done;
  });
  onLine = (line, socket) => {
    held.push(line);
    if (held.length === 2) {
      socket.write(`${answer(held[0] ?? '', 'late')}${answer(held[1] ?? '', 'in time')}`);
      came();
    }
  };
  const client = await open(clock);
  const late = client.request('slow', {}, 1_000).catch((e) => e);
  clock.advance(1_000);
  expect(await late).toBeInstanceOf(NoAnswer);
  const next = client.request('next', {}, 1_000);
  await second;
  expect(await next).toBe('in time');
  expect(clock.pending).toBe(0);
  client.close();
});

test('rule: a connection that ends ends every request, and the next one at once', async () => {
  onLine = (_line, socket) => socket.destroy();
  const client = await open();
  const both = await Promise.all([1, 2].map(() => client.request('x', {}, 5_000).catch((e) => e)));
  expect(both.every((e) => e instanceof ConnectionLost)).toBe(true);
  expect(await client.request('x', {}, 5_000).catch((e) => e)).toBeInstanceOf(ConnectionLost);
});

test.each(['not json\n', '\u0000\u0001\n'])('rule: what is no JSON ends the connection: %j', async (text) => {
  onLine = (_line, socket) => socket.write(text);
  const client = await open();
  expect(await client.request('x', {}, 5_000).catch((e) => e)).toBeInstanceOf(ConnectionLost);
});

test.each([
  'null',
  '5',
  '[]',
  '{"type":"res","id":7,"ok":true}',
  '{"type":"res","id":"1","ok":false}',
  '{"type":"hello"}',
])('rule: a frame of another shape is passed over: %s', async (frame) => {
  onLine = (line, socket) => socket.write(`${frame}\n${answer(line, 'fine')}`);
  const client = await open();
  expect(await client.request('x', {}, 5_000)).toBe('fine');
  client.close();
});

test('rule: a line without end is cut off', async () => {
  onLine = (_line, socket) => {
    const part = Buffer.alloc(1024 * 1024, 120);
    for (let i = 0; i < 27; i += 1) socket.write(part);
  };
  const client = await open();
  expect(await client.request('x', {}, 20_000).catch((e) => e)).toBeInstanceOf(ConnectionLost);
});

test('rule: nobody there is the error of the system', async () => {
  await expect(openOwnerSocket(join(home, 'missing.sock'))).rejects.toMatchObject({ code: 'ENOENT' });
});
