// The log as people and agents read it: over RPC as OpenClaw's clients do, by the command, and with no gateway at all.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { ADMIN, asking, once, PAIRING, paired, READ, session } from './act.ts';
import { files } from './state.ts';

const CLI = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist'), 'cli.cjs');
// biome-ignore lint/suspicious/noControlCharactersInRegex: what may stand in no line
const ACTING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;

const logOf = (gateway: Gateway) => join(gateway.stateDir, 'logs', 'gateway.jsonl');
const entry = (n: number, more: object = {}) =>
  `${JSON.stringify({ time: '2026-01-01T00:00:00.000Z', level: 'info', subsystem: 'test', message: `line ${n}`, n, ...more })}\n`;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** `latchkey logs …` that goes on. */
function following(gateway: Gateway, args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, 'logs', '--follow', ...args, '--state-dir', gateway.stateDir], {
    env: { PATH: process.env.PATH ?? '', HOME: join(gateway.stateDir, '..'), NO_COLOR: '1', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  return {
    child,
    ended,
    out: () => out,
    lines: () => out.split('\n').filter((line) => line !== ''),
    /** Waits until something was printed. @throws Error when it is not */
    async until(text: string): Promise<void> {
      for (let i = 0; i < 400 && !out.includes(text); i += 1) await sleep(50);
      if (!out.includes(text)) throw new Error(`never printed ${text}; it did print:\n${out}\n${err}`);
    },
  };
}

describe('A7, A17 what the log tells, and to whom', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.stop());

  it('A7 a line about another device keeps when and what, and loses whom and from where', async () => {
    const owner = await gateway.owner();
    const [own, other, asker] = [await paired(owner, [READ]), await paired(owner, [ADMIN]), newIdentity()];
    const client = { id: 'secret-phone', mode: 'cli', version: '1', platform: 'linux', displayName: 'SecretPhone' };
    const asked = await once({ port: gateway.port }, asking([ADMIN], { client }), { identity: asker });
    const requestId = asked.ok ? '' : String(asked.error.details?.requestId);
    const admin = await session(gateway, other);
    await admin.partner.ask('config.patch', { raw: '{ logging: { level: "debug" } }' });
    await admin.partner.ask('device.pair.approve', { requestId, scopes: [READ] });
    const reader = await session(gateway, own);
    const { lines } = await reader.partner.ask('logs.tail', { limit: 5_000 });
    const all = lines.join('\n');
    for (const word of [other.id, asker.id, requestId, 'SecretPhone', 'secret-phone']) expect(all).not.toContain(word);
    const withheld = lines.map((line: string) => JSON.parse(line)).filter((line: { withheld?: true }) => line.withheld);
    expect(withheld).toContainEqual({
      time: expect.any(String),
      level: 'info',
      subsystem: 'gateway',
      message: 'pairing request',
      withheld: true,
    });
    // What it may see: the lines of its own device, and those about nobody.
    expect(all).toContain(own.id);
    expect(all).toContain('"message":"ready"');
    for (const peer of [owner, admin.partner]) {
      const told = (await peer.ask('logs.tail', { limit: 5_000 })).lines.join('\n');
      for (const word of [other.id, asker.id, requestId, 'secret-phone']) expect(told).toContain(word);
      expect(told).not.toContain('withheld');
    }
    for (const { partner } of [admin, reader]) partner.end();
  });

  it('A17 each change of access is one line: what, about whom, by whom', async () => {
    const owner = await gateway.owner();
    const identity = newIdentity();
    const asked = await once({ port: gateway.port }, asking([READ, PAIRING]), { identity });
    const requestId = asked.ok ? '' : String(asked.error.details?.requestId);
    const device = { deviceId: identity.id };
    const { changeIds } = await owner.ask('device.pair.approve', { requestId, scopes: [READ] });
    await owner.ask('device.pair.rename', { ...device, label: 'Desk' });
    await owner.ask('device.token.rotate', { ...device, role: 'operator' });
    await owner.ask('device.grant.narrow', { ...device, role: 'operator', scopes: [] });
    const { code } = await owner.ask('device.code.create', { scopes: [READ] });
    const auth = { bootstrapToken: code };
    await once({ port: gateway.port }, asking([READ], { auth }), { identity });
    await owner.ask('device.pair.remove', device);
    const { lines } = await owner.ask('logs.tail', { limit: 5_000 });
    const entries = lines.map((line: string) => JSON.parse(line));
    const changes = entries.filter(
      (e: Record<string, unknown>) => e.message === 'access changed' && e.device === identity.id,
    );
    expect(changes.map((e: Record<string, unknown>) => [e.level, e.what, e.by])).toEqual([
      ['info', 'approve', 'owner'],
      ['info', 'rename', 'owner'],
      ['info', 'rotate', 'owner'],
      ['info', 'narrow', 'owner'],
      ['info', 'redeem', 'code of owner'],
      // Of each role.
      ['info', 'remove', 'owner'],
      ['info', 'remove', 'owner'],
    ]);
    expect(changes[0]).toMatchObject({ change: changeIds[0], requestId, scopes: [READ] });
    expect(entries).toContainEqual(
      expect.objectContaining({ message: 'setup code made', by: 'owner', scopes: [READ] }),
    );
    const requests = entries.filter(
      (e: Record<string, unknown>) => e.requestId === requestId && e.message === 'pairing request',
    );
    expect(requests.map((e: Record<string, unknown>) => e.level)).toEqual(['info']);
    expect(lines.join('\n')).not.toContain(code);
  });

  // How little is held for it: test/fault/large-answers.test.ts.
  it('threat 36: who asks for it many times at once waits for itself, and nobody else does', async () => {
    const reader = await session(gateway, await paired(await gateway.owner(), [READ]));
    const owner = await gateway.owner();
    const more = Array.from({ length: 1_000 }, (_, n) => entry(n, { text: 'x'.repeat(900) }));
    appendFileSync(logOf(gateway), more.join(''));
    let done = 0;
    const look = () => {
      done += 1;
    };
    const ask = () => reader.partner.call('logs.tail', { cursor: 0, limit: 5_000, maxBytes: 1_000_000 });
    const answers = Array.from({ length: 200 }, () => ask().finally(look));
    expect((await owner.ask('logs.tail', { limit: 1 })).lines).toHaveLength(1);
    expect(done).toBeLessThan(100);
    const all = await Promise.all(answers);
    expect(all.map(({ ok }) => ok)).toEqual(all.map(() => true));
    expect((await reader.partner.call('logs.tail', {})).ok).toBe(true);
    reader.partner.end();
  });
});

