import { expect, test } from 'vitest';
import type { SessionState } from '../../core/conversation/session.ts';
import { type SessionPlace, StaleRevision } from '../store.ts';
import type { Held } from '../suite.ts';
import { NOON } from './sample.ts';
import { fullSession, said, session, sessionId, sessionKey, talk } from './talk.ts';

export function sessionRules(held: Held): void {
  const save = (state: SessionState, expected: number) => held.store.write((tx) => tx.sessions.save(state, expected));
  const load = (state: SessionState) => held.store.read((tx) => tx.sessions.load(state.key));

  test('S31 a session comes back as it was saved: every field, NUL and halves of surrogate pairs in its key too', async () => {
    const states = [session(1), fullSession(2), session(3, { settings: { queue: 'interrupt' } })];
    for (const state of states) await save(state, 0);
    for (const again of [false, true]) {
      if (again) await held.reopen();
      for (const state of states) expect(await load(state)).toStrictEqual(state);
    }
    const near = ['agent:main:place-', 'agent:main:PLACE-1', `${states[1]?.key.slice(0, 20)}`, ''];
    for (const key of near) expect(await load(session(9, { key: key as never })), key).toBeNull();
    // What is no Unicode must not be kept as another character: two places would be one.
    await save(session(4, { key: sessionKey('\ud800') }), 0);
    await save(session(5, { key: sessionKey('\ud801') }), 0);
    expect((await load(session(4, { key: sessionKey('\ud800') })))?.id).toBe(sessionId(4));
  });

  test('S32 a session is saved by comparing: a stale or unknown revision is refused and changes nothing', async () => {
    await save(session(1, { revision: 2 }), 0);
    const late = (revision: number) => session(1, { context: 99, revision });
    for (const expected of [0, 1, 3]) {
      await expect(save(late(4), expected), `${expected}`).rejects.toBeInstanceOf(StaleRevision);
    }
    await expect(save(session(2, { revision: 4 }), 3)).rejects.toBeInstanceOf(StaleRevision);
    for (const revision of [1, 2]) await expect(save(late(revision), 2)).rejects.toThrow(RangeError);
    await expect(save(session(3, { revision: 0 }), 0)).rejects.toThrow(RangeError);
    expect(await load(session(1))).toStrictEqual(session(1, { revision: 2 }));
    expect(await held.store.read((tx) => tx.sessions.count())).toBe(1);
    await save(late(3), 2);
    expect((await load(session(1)))?.context).toBe(99);
  });

  test('S32 what can not be is refused: counts that are no counts, more summed up than there is', async () => {
    const none = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
    const impossible: readonly Partial<SessionState>[] = [
      { context: 0.5 },
      { context: -1 },
      { compacted: 1 },
      { updatedAt: Number.NaN },
      { usage: { ...none, output: -1 } },
    ];
    for (const more of impossible) {
      await expect(save(session(1, more), 0), JSON.stringify(more)).rejects.toThrow(RangeError);
    }
    expect(await load(session(1))).toBeNull();
  });

  test('S11 nobody changes a session through an object that went in or came out', async () => {
    const mine = structuredClone(fullSession(1));
    await save(mine, 0);
    Object.assign(mine.settings, { label: 'changed' });
    const theirs = await load(mine);
    try {
      Object.assign(theirs?.usage ?? {}, { input: 99 });
    } catch {
      // A driver may also hand out what can't be changed.
    }
    expect(await load(mine)).toStrictEqual(fullSession(1));
  });

  listRules(held);
  resetRules(held);
}

function listRules(held: Held): void {
  test('S33 sessions are listed by their latest change, newest first, page by page, of all or of one agent', async () => {
    const at = (n: number, updatedAt: number, agent = 'main') =>
      session(n, { key: sessionKey(`p${n}`, agent), updatedAt });
    await held.store.write(async (tx) => {
      for (const s of [at(1, 5), at(2, 9, 'other'), at(3, 7), at(4, 7), at(5, 7, 'other'), at(6, -3)]) {
        await tx.sessions.save(s, 0);
      }
      await tx.sessions.save({ ...at(1, 8), revision: 2 }, 1);
    });
    await held.reopen();
    const list = async (limit: number, agent?: string, before?: SessionPlace) => {
      const filter = { limit, ...(agent === undefined ? {} : { agent }), ...(before === undefined ? {} : { before }) };
      return held.store.read((tx) => tx.sessions.list(filter));
    };
    const ids = (found: readonly SessionState[]) => found.map((s) => s.id).join(' ');
    expect(ids(await list(99))).toBe('s2 s1 s5 s4 s3 s6');
    expect(ids(await list(2))).toBe('s2 s1');
    expect(ids(await list(99, 'main'))).toBe('s1 s4 s3 s6');
    expect(ids(await list(99, 'other'))).toBe('s2 s5');
    expect(ids(await list(99, 'nobody'))).toBe('');
    expect(ids(await list(0))).toBe('');
    expect(ids(await list(99, 'main', at(4, 7)))).toBe('s3 s6');
    // Page by page nothing is lost or told twice, also where the page ends between equal instants.
    const pages: string[] = [];
    let page = await list(2);
    while (page.length > 0) {
      pages.push(ids(page));
      page = await list(2, undefined, page.at(-1));
    }
    expect(pages).toEqual(['s2 s1', 's5 s4', 's3 s6']);
    const counts = await held.store.read((tx) =>
      Promise.all([tx.sessions.count(), tx.sessions.count('other'), tx.sessions.count('nobody')]),
    );
    expect(counts).toEqual([6, 2, 0]);
  });
}

