// What it costs to read a conversation back: a client names the sessions, and others wrote what stands in them (threat 36).
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Row, RowBody } from '../../core/conversation/row.ts';
import type { SessionKey, SessionState } from '../../core/conversation/session.ts';
import type { Agent } from '../../runtime/runtime.ts';
import { history } from '../method/chat.ts';
import { rows } from '../method/export.ts';
import type { Context } from '../method/handler.ts';
import { list, preview } from '../method/sessions.ts';
import { messagesOf } from './message.ts';
import { short } from './page.ts';

const MEGA = 1024 * 1024;
const agent = { id: 'main', model: 'lab/one', contextWindow: null, isDefault: true, queue: 'steer' } as Agent;

/** Conversations of so many rows, each made when it is read. */
class Shelf {
  rows = 50;
  begun = 'c1';
  body: (seq: number) => RowBody = () => ({ kind: 'note', text: 'x'.repeat(MEGA), label: null });
  /** Rows that were read, in all and in the largest piece. */
  read = 0;
  largest = 0;

  readonly agents = async () => [agent];
  readonly waiting: { readonly text: string }[] = [];
  readonly open = () => this.waiting.map((ask, n) => ({ id: `r${n}`, ask, acceptedAt: n, startedAt: null }));
  readonly session = async (key: SessionKey) =>
    ({
      key,
      id: 'c1',
      agent: 'main',
      settings: {},
      usage: {},
      rows: this.rows,
      lastRun: null,
      updatedAt: 0,
    }) as unknown as SessionState;
  readonly sessions = async ({ limit }: { limit: number }) =>
    Promise.all(Array.from({ length: limit }, (_, n) => this.session(`agent:main:${n}` as SessionKey)));
  readonly tail = async (_key: SessionKey, limit: number, before = this.rows + 1) => {
    const end = Math.min(before - 1, this.rows);
    const first = Math.max(1, end - limit + 1);
    const rows = Array.from({ length: Math.max(0, end - first + 1) }, (_, n) => this.row(first + n));
    this.read += rows.length;
    this.largest = Math.max(this.largest, rows.length);
    return rows;
  };
  dropped = 0;
  readonly books = {
    ends: async () => new Map(),
    conversation: async (id: string) => ({
      id,
      key: 'agent:main:main',
      resetAt: null,
      bytes: 0,
      dropped: this.dropped,
    }),
    kept: () => ({ rules: {}, last: null }),
    rows: async (_id: string, from: number, limit: number) => {
      const first = Math.max(from, this.dropped + 1);
      const rows = Array.from({ length: Math.max(0, Math.min(limit, this.rows - first + 1)) }, (_, n) =>
        this.row(first + n),
      );
      this.read += rows.length;
      this.largest = Math.max(this.largest, rows.length);
      return rows;
    },
    clean: (text: string) => text.replace('hunter2', '[gone]'),
  };
  row(seq: number): Row {
    return { session: this.begun, seq, at: 0, run: null, body: this.body(seq) } as unknown as Row;
  }
}

let shelf: Shelf;
let served: number;
let ticking = true;
beforeEach(() => {
  [shelf, served, ticking] = [new Shelf(), 0, true];
  // Stands for others: a turn of the event loop is what they need.
  const tick = () => {
    served += 1;
    if (ticking) setImmediate(tick);
  };
  setImmediate(tick);
});
afterEach(() => {
  ticking = false;
});

function context(): Context {
  const services = { conversations: shelf, now: () => 0 };
  return { services, session: null, principal: { kind: 'secret', asked: null } } as unknown as Context;
}

test('threat 36 sessions.preview: a key that is named again is read once, and no further than shown', async () => {
  const keys = Array<string>(64).fill('main');
  const { previews } = await preview(context(), { keys, limit: 50 });
  expect(previews).toHaveLength(1);
  expect(previews[0]?.items.every(({ text }) => text === `${'x'.repeat(239)}…`)).toBe(true);
  expect(shelf.read).toBeLessThan(48);
});

test('threat 36 sessions.preview: what one call reads is bounded, of each session something is seen, others are served', async () => {
  const keys = Array.from({ length: 64 }, (_, n) => `s${n}`);
  const { previews } = await preview(context(), { keys, limit: 50 });
  expect(previews.map(({ key }) => key)).toEqual(keys);
  expect(previews.every(({ status, items }) => status === 'ok' && items.length > 0)).toBe(true);
  // Each its newest, and what the first was given more.
  expect(shelf.read).toBeLessThan(64 + 48);
  expect(served).toBeGreaterThanOrEqual(64);
});

test('rule: sessions.preview shows the last messages, oldest first, as many as are asked for', async () => {
  shelf.body = (seq) => ({
    kind: 'command',
    text: `/t ${seq}`,
    from: { kind: 'person', name: null },
    answer: `a ${seq}`,
  });
  const { previews } = await preview(context(), { keys: ['main'], limit: 5 });
  expect(previews[0]?.items.map(({ text }) => text)).toEqual(['a 48', '/t 49', 'a 49', '/t 50', 'a 50']);
  shelf.rows = 0;
  expect((await preview(context(), { keys: ['main', '\u0000'] })).previews.map(({ status }) => status)).toEqual([
    'empty',
    'missing',
  ]);
});

test('threat 36 sessions.list: titles and last words of a thousand sessions are read up to a bound', async () => {
  const asked = { limit: 999, includeDerivedTitles: true, includeLastMessage: true };
  const { sessions } = await list(context(), asked);
  expect(sessions).toHaveLength(999);
  expect(sessions[0]).toMatchObject({ derivedTitle: `${'x'.repeat(59)}…`, lastMessagePreview: `${'x'.repeat(239)}…` });
  expect(shelf.read).toBeLessThan(24);
  expect(shelf.largest).toBe(1);
  expect(served).toBeGreaterThanOrEqual(16);
});