describe('rule: logs', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.stop());

  it('rule: logs.tail answers as OpenClaw clients read it, by cursor, and only to who may read', async () => {
    const reader = await session(gateway, await paired(await gateway.owner(), [READ]));
    const first = await reader.partner.ask('logs.tail', { limit: 5, maxBytes: 250_000 });
    expect(first).toMatchObject({ file: logOf(gateway), reset: false, size: statSync(logOf(gateway)).size });
    expect(Number.isSafeInteger(first.cursor)).toBe(true);
    expect(JSON.parse(first.lines.at(-1))).toMatchObject({ level: 'info', subsystem: 'gateway' });
    const idle = await reader.partner.ask('logs.tail', { cursor: first.cursor, limit: 200, maxBytes: 250_000 });
    expect(idle).toMatchObject({ cursor: first.cursor, lines: [], truncated: false, reset: false });
    appendFileSync(logOf(gateway), `${entry(1)}{"half":`);
    const next = await reader.partner.ask('logs.tail', { cursor: first.cursor });
    expect(next.lines).toEqual([entry(1).trimEnd()]);
    appendFileSync(logOf(gateway), '1}\n');
    expect((await reader.partner.ask('logs.tail', { cursor: next.cursor })).lines).toEqual(['{"half":1}']);
    expect((await reader.partner.call('logs.tail', { limit: 1e9 })).ok).toBe(false);
    const none = await session(gateway, await paired(await gateway.owner(), [PAIRING]));
    expect((await none.partner.call('logs.tail', {})).ok).toBe(false);
    reader.partner.end();
    none.partner.end();
  });

  it('threat 2.13 log poisoning: what a stranger says of itself is one escaped, marked line everywhere', async () => {
    const evil = '\u202egnissim\u2066\u0085\u009b2J level=error';
    const client = {
      id: evil,
      version: '1',
      platform: 'linux',
      mode: 'cli',
      displayName: `\r\n\u001b[2J${'A'.repeat(240)}`,
    };
    const origin = `https://${'e'.repeat(4_000)}.example`;
    await once(gateway, asking([READ], { client }), { identity: newIdentity() });
    await once(
      { port: gateway.port, origin, headers: { 'User-Agent': 'B'.repeat(6_000) } },
      asking([READ], { client }),
    );
    const raw = readFileSync(logOf(gateway), 'utf8');
    expect(raw).not.toMatch(ACTING);
    expect(raw).not.toContain('eeeeeeee');
    const said = raw
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((line) => line.claimed !== undefined);
    expect(said.length).toBeGreaterThan(0);
    for (const line of said) {
      expect(line.claimed.client).toContain('gnissim');
      expect(JSON.stringify({ ...line, claimed: null })).not.toContain('gnissim');
    }
    const shown = await gateway.cli(['logs', '--grep', 'gnissim']);
    expect(shown.stdout.trim().split('\n')).toHaveLength(said.length);
    expect(shown.stdout).toContain('claimed.client="');
    expect(shown.stdout).not.toMatch(ACTING);
  });

  it('threat 2.13 log poisoning: lines that something else wrote act on no terminal either', async () => {
    appendFileSync(logOf(gateway), `not json \u001b]0;owned\u0007 \u202e\n`);
    appendFileSync(
      logOf(gateway),
      entry(2, { 'k\u001b[2J': '\u2066x', deep: [{ a: '\u009b2J' }], claimed: 'no group' }),
    );
    for (const args of [['logs'], ['logs', '--json']]) {
      const { code, stdout } = await gateway.cli(args);
      expect(code).toBe(0);
      expect(stdout).toContain('owned');
      expect(stdout).toContain('line 2');
      expect(stdout).not.toMatch(ACTING);
    }
  });

  it('rule: level, plain text, limit; one object a line, the last one says that it is done', async () => {
    writeFileSync(
      logOf(gateway),
      [0, 1, 2, 3].map((n) => entry(n, n === 2 ? { level: 'error', x: 'a.*b' } : {})).join(''),
    );
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await gateway.cli(['logs', '--json', ...args]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.at(-1)).toMatchObject({ done: true, lines: lines.length - 1 });
      return lines.slice(0, -1).map((line) => line.n);
    };
    expect(await run()).toEqual([0, 1, 2, 3]);
    expect(await run('--limit', '2')).toEqual([2, 3]);
    expect(await run('--level', 'warn')).toEqual([2]);
    expect(await run('--grep', 'a.*b')).toEqual([2]);
    expect(await run('--grep', '.*')).toEqual([2]);
    expect(await run('--grep', '(a+)+$')).toEqual([]);
    for (const wrong of [
      ['--level', 'loud'],
      ['--limit', '0'],
      ['--limit', 'x'],
    ]) {
      expect((await gateway.cli(['logs', ...wrong])).code).toBe(2);
    }
  });

  it('rule: following goes over rotations without losing or repeating a line, and ends with Ctrl-C', async () => {
    writeFileSync(logOf(gateway), entry(0));
    const tail = following(gateway, ['--json']);
    await tail.until('"line 0"');
    let n = 1;
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 5; i += 1, n += 1) appendFileSync(logOf(gateway), entry(n));
      renameSync(logOf(gateway), join(gateway.stateDir, 'logs', 'gateway.1.jsonl'));
      for (let i = 0; i < 5; i += 1, n += 1) appendFileSync(logOf(gateway), entry(n));
      await tail.until(`"line ${n - 1}"`);
    }
    tail.child.kill('SIGINT');
    expect(await tail.ended).toBe(0);
    const lines = tail.lines().map((line) => JSON.parse(line));
    expect(lines.at(-1)).toEqual({ done: true, lines: n });
    expect(lines.slice(0, -1).map((line) => line.n)).toEqual(Array.from({ length: n }, (_, i) => i));
  });

  it('rule: it ends quietly when nobody reads what it prints', async () => {
    writeFileSync(logOf(gateway), entry(0));
    const tail = following(gateway, []);
    await tail.until('line 0');
    tail.child.stdout?.destroy();
    let n = 1;
    const writing = setInterval(() => appendFileSync(logOf(gateway), entry(n++)), 200);
    try {
      expect(await tail.ended).toBe(0);
    } finally {
      clearInterval(writing);
    }
  });
});