function resetRules(held: Held): void {
  const seqs = async (n: number) =>
    (await held.store.read((tx) => tx.sessions.rows(sessionId(n), 1, 99))).map((row) => row.seq);
  const keyOf = (n: number) => held.store.read((tx) => tx.sessions.keyOf(sessionId(n)));
  const place = sessionKey('place-1');

  /** Three conversations under one key, of which the last one stands: s1 was reset at +10, s2 at +20. Beside it s9. */
  const three = () =>
    held.store.write(async (tx) => {
      await talk(tx, session(1), 3);
      await talk(tx, session(9), 2);
      await tx.sessions.save(session(2, { key: place, updatedAt: NOON + 10, revision: 3 }), 2);
      await tx.sessions.append(sessionId(2), said(1));
      await tx.sessions.save(session(2, { key: place, updatedAt: NOON + 11, rows: 1, revision: 4 }), 3);
      await tx.sessions.save(session(3, { key: place, updatedAt: NOON + 20, revision: 5 }), 4);
      await tx.sessions.append(sessionId(3), said(1));
      await tx.sessions.save(session(3, { key: place, updatedAt: NOON + 21, rows: 1, revision: 6 }), 5);
    });

  test('S34 a reset begins another conversation under the key; the rows of the earlier ones stay', async () => {
    await three();
    await held.reopen();
    expect((await held.store.read((tx) => tx.sessions.load(place)))?.id).toBe(sessionId(3));
    expect([await keyOf(1), await keyOf(2), await keyOf(3), await keyOf(4)]).toEqual([place, place, place, null]);
    expect([await seqs(1), await seqs(2), await seqs(3)]).toEqual([[1, 2, 3], [1], [1]]);
    // A run that the reset ended may still write what it had.
    await held.store.write((tx) => tx.sessions.append(sessionId(1), said(4)));
    expect(await seqs(1)).toEqual([1, 2, 3, 4]);
  });

  test("S34 an earlier conversation, or another session's, is not begun again", async () => {
    await three();
    const save = (state: SessionState, expected: number) => held.store.write((tx) => tx.sessions.save(state, expected));
    const back = session(1, { key: place, rows: 3, revision: 7 });
    await expect(save(back, 6)).rejects.toThrow(RangeError);
    await expect(save(session(9, { key: place, rows: 2, revision: 7 }), 6)).rejects.toThrow(RangeError);
    await expect(save(session(9, { key: sessionKey('new'), rows: 2 }), 0)).rejects.toThrow(RangeError);
    expect([await keyOf(1), await keyOf(9)]).toEqual([place, sessionKey('place-9')]);
    expect((await held.store.read((tx) => tx.sessions.load(place)))?.id).toBe(sessionId(3));
  });

  test('S35 a dropped session is forgotten with its conversations and all their rows, and no other', async () => {
    await three();
    const drop = (expected: number) => held.store.write((tx) => tx.sessions.drop(place, expected));
    for (const stale of [0, 5, 7]) await expect(drop(stale)).rejects.toBeInstanceOf(StaleRevision);
    expect(await seqs(1)).toEqual([1, 2, 3]);
    await drop(6);
    await expect(drop(6)).rejects.toBeInstanceOf(StaleRevision);
    await held.reopen();
    expect(await held.store.read((tx) => tx.sessions.load(place))).toBeNull();
    for (const n of [1, 2, 3]) expect([await keyOf(n), await seqs(n)]).toEqual([null, []]);
    expect(await seqs(9)).toEqual([1, 2]);
    // The place and the name are free again, and nothing of before is in them.
    await held.store.write((tx) => talk(tx, session(1), 1));
    expect(await seqs(1)).toEqual([1]);
  });

  test('S35 conversations are forgotten that were reset before an instant, the oldest first, and no others', async () => {
    await three();
    const prune = (at: number, limit: number) => held.store.write((tx) => tx.sessions.prune(at, limit));
    expect([await prune(NOON + 10, 9), await prune(NOON + 21, 0)]).toEqual([0, 0]);
    expect(await prune(NOON + 21, 1)).toBe(1);
    expect([await keyOf(1), await seqs(1), await keyOf(2), await seqs(2)]).toEqual([null, [], place, [1]]);
    expect(await prune(NOON * 2, 9)).toBe(1);
    expect(await prune(NOON * 2, 9)).toBe(0);
    expect([await seqs(2), await seqs(3), await seqs(9)]).toEqual([[], [1], [1, 2]]);
    expect((await held.store.read((tx) => tx.sessions.load(place)))?.rows).toBe(1);
  });
}
