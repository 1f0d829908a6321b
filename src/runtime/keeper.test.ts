import { describe, expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, type Stage, stage, until } from '../../test/talk.ts';
import { DAY_MS, HOUR_MS } from '../core/base/instant.ts';
import { type SessionKey, sessionKey } from '../core/conversation/session.ts';
import { openMemory } from '../store/memory/memory.ts';
import type { Store } from '../store/store.ts';
import { startsOf } from './books.ts';
import { messagesOf } from './context.ts';
import type { Retention } from './runtime.ts';
import { Transcript } from './transcript.ts';

const at = (n: number) => sessionKey(`s${n}`, 'main') as SessionKey;
const OWNER = { kind: 'owner' } as const;
const FILE = (text: string) => ({
  name: 'a.txt',
  mediaType: 'text/plain',
  base64: Buffer.from(text).toString('base64'),
});

const notes = async ({ talk }: Stage, key: SessionKey, count: number, text = 'said') => {
  for (let n = 1; n <= count; n += 1) await talk.inject(key, OWNER, `${text} ${n}`, null);
};
const keys = async ({ talk }: Stage) => (await talk.sessions({ limit: 100 })).map(({ key }) => key).sort();
const seqs = async ({ talk }: Stage, key: SessionKey) => (await talk.tail(key, 1_000)).map(({ seq }) => seq);