test('rule: a title is the first that a person said, of the first rows; the last message is the last', async () => {
  const from = { kind: 'person', name: null } as const;
  shelf.body = (seq) =>
    seq === 2
      ? { kind: 'user', text: 'what I want', from, attachments: [] }
      : { kind: 'note', text: `n ${seq}`, label: null };
  const asked = { limit: 1, includeDerivedTitles: true, includeLastMessage: true };
  const titled = async () => (await list(context(), asked)).sessions[0];
  expect(await titled()).toMatchObject({ derivedTitle: 'what I want', lastMessagePreview: 'n 50' });
  shelf.body = (seq) => ({ kind: 'note', text: `n ${seq}`, label: null });
  expect((await titled())?.derivedTitle).toBe('n 1');
});

test('threat 36 chat.history: a thousand rows of a megabyte are read a few at a time, until one answer is full', async () => {
  shelf.rows = 1_000;
  const { messages, hasMore } = await history(context(), { sessionKey: 'main', limit: 1_000 });
  expect(messages.map(({ __openclaw }) => __openclaw.seq)).toEqual([996, 997, 998, 999, 1_000]);
  expect(hasMore).toBe(true);
  expect(shelf.read).toBeLessThan(16);
});

test('threat 36 A11 sessions.list: while the rows of a thousand sessions are made, others are served', async () => {
  expect((await list(context(), { limit: 1_000 })).sessions).toHaveLength(1_000);
  expect(served).toBeGreaterThanOrEqual(49);
});

test('threat 36 chat.history: fifty messages that wait are named, each with its beginning, and all are counted', async () => {
  shelf.waiting.push(...Array.from({ length: 50 }, () => ({ text: '\u0001'.repeat(MEGA) })));
  shelf.body = () => ({ kind: 'note', text: 'x', label: null });
  const page = await history(context(), { sessionKey: 'main', limit: 1 });
  const { items, total } = page.pendingInputs;
  expect([items.length, total]).toEqual([50, 50]);
  expect(items[0]).toEqual({ runId: 'r0', text: `${'\u0001'.repeat(239)}…`, acceptedAt: 0 });
  expect(JSON.stringify(page).length).toBeLessThan(100_000);
});

test('rule: a page of chat.history is what stood there before it was read in pieces, and never of two conversations', async () => {
  shelf.rows = 120;
  shelf.body = (seq) =>
    seq % 2 === 0
      ? { kind: 'note', text: `n ${seq}`, label: null }
      : { kind: 'command', text: '/t', from: { kind: 'person', name: null }, answer: `a ${seq}` };
  const asked = { sessionKey: 'main', limit: 90, before: 101 };
  const { messages } = await history(context(), asked);
  expect(messages).toEqual((await shelf.tail('x' as SessionKey, 90, 101)).flatMap(messagesOf));
  shelf.largest = 0;
  await history(context(), asked);
  expect(shelf.largest).toBe(16);
  const { tail } = shelf;
  const again = Object.assign(shelf, {
    tail: async (key: SessionKey, limit: number, before?: number) => {
      if (before !== undefined && before < 101) shelf.begun = 'c2';
      return tail(key, limit, before);
    },
  });
  expect(again.begun).toBe('c1');
  expect((await history(context(), asked)).messages.map(({ __openclaw }) => __openclaw.seq)).toEqual([100]);
});

test('threat 36: of a long text no more is folded than may be shown', () => {
  expect(short('  a \n\n b\t', 20)).toBe('a b');
  expect(short('x'.repeat(21), 20)).toBe(`${'x'.repeat(19)}…`);
  expect(short(`${' '.repeat(1_000)}late`, 20)).toBe('late');
  const { replace } = String.prototype;
  let longest = 0;
  // biome-ignore lint/suspicious/noExplicitAny: as it is declared
  String.prototype.replace = function (this: string, ...args: any) {
    longest = Math.max(longest, this.length);
    return Reflect.apply(replace, this, args);
  } as typeof replace;
  try {
    expect(short('y '.repeat(MEGA), 20)).toBe(`${'y '.repeat(20).slice(0, 19)}…`);
  } finally {
    String.prototype.replace = replace;
  }
  expect(longest).toBeLessThanOrEqual(80);
});

test('threat 36 sessions.rows: rows of a megabyte are read a few at a time, until one answer is full; the next goes on', async () => {
  shelf.rows = 1_000;
  const first = await rows(context(), { key: 'main', limit: 1_000 });
  expect(first.rows.map(({ seq }) => seq)).toEqual([1]);
  expect(first).toMatchObject({ next: 2, total: 1_000, sessionId: 'c1' });
  expect(shelf.read).toBeLessThanOrEqual(3);
  expect(served).toBeGreaterThan(0);
});

test('rule: sessions.rows goes through a conversation from its beginning, each row once, without secrets', async () => {
  shelf.rows = 230;
  shelf.dropped = 20;
  shelf.body = (seq) => ({ kind: 'note', text: `${seq} hunter2`, label: null });
  const seqs: number[] = [];
  let from: number | null = 1;
  while (from !== null) {
    const page: Awaited<ReturnType<typeof rows>> = await rows(context(), { key: 'main', from, limit: 100 });
    expect(JSON.stringify(page)).not.toContain('hunter2');
    expect(page).toMatchObject({ droppedRows: 20, total: 230 });
    seqs.push(...page.rows.map(({ seq }) => seq));
    from = page.next;
  }
  expect(seqs).toEqual(Array.from({ length: 210 }, (_, n) => n + 21));
  expect(await rows(context(), { key: 'main', from: 231 })).toMatchObject({ rows: [], next: null });
});
