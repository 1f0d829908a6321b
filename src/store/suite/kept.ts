import { expect, test } from 'vitest';
import type { SessionState } from '../../core/conversation/session.ts';
import type { SessionPlace } from '../store.ts';
import type { Held } from '../suite.ts';
import { byCode, byDevice, HARD, NOON, OWNER } from './sample.ts';
import { ended, run, said, session, sessionId, sessionKey, talk } from './talk.ts';

const bytesOf = (seqs: readonly number[]) =>
  seqs.reduce((sum, seq) => sum + Buffer.byteLength(JSON.stringify(said(seq).body)), 0);

const reader = (held: Held) => ({
  conversation: (n: number) => held.store.read((tx) => tx.sessions.conversation(sessionId(n))),
  seqs: async (n: number, from = 1, limit = 99) =>
    (await held.store.read((tx) => tx.sessions.rows(sessionId(n), from, limit))).map((row) => row.seq),
  tail: async (n: number, limit: number, before?: number) =>
    (await held.store.read((tx) => tx.sessions.tail(sessionId(n), limit, before))).map((row) => row.seq),
});

export function keptRules(held: Held): void {
  const { conversation } = reader(held);

  test('S45 a conversation tells whose it is, when it was reset, and how large its rows are: in bytes, not characters', async () => {
    const body = { kind: 'note', text: `${HARD} ü 🌍`, label: null } as const;
    await held.store.write(async (tx) => {
      await talk(tx, session(1), 2);
      await tx.sessions.append(sessionId(1), said(3, { body }));
      await tx.sessions.save(session(1, { rows: 3, revision: 3 }), 2);
      await tx.sessions.save(session(2, { key: sessionKey('place-1'), updatedAt: NOON + 9, revision: 4 }), 3);
      await talk(tx, session(3, { key: sessionKey('other', 'else') }), 1);
    });
    await held.reopen();
    const bytes = bytesOf([1, 2]) + Buffer.byteLength(JSON.stringify(body));
    const key = sessionKey('place-1');
    expect(await conversation(1)).toStrictEqual({ id: 's1', key, resetAt: NOON + 9, bytes, dropped: 0 });
    expect(await conversation(2)).toStrictEqual({ id: 's2', key, resetAt: null, bytes: 0, dropped: 0 });
    expect(await conversation(4)).toBeNull();
    const sums = await held.store.read((tx) =>
      Promise.all(['main', 'else', 'nobody'].map((agent) => tx.sessions.bytes(agent))),
    );
    expect(sums).toEqual([bytes, bytesOf([1]), 0]);
  });

  test('S45 the earlier conversations of a key are told, the newest reset first, and those of no other', async () => {
    const key = sessionKey('place-1');
    await held.store.write(async (tx) => {
      await talk(tx, session(1), 1);
      await tx.sessions.save(session(2, { key, updatedAt: NOON + 5, revision: 3 }), 2);
      await tx.sessions.save(session(3, { key, updatedAt: NOON + 9, revision: 4 }), 3);
      await talk(tx, session(4, { key: sessionKey('place-4') }), 1);
      await tx.sessions.save(session(5, { key: sessionKey('place-4'), updatedAt: NOON + 7, revision: 3 }), 2);
    });
    await held.reopen();
    const earlier = (limit: number, of = key) => held.store.read((tx) => tx.sessions.earlier(of, limit));
    expect(await earlier(9)).toStrictEqual([await conversation(2), await conversation(1)]);
    expect((await earlier(1)).map(({ id, resetAt }) => [id, resetAt])).toEqual([['s2', NOON + 9]]);
    expect([await earlier(0), await earlier(9, sessionKey('nowhere'))]).toEqual([[], []]);
  });

  cutRules(held);
  forgottenRules(held);
  oldestRules(held);
  begunRules(held);
  usedRules(held);
}