describe('rule: what is kept', () => {
  test('rule: with nothing configured no session is ever forgotten, however old and however many', async () => {
    const s = await stage();
    for (const n of [1, 2, 3]) await notes(s, at(n), 2);
    s.clock.advance(5_000 * DAY_MS);
    await s.talk.prune();
    expect(await keys(s)).toEqual([at(1), at(2), at(3)]);
    expect(s.talk.books.kept().last).toBe(null);
  });

  test('rule: an idle session is forgotten once that is configured: never the main one, nor one that is at work', async () => {
    const held = gate();
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = {};
    const s = await stage({ model: new ScriptedModel(() => ({ text: 'well', hold: held.open })), retention });
    await notes(s, MAIN, 1);
    await notes(s, at(1), 1);
    await s.send('r2', 'hello', { key: at(2) });
    s.clock.advance(10 * DAY_MS);
    await notes(s, at(3), 1);
    retention.idleMs = 5 * DAY_MS;
    await s.talk.prune();
    expect(await keys(s)).toEqual([MAIN, at(2), at(3)]);
    expect(s.events.findLast(({ kind }) => kind === 'session')).toMatchObject({ key: at(1), reason: 'delete' });
    expect(s.notes.at(-1)).toMatchObject({ sessions: 1, keys: [at(1)] });
    expect(s.talk.books.kept().last).toMatchObject({ mode: 'enforce', sessions: 1 });
    held.let();
    await s.ended('r2');
  });

  test('rule: beyond the number of sessions the longest unchanged go; with warn none, and the log says which would', async () => {
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = { entries: 3, mode: 'warn' };
    const s = await stage({ retention });
    for (const n of [4, 2, 5, 1, 3]) {
      await notes(s, at(n), 1);
      s.clock.advance(1_000);
    }
    await s.talk.prune();
    expect(await keys(s)).toHaveLength(5);
    expect(s.notes.at(-1)).toMatchObject({ event: 'more is kept than is configured', keys: [at(4), at(2)] });
    retention.mode = 'enforce';
    await s.talk.prune();
    expect(await keys(s)).toEqual([at(1), at(3), at(5)]);
    const said = s.notes.length;
    await s.talk.prune();
    expect(s.notes).toHaveLength(said);
  });

  test('rule: beyond the size conversations that were reset go first, then the longest unchanged sessions', async () => {
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = {};
    const s = await stage({ retention });
    const large = 'x'.repeat(1_000);
    await notes(s, at(1), 3, large);
    await notes(s, at(2), 3, large);
    s.clock.advance(1_000);
    for (const n of [1, 2]) {
      await s.talk.reset(at(n), OWNER);
      await notes(s, at(n), 3, large);
      s.clock.advance(1_000);
    }
    await notes(s, at(3), 3, large);
    const size = await s.store.read((tx) => tx.sessions.bytes('main'));
    retention.bytes = Math.ceil((size * 4) / 5);
    await s.talk.prune();
    // All are of one size: the first one that was reset is enough, and nothing that stands had to go.
    expect(s.talk.books.kept().last).toMatchObject({ conversations: 1, sessions: 0 });
    expect(await s.store.read((tx) => tx.sessions.resets({ agent: 'main', limit: 9 }))).toMatchObject([{ key: at(2) }]);
    expect(await keys(s)).toEqual([at(1), at(2), at(3)]);
    retention.bytes = Math.ceil(size / 5);
    await s.talk.prune();
    expect(s.talk.books.kept().last).toMatchObject({ conversations: 1, sessions: 2 });
    expect(await keys(s)).toEqual([at(3)]);
  });

  test('rule: a conversation that is too long loses its oldest rows, and goes on: numbers, pages, the model', async () => {
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = { rows: 10 };
    const model = new ScriptedModel();
    const s = await stage({ retention, model });
    for (let n = 1; n <= 12; n += 1) {
      await s.send(`r${n}`, `message ${n}`);
      await s.ended(`r${n}`);
    }
    await notes(s, at(1), 9);
    await s.talk.prune();
    expect(await seqs(s, MAIN)).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    expect(await seqs(s, at(1))).toHaveLength(9);
    expect((await s.talk.session(MAIN))?.rows).toBe(24);
    const id = (await s.talk.session(MAIN))?.id ?? ('' as never);
    expect(await s.talk.books.conversation(id)).toMatchObject({ dropped: 14 });
    expect(s.talk.books.kept().last).toMatchObject({ rows: 14 });
    await s.send('next', 'and now?');
    await s.ended('next');
    const told = JSON.stringify(model.steps.at(-1)?.messages);
    expect(told).toContain('message 8');
    expect(told).not.toContain('message 7"');
    // What changes later is looked at again.
    await notes(s, at(1), 9);
    await s.talk.prune();
    expect(await seqs(s, at(1))).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    expect(await seqs(s, MAIN)).toHaveLength(10);
  });

  test('rule: a long conversation of which the first rows are gone is read once, page by page', async () => {
    const s = await stage({ retention: { rows: 600 } });
    await notes(s, at(1), 620);
    await s.talk.prune();
    const transcript = new Transcript(s.store, at(1));
    await transcript.read();
    expect(transcript.rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 600 }, (_, n) => n + 21));
  });

  test('rule: a session that changes while it is about to be forgotten is kept', async () => {
    const disk = openMemory();
    let meanwhile = async () => {};
    const store: Store = {
      describe: 'slow',
      close: () => disk.close(),
      write: (work) => disk.write(work),
      read: async (work) => {
        const found = await disk.read(work);
        // When it has just been found to be the oldest.
        const isList = Array.isArray(found) && (found[0] as { key?: string } | undefined)?.key === at(1);
        if (isList) await meanwhile();
        return found;
      },
    };
    const s = await stage({ store, retention: { entries: 1 } });
    for (const n of [1, 2]) {
      await notes(s, at(n), 1);
      s.clock.advance(1_000);
    }
    meanwhile = async () => {
      meanwhile = async () => {};
      await notes(s, at(1), 1, 'later');
    };
    await s.talk.prune();
    expect(await keys(s)).toEqual([at(1)]);
    expect(await seqs(s, at(1))).toEqual([1, 2]);
  });

  test('rule: a conversation that is too large loses rows until it fits, and does not begin with the result of a call', async () => {
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = {};
    const model = new ScriptedModel((_, nth) => (nth % 2 === 1 ? { text: 'I look', call: 'look' } : 'seen'));
    const s = await stage({ retention, model });
    for (let n = 1; n <= 4; n += 1) {
      await s.send(`r${n}`, `message ${n} ${'é'.repeat(200)}`);
      await s.ended(`r${n}`);
    }
    const kinds = (await s.rows()).map(({ body }) => body.kind);
    expect(kinds.slice(0, 4)).toEqual(['user', 'assistant', 'tool', 'assistant']);
    const size = await s.store.read((tx) => tx.sessions.bytes('main'));
    // Just what the first two rows take: what follows them is a result.
    const first = (await s.rows())
      .slice(0, 2)
      .reduce((sum, row) => sum + Buffer.byteLength(JSON.stringify(row.body)), 0);
    retention.rowBytes = size - first;
    await s.talk.prune();
    const left = await s.rows();
    expect([left[0]?.seq, left[0]?.body.kind]).toEqual([4, 'assistant']);
    const shown = {
      said: new Map(),
      content: () => null,
      input: null,
      mark: (place: string) => place,
      textMax: 10_000,
    };
    expect(messagesOf(left, 0, shown)[0]?.role).toBe('user');
  });

  test('rule: beyond their bound attachments of reset conversations go first, then of those that stand; rows stay', async () => {
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = {};
    const s = await stage({ retention });
    const say = async (n: number, key: SessionKey) => {
      await s.send(`r${n}`, 'see', { key, enclosures: [FILE(`${n} ${'x'.repeat(3_000)}`)] });
      await s.ended(`r${n}`);
      s.clock.advance(1_000);
    };
    await say(1, at(1));
    await say(2, at(2));
    await s.talk.reset(at(2), OWNER);
    await say(3, at(2));
    expect(s.contents.sessions()).toHaveLength(3);
    retention.attachmentBytes = 9_000;
    await s.talk.prune();
    expect(s.talk.books.kept().last).toMatchObject({ attachments: 1, sessions: 0 });
    const standing = [await s.talk.session(at(1)), await s.talk.session(at(2))].map((one) => one?.id);
    expect([...s.contents.sessions()].sort()).toEqual([...standing].sort());
    retention.attachmentBytes = 5_000;
    await s.talk.prune();
    expect(s.contents.sessions()).toEqual([standing[1]]);
    expect((await s.rows(at(1))).at(0)?.body).toMatchObject({ attachments: [{ name: 'a.txt' }] });
  });

  test('rule: with false nothing ends by age, neither runs nor conversations that were reset', async () => {
    const s = await stage({ retention: { runsMs: null, resetsMs: null } });
    await s.send('r1', 'hello');
    await s.ended('r1');
    const id = (await s.talk.session(MAIN))?.id ?? ('' as never);
    await s.talk.reset(MAIN, OWNER);
    s.clock.advance(5_000 * DAY_MS);
    await s.talk.prune();
    expect(await s.talk.books.rows(id, 1, 9)).toHaveLength(2);
    expect(await s.talk.wait('r1' as never, 0)).not.toBeNull();
  });
});

