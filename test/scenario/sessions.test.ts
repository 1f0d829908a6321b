// What is kept, how it is told, and how it is taken out: on a real process.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, newStateDir, removeStateDir, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { type Peer, until } from '../partner/peer.ts';
import { ensure, gist, PAIRING, READ, session } from './act.ts';

const local = { enabled: false };
const ROWS = 2_000;
/** Multi-byte, halves of pairs joined, characters that break lines elsewhere, quotes. */
const textOf = (n: number) => `row ${n} – "é" 漢字 🌍\u2028 ${'ü'.repeat(n % 300)}`;
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into as it comes
type Any = any;
const linesOf = (text: string): Any[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('what is kept', () => {
  let gateway: Gateway;
  let owner: Peer;
  const directories: string[] = [];
  const newDirectory = () => {
    const directory = mkdtempSync(join(tmpdir(), 'latchkey-export-'));
    directories.push(directory);
    return directory;
  };
  beforeAll(async () => {
    gateway = await start({ config: { models: { local } } });
    owner = await gateway.owner();
    await fill('long', ROWS);
  });
  afterAll(async () => {
    await gateway?.stop();
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });

  const inject = (key: string, message: string) => owner.ask('chat.inject', { sessionKey: key, message });
  /** Several at once, in their order. */
  async function fill(key: string, count: number): Promise<void> {
    for (let from = 1; from <= count; from += 100) {
      const some = Array.from({ length: Math.min(100, count - from + 1) }, (_, i) => from + i);
      await Promise.all(some.map((n) => inject(key, textOf(n))));
    }
  }

  it('rule: a transcript of 2,000 rows comes out as it was said, to a file of its owner alone, and never over another', async () => {
    const directory = newDirectory();
    const out = join(directory, 'long.jsonl');
    const first = await gateway.cli(['sessions', 'export', 'long', '--out', out, '--json']);
    expect(first, first.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(first.stdout)).toMatchObject({ ok: true, file: out, rows: ROWS, key: 'agent:main:long' });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const [head, ...lines] = linesOf(readFileSync(out, 'utf8'));
    expect(head).toMatchObject({ type: 'session', version: 1, key: 'agent:main:long', droppedRows: 0 });
    expect(lines.at(-1)).toEqual({ type: 'end', rows: ROWS });
    expect(lines.slice(0, -1).map(({ seq, text }) => [seq, text])).toEqual(
      Array.from({ length: ROWS }, (_, i) => [i + 1, textOf(i + 1)]),
    );
    const before = readFileSync(out);
    const again = await gateway.cli(['sessions', 'export', 'long', '--out', out]);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/is there already\n {2}why: [^\n]+\n {2}run: latchkey [^\n]*--force\n/);
    expect(readFileSync(out).equals(before)).toBe(true);
    writeFileSync(out, 'other');
    expect((await gateway.cli(['sessions', 'export', 'long', '--out', out, '--force'])).code).toBe(0);
    expect(readFileSync(out).equals(before)).toBe(true);
    // Nothing half-made is left beside it.
    expect(readdirSync(directory)).toEqual(['long.jsonl']);
    // The same to standard output.
    const { stdout } = await gateway.cli(['sessions', 'export', 'long']);
    expect(linesOf(stdout)).toEqual(linesOf(before.toString('utf8')));
  });

  it('rule: an export that fails leaves no file; a session that is not there is said so', async () => {
    const directory = newDirectory();
    const out = join(directory, 'none.jsonl');
    writeFileSync(join(directory, 'file'), '');
    const { code, stderr } = await gateway.cli(['sessions', 'export', 'nosuch', '--out', out]);
    expect(code).toBe(1);
    expect(stderr).toContain('session_unknown');
    expect((await gateway.cli(['sessions', 'export', 'long', '--out', join(directory, 'no', 'x')])).code).toBe(1);
    const file = await gateway.cli(['sessions', 'export', 'long', '--out', join(directory, 'file', 'x')]);
    expect(file.stderr).toMatch(/can't write [^\n]+\n {2}why: [^\n]*ENOTDIR[^\n]*\n {2}run: ls -ld /);
    const dead = await gateway.cli(['--url', 'ws://127.0.0.1:1', 'sessions', 'export', 'long', '--out', out]);
    expect(dead.code).not.toBe(0);
    expect(dead.stderr).not.toContain("can't write");
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('rule: what is summed up is in it too, what came with messages is named by its digest and written beside it', async () => {
    const bytes = Buffer.from('what came with it: ünïcödé');
    const idempotencyKey = 'with-a-file';
    const attachments = [{ mimeType: 'text/plain', fileName: 'a.txt', content: bytes.toString('base64') }];
    const send = { sessionKey: 'files', message: `see ${'and see '.repeat(40)}`, idempotencyKey, attachments };
    await owner.ask('chat.send', send);
    await owner.ask('agent.wait', { runId: idempotencyKey, timeoutMs: 60_000 });
    for (const n of [1, 2, 3]) {
      const more = { sessionKey: 'files', message: `go on ${n} `.repeat(40), idempotencyKey: `more-${n}` };
      await owner.ask('chat.send', more);
      await owner.ask('agent.wait', { runId: more.idempotencyKey, timeoutMs: 60_000 });
    }
    expect(await owner.ask('sessions.compact', { key: 'files' })).toMatchObject({ compacted: true });
    const beside = join(newDirectory(), 'beside');
    const { code, stdout } = await gateway.cli(['sessions', 'export', 'files', '--attachments', beside]);
    expect(code).toBe(0);
    const rows = linesOf(stdout).filter(({ type }) => type === 'row');
    expect(rows.map(({ kind }) => kind)).toEqual([...Array(4).fill(['user', 'assistant']).flat(), 'summary']);
    expect(rows[0].attachments).toMatchObject([{ name: 'a.txt', bytes: bytes.length, sha256: sha256(bytes) }]);
    expect(readFileSync(join(beside, sha256(bytes))).equals(bytes)).toBe(true);
    expect(statSync(join(beside, sha256(bytes))).mode & 0o777).toBe(0o600);
    const markdown = await gateway.cli(['sessions', 'export', 'files', '--format', 'markdown']);
    expect(markdown.stdout).toMatch(/^# agent:main:files\n/);
    expect(markdown.stdout).toContain(`sha256 ${sha256(bytes)}`);
    expect(markdown.stdout).toMatch(/\n> see and see [\s\S]*\n---\n\n9 rows, whole\.\n$/);
  });

  it('rule: no secret comes out: neither the gateway’s own, nor what looks like one', async () => {
    await inject('secrets', `mine is ${gateway.token} and Bearer abcdefghijklmnop`);
    await inject('secrets', 'password: hunter22 and sk-abcdefghijklmnopqrstuvwxyz');
    const { stdout } = await gateway.cli(['sessions', 'export', 'secrets']);
    expect(stdout).toContain('[redacted]');
    for (const secret of [gateway.token, 'abcdefghijklmnop', 'hunter22']) expect(stdout).not.toContain(secret);
  });

  it('A1: whoever may read may take it out; who may not sees neither rows nor counts, and is answered', async () => {
    const [reader, pairer] = [newIdentity(), newIdentity()];
    await ensure(owner, reader, [READ]);
    await ensure(owner, pairer, [PAIRING]);
    const may = (await session(gateway, reader)).partner;
    const mayNot = (await session(gateway, pairer)).partner;
    expect(gist(await may.call('sessions.rows', { key: 'long' }))).toBe('ok');
    for (const method of ['sessions.rows', 'usage.cost', 'usage.status', 'status']) {
      expect(gist(await mayNot.call(method, { key: 'long' })), method).toBe('FORBIDDEN MISSING_SCOPE');
    }
    const seen = (await may.ask('health')) as Any;
    expect(seen.sessions.count).toBeGreaterThan(0);
    expect(seen.sessions.recent[0]).toEqual({
      key: expect.stringContaining('agent:main:'),
      updatedAt: expect.any(Number),
      age: expect.any(Number),
    });
    expect(await mayNot.ask('health')).toMatchObject({ ok: true, sessions: { count: 0, recent: [] } });
    may.end();
    mayNot.end();
  });

  it('rule: status tells how many sessions there are, and the newest, in the shapes that OpenClaw reads', async () => {
    const status = (await owner.ask('status')) as Any;
    const listed = (await owner.ask('sessions.list')) as Any;
    expect(status.sessions).toMatchObject({
      count: listed.count,
      byAgent: [{ agentId: 'main', count: listed.count }],
      defaults: { model: expect.any(String) },
    });
    expect(status.sessions.recent[0]).toMatchObject({ key: listed.sessions[0].key, kind: 'direct', flags: [] });
    const { stdout } = await gateway.cli(['status']);
    expect(stdout).toMatch(/\nagents {10}main\n/);
    expect(stdout).toMatch(new RegExp(`\\nsessions {8}${listed.count}, the last changed .*agent:main:`));
  });

  it('rule: the days of usage are the sum of the runs, and what has no price is said', async () => {
    for (const n of [1, 2]) {
      const key = `used-${n}`;
      await owner.ask('chat.send', { sessionKey: 'used', message: `/say ${n}`, idempotencyKey: key });
      await owner.ask('agent.wait', { runId: key, timeoutMs: 60_000 });
    }
    const cost = (await owner.ask('usage.cost', { days: 3 })) as Any;
    expect(cost.daily).toHaveLength(3);
    const sum = (name: string) => cost.daily.reduce((all: number, day: Any) => all + day[name], 0);
    for (const name of ['input', 'output', 'cacheRead', 'cacheWrite', 'totalTokens', 'runs', 'missingCostEntries']) {
      expect(sum(name), name).toBe(cost.totals[name]);
    }
    // Every session of this gateway is of today or yesterday, and each token of a session is of one of its runs.
    const sessions = (await owner.ask('sessions.usage')) as Any;
    expect(cost.totals.totalTokens).toBe(sessions.totals.totalTokens);
    expect(cost.totals).toMatchObject({ totalCost: 0 });
    expect(await owner.ask('usage.status')).toMatchObject({ providers: [] });
    const { code, stdout } = await gateway.cli(['usage', '--days', '3']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^DAY +RUNS +IN +OUT +CACHED +COST\n/);
    expect(stdout).toContain('The last 3 days');
    expect((await gateway.cli(['usage', '--days', '0'])).code).toBe(2);
  });

  it('rule: what is kept is configured while it runs: at once, and what is gone is told', async () => {
    for (const n of [1, 2, 3, 4]) await fill(`kept-${n}`, 3);
    await inject('main', 'the main one');
    for (const n of [5, 6]) await fill(`kept-${n}`, 30);
    const set = (key: string, value: string) => gateway.cli(['config', 'set', `session.maintenance.${key}`, value]);
    expect(await set('maxTranscriptRows', '10')).toMatchObject({ code: 0 });
    const rowOf = async (key: string) => ((await owner.ask('sessions.describe', { key })) as Any).session;
    await until('the rows are gone', async () => (await rowOf('kept-6'))?.droppedRows === 20, 20_000);
    await until('the other rows are gone', async () => (await rowOf('long'))?.droppedRows === ROWS - 10, 20_000);
    expect(await rowOf('kept-6')).toMatchObject({ rows: 30, droppedRows: 20 });
    const history = (await owner.ask('chat.history', { sessionKey: 'kept-6' })) as Any;
    expect(history.messages[0].__openclaw.seq).toBe(21);
    expect(history.hasMore).toBe(false);
    const exported = linesOf((await gateway.cli(['sessions', 'export', 'kept-6'])).stdout);
    expect([exported[0].droppedRows, exported.length]).toEqual([20, 12]);
    expect(await set('maxEntries', '3')).toMatchObject({ code: 0 });
    await until('sessions are gone', async () => ((await owner.ask('sessions.list')) as Any).count === 3, 20_000);
    const list = (await owner.ask('sessions.list')) as Any;
    expect(list.sessions.map((row: Any) => row.key).sort()).toEqual(
      ['main', 'kept-5', 'kept-6'].map((name) => `agent:main:${name}`).sort(),
    );
    expect(list.maintenance).toMatchObject({ maxEntries: 3, maxTranscriptRows: 10, last: { mode: 'enforce' } });
    expect((await gateway.cli(['sessions', 'list'])).stdout).toMatch(/\nForgotten by session\.maintenance, .*sessions/);
    const { stdout } = await gateway.cli(['logs', '--grep', 'what was not to be kept', '--json']);
    expect(stdout).toContain('agent:main:kept-1');
    expect((await set('maxEntries', '0')).code).not.toBe(0);
  });
});

describe('without a gateway', () => {
  it('A11: a transcript comes out of a state directory too, and nothing in it changes', async () => {
    const stateDir = newStateDir({ models: { local } });
    try {
      const own = await start({ stateDir });
      await own.cli(['agent', '-m', '/say hello there']);
      await own.halt();
      const { code, stdout } = await own.cli(['sessions', 'export', 'main']);
      expect(code).toBe(0);
      expect(linesOf(stdout).map(({ type, kind }) => kind ?? type)).toEqual(['session', 'user', 'assistant', 'end']);
      expect(JSON.parse((await own.cli(['usage', '--days', '2', '--json'])).stdout).totals.runs).toBe(1);
    } finally {
      removeStateDir(stateDir);
    }
  });
});