function cutRules(held: Held): void {
  const { conversation, seqs, tail } = reader(held);
  const cut = (n: number, through: number) => held.store.write((tx) => tx.sessions.cut(sessionId(n), through));

  test('S46 the first rows are taken away: the others keep their numbers, and pages begin with the first that is left', async () => {
    await held.store.write(async (tx) => {
      await talk(tx, session(1), 9);
      await talk(tx, session(2), 3);
    });
    for (const through of [9, 10]) await expect(cut(1, through)).rejects.toThrow(RangeError);
    await expect(cut(7, 1)).rejects.toThrow(RangeError);
    expect([await cut(1, 0), await cut(1, 4), await cut(1, 4), await cut(1, 3)]).toEqual([0, 4, 0, 0]);
    await held.reopen();
    expect([await seqs(1), await seqs(1, 3, 2), await seqs(1, 6, 2), await seqs(2)]).toEqual([
      [5, 6, 7, 8, 9],
      [5, 6],
      [6, 7],
      [1, 2, 3],
    ]);
    expect([
      await tail(1, 99),
      await tail(1, 2),
      await tail(1, 3, 7),
      await tail(1, 3, 5),
      await tail(1, 9, 2),
    ]).toEqual([[5, 6, 7, 8, 9], [8, 9], [5, 6], [], []]);
    expect(await conversation(1)).toMatchObject({ dropped: 4, bytes: bytesOf([5, 6, 7, 8, 9]) });
    // What comes goes on behind the last one, and the session's count is the number of its last row as before.
    await held.store.write(async (tx) => {
      await tx.sessions.append(sessionId(1), said(10));
      await tx.sessions.save(session(1, { rows: 10, revision: 3 }), 2);
    });
    expect(await seqs(1)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(await cut(1, 9)).toBe(5);
    expect(await conversation(1)).toMatchObject({ dropped: 9, bytes: bytesOf([10]) });
  });
}

function forgottenRules(held: Held): void {
  const { conversation, seqs } = reader(held);

  test('S47 a conversation that was reset can be forgotten by itself; one that stands can not', async () => {
    await held.store.write(async (tx) => {
      await talk(tx, session(1), 2);
      await tx.sessions.save(session(2, { key: sessionKey('place-1'), updatedAt: NOON + 9, revision: 3 }), 2);
    });
    const forget = (n: number) => held.store.write((tx) => tx.sessions.forget(sessionId(n)));
    for (const n of [2, 7]) await expect(forget(n)).rejects.toThrow(RangeError);
    await forget(1);
    await expect(forget(1)).rejects.toThrow(RangeError);
    expect([await conversation(1), await seqs(1)]).toEqual([null, []]);
    expect((await held.store.read((tx) => tx.sessions.load(sessionKey('place-1'))))?.id).toBe(sessionId(2));
  });
}

function oldestRules(held: Held): void {
  test('S48 the longest unchanged sessions of an agent come first, page by page; reset conversations by their reset', async () => {
    const at = (n: number, updatedAt: number, agent = 'main') =>
      session(n, { key: sessionKey(`p${n}`, agent), updatedAt });
    await held.store.write(async (tx) => {
      for (const s of [at(1, 5), at(2, 9, 'other'), at(3, 7), at(4, 7), at(5, 2, 'other'), at(6, -3)]) {
        await tx.sessions.save(s, 0);
      }
      // Two that are reset, the later one first.
      await tx.sessions.save({ ...at(9, 30), key: sessionKey('p3'), revision: 2 }, 1);
      await tx.sessions.save({ ...at(8, 20), key: sessionKey('p6'), revision: 2 }, 1);
    });
    const ids = (found: readonly { readonly id: string }[]) => found.map((s) => s.id).join(' ');
    const oldest = (before: number, limit: number, after?: SessionPlace) =>
      held.store.read((tx) =>
        tx.sessions.oldest({ agent: 'main', before, limit, ...(after === undefined ? {} : { after }) }),
      );
    expect(ids(await oldest(99, 99))).toBe('s1 s4 s8 s9');
    expect(ids(await oldest(20, 99))).toBe('s1 s4');
    expect(ids(await oldest(99, 0))).toBe('');
    const pages: string[] = [];
    let page: readonly SessionState[] = await oldest(99, 3);
    while (page.length > 0) {
      pages.push(ids(page));
      page = await oldest(99, 3, page.at(-1));
    }
    expect(pages).toEqual(['s1 s4 s8', 's9']);
    const resets = (agent: string, limit: number) => held.store.read((tx) => tx.sessions.resets({ agent, limit }));
    expect([ids(await resets('main', 9)), ids(await resets('main', 1)), ids(await resets('other', 9))]).toEqual([
      's6 s3',
      's6',
      '',
    ]);
    expect(await held.store.read((tx) => tx.sessions.agents())).toEqual(['main', 'other']);
  });
}

function begunRules(held: Held): void {
  test('S49 by whom sessions were begun since an instant, one for each that there still is', async () => {
    const by = (n: number, createdAt: number, giver: SessionState['giver']) => session(n, { createdAt, giver });
    const code = byCode(byDevice(4));
    await held.store.write(async (tx) => {
      for (const s of [
        by(1, NOON - 1, OWNER),
        by(2, NOON, byDevice(1)),
        by(3, NOON + 1, byDevice(1)),
        by(4, NOON, code),
      ]) {
        await tx.sessions.save(s, 0);
      }
      await tx.sessions.save(by(5, NOON + 2, OWNER), 0);
      await tx.sessions.drop(session(5).key, 1);
    });
    await held.reopen();
    const since = (at: number) => held.store.read((tx) => tx.sessions.begunSince(at));
    const found = await since(NOON);
    expect(found).toHaveLength(3);
    expect(found).toEqual(expect.arrayContaining([byDevice(1), byDevice(1), code]));
    expect(await since(NOON + 1)).toEqual([byDevice(1)]);
    expect(await since(NOON + 2)).toEqual([]);
  });

  test('S49 a session that was reset since counts once for each reset, those of before for none', async () => {
    const reset = (id: number, createdAt: number) =>
      session(id, { key: session(1).key, createdAt, updatedAt: createdAt, giver: byDevice(1), revision: id });
    await held.store.write(async (tx) => {
      await tx.sessions.save(session(1, { createdAt: NOON - 9, giver: OWNER }), 0);
      for (const [id, at] of [NOON - 1, NOON, NOON + 1, NOON + 2].entries()) {
        await tx.sessions.save(reset(id + 2, at), id + 1);
      }
    });
    await held.reopen();
    const since = (at: number) => held.store.read((tx) => tx.sessions.begunSince(at));
    expect(await since(NOON)).toEqual([byDevice(1), byDevice(1), byDevice(1)]);
    expect(await since(NOON + 2)).toEqual([byDevice(1)]);
    expect(await since(NOON + 3)).toEqual([]);
  });
}

function usedRules(held: Held): void {
  test('S50 what the runs of an agent took within a time, by kind of token; what has no price is counted, not guessed', async () => {
    const use = (input: number, output: number, cacheRead = 0, cacheWrite = 0) => ({
      usage: { input, output, cacheRead, cacheWrite },
    });
    const used = (agent: string, from: number, to: number | null) =>
      held.store.read((tx) => tx.runs.used(agent, from, to));
    const none = {
      runs: 0,
      usage: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      costMicros: 0,
      unpriced: 0,
      idle: 0,
    };
    expect(await used('main', 0, null)).toStrictEqual(none);
    await held.store.write(async (tx) => {
      await tx.runs.save(ended('before', NOON - 1, { ...use(9, 9), costMicros: 9 }), 0);
      await tx.runs.save(ended('first', NOON, { ...use(1, 20, 300, 4_000), costMicros: 7 }), 0);
      await tx.runs.save(ended('unpriced', NOON + 1, { ...use(5, 0), costMicros: null }), 0);
      await tx.runs.save(ended('nothing', NOON + 1, { ...use(0, 0), costMicros: null }), 0);
      await tx.runs.save(ended('next', NOON + 10, { ...use(0, 0, 0, 2 ** 40), costMicros: 80 }), 0);
      await tx.runs.save(run('open', { ...use(3, 0), costMicros: 2 }), 0);
      await tx.runs.save(ended('other', NOON, { ...use(8, 8), key: sessionKey('main', 'other'), costMicros: 1 }), 0);
    });
    await held.reopen();
    expect(await used('main', NOON, NOON + 10)).toStrictEqual({
      runs: 3,
      usage: { input: 6, output: 20, cacheRead: 300, cacheWrite: 4_000 },
      costMicros: 7,
      unpriced: 1,
      idle: 1,
    });
    expect(await used('main', NOON + 10, null)).toStrictEqual({
      runs: 2,
      usage: { input: 3, output: 0, cacheRead: 0, cacheWrite: 2 ** 40 },
      costMicros: 82,
      unpriced: 0,
      idle: 0,
    });
    expect(await used('nobody', 0, null)).toStrictEqual(none);
    expect(await held.store.read((tx) => tx.runs.agents())).toEqual(['main', 'other']);
  });
}