describe('rule: what was used', () => {
  test('rule: days are those of the zone, also where one has 23 or 25 hours', async () => {
    const hours = (at: string, zone: string) => {
      const starts = startsOf(Date.parse(at), 4, zone);
      return starts.slice(1).map((start, i) => ((starts[i] ?? 0) - start) / HOUR_MS);
    };
    expect(hours('2026-10-26T12:00:00Z', 'Europe/Berlin')).toEqual([25, 24, 24]);
    expect(hours('2026-03-30T12:00:00Z', 'Europe/Berlin')).toEqual([23, 24, 24]);
    expect(hours('2026-11-21T12:00:00Z', 'Asia/Kathmandu')).toEqual([24, 24, 24]);
    expect(new Date(startsOf(Date.parse('2026-11-21T12:00:00Z'), 1, 'Asia/Kathmandu')[0] ?? 0).toISOString()).toBe(
      '2026-11-20T18:15:00.000Z',
    );
  });

  test('rule: each day holds what its runs took, and a day of which runs may be forgotten says so', async () => {
    const retention: { -readonly [K in keyof Retention]?: Retention[K] } = {};
    const held = gate();
    const model = new ScriptedModel((_, nth) => (nth === 4 ? { text: 'well', hold: held.open } : 'fine'));
    const s = await stage({ retention, model, facts: { price: null } });
    for (const n of [1, 2, 3]) {
      await s.send(`r${n}`, 'hello', { key: at(n) });
      await s.ended(`r${n}`);
      if (n === 2) s.clock.advance(DAY_MS);
    }
    const { days, zone } = await s.talk.books.days({ days: 3 });
    expect(zone).toBe('Europe/Berlin');
    expect(days.map(({ runs }) => runs)).toEqual([0, 2, 1]);
    // What the scripted model counts: input without what was cached.
    expect(days[1]?.usage).toEqual({ input: 14, output: 10, cacheRead: 8, cacheWrite: 2 });
    expect(days[2]).toMatchObject({ unpriced: 1, costMicros: 0, isWhole: true });
    expect((await s.talk.books.days({ days: 3, agent: 'nobody' })).days.map(({ runs }) => runs)).toEqual([0, 0, 0]);
    retention.runsMs = DAY_MS;
    expect((await s.talk.books.days({ days: 3 })).days.map(({ isWhole }) => isWhole)).toEqual([false, false, true]);
    await s.send('r4', 'hello', { key: at(4) });
    await until(() => model.holding === 1);
    expect((await s.talk.books.days({ days: 1 })).days[0]?.runs).toBe(2);
    held.let();
    await s.ended('r4');
  });
});