describe('rule: logs with no gateway running', () => {
  it('A6 they come from the files, and nothing is written; following goes on when a gateway comes back', async () => {
    const gateway = await start();
    try {
      const tail = following(gateway, ['--json', '--level', 'info']);
      await tail.until('"ready"');
      await gateway.halt();
      await tail.until('"stopping"');
      const before = files(gateway.stateDir);
      const log = readFileSync(logOf(gateway), 'utf8');
      const { code, stdout } = await gateway.cli(['logs', '--json', '--limit', '1']);
      expect(code).toBe(0);
      expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({ message: 'stopping' });
      expect(files(gateway.stateDir)).toEqual(before);
      expect(readFileSync(logOf(gateway), 'utf8')).toBe(log);
      const again = await start({ stateDir: gateway.stateDir });
      try {
        const ready = () => tail.lines().filter((line) => line.includes('"ready"')).length;
        for (let i = 0; i < 200 && ready() < 2; i += 1) await sleep(50);
        expect(ready()).toBe(2);
        tail.child.kill('SIGINT');
        expect(await tail.ended).toBe(0);
        expect(new Set(tail.lines()).size).toBe(tail.lines().length);
      } finally {
        await again.stop();
      }
    } finally {
      await gateway.stop();
    }
  });

  it('rule: where there is neither a gateway nor a log, it says so', async () => {
    const gateway = await start();
    try {
      await gateway.halt();
      writeFileSync(logOf(gateway), '');
      const { code, stderr } = await gateway.cli(['logs']);
      expect(code).toBe(75);
      expect(stderr).toMatch(/run: /);
    } finally {
      await gateway.stop();
    }
  });
});
