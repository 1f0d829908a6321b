import { expect, test } from 'vitest';
import type { Held } from '../suite.ts';
import { HARD } from './sample.ts';
import { BODIES, runId, said, session, sessionId, talk } from './talk.ts';

export function transcriptRules(held: Held): void {
  const id = sessionId(1);
  const rows = (from: number, limit: number) => held.store.read((tx) => tx.sessions.rows(id, from, limit));
  const seqs = async (found: ReturnType<typeof rows>) => (await found).map((row) => row.seq);

  test('S36 a row comes back as it was said, of every kind: NUL, all of Unicode, halves of surrogate pairs', async () => {
    const all = BODIES.map((body, i) => said(i + 1, { body, run: i % 2 === 0 ? null : runId(`${HARD}${i}`) }));
    await held.store.write(async (tx) => {
      await tx.sessions.save(session(1), 0);
      for (const row of all) await tx.sessions.append(id, row);
      await tx.sessions.save(session(1, { rows: all.length, compacted: 3, revision: 2 }), 1);
    });
    const whole = all.map((row) => ({ ...row, session: id }));
    for (const again of [false, true]) {
      if (again) await held.reopen();
      expect(await rows(1, 99)).toStrictEqual(whole);
      expect(await held.store.read((tx) => tx.sessions.tail(id, 99))).toStrictEqual(whole);
      expect((await held.store.read((tx) => tx.sessions.load(session(1).key)))?.compacted).toBe(3);
    }
  });

  test('S37 rows are numbered from 1 without a gap: whatever does not follow is refused and leaves nothing', async () => {
    await held.store.write((tx) => talk(tx, session(1), 2));
    const append = (seq: number, to = id) => held.store.write((tx) => tx.sessions.append(to, said(seq)));
    for (const seq of [-1, 0, 1, 2, 4, 2.5, Number.NaN])
      await expect(append(seq), `${seq}`).rejects.toThrow(RangeError);
    await expect(append(1, sessionId(2)), 'unknown').rejects.toThrow(RangeError);
    await held.store.write((tx) => tx.sessions.save(session(3), 0));
    await expect(append(2, sessionId(3)), 'the first one').rejects.toThrow(RangeError);
    expect(await seqs(rows(1, 99))).toEqual([1, 2]);
    // Refused alone: what stands beside it in the transaction stays, and the right one goes on from there.
    await held.store.write(async (tx) => {
      await tx.sessions.append(id, said(3));
      await expect(tx.sessions.append(id, said(3))).rejects.toThrow(RangeError);
      await tx.sessions.append(id, said(4));
      await tx.sessions.save(session(1, { rows: 4, revision: 3 }), 2);
    });
    expect(await seqs(rows(1, 99))).toEqual([1, 2, 3, 4]);
  });

  test('S37 two writers that judged by the same end: one row, and the other is refused', async () => {
    await held.store.write((tx) => talk(tx, session(1), 1));
    const one = (text: string) =>
      held.store.write(async (tx) => {
        const body = { kind: 'note', text, label: null } as const;
        await tx.sessions.append(id, said(2, { body }));
        await tx.sessions.save(session(1, { rows: 2, revision: 3 }), 2);
      });
    const both = await Promise.allSettled([one('first'), one('second')]);
    expect(both.map((b) => b.status)).toEqual(['fulfilled', 'rejected']);
    expect((await rows(2, 9)).map((row) => row.body.text)).toEqual(['first']);
  });

  test('S37 a session says how many rows there are: what says otherwise is refused', async () => {
    await held.store.write((tx) => talk(tx, session(1), 2));
    const save = (rowsSaid: number) =>
      held.store.write((tx) => tx.sessions.save(session(1, { rows: rowsSaid, revision: 3 }), 2));
    for (const wrong of [0, 1, 3]) await expect(save(wrong), `${wrong}`).rejects.toThrow(RangeError);
    await expect(held.store.write((tx) => tx.sessions.save(session(2, { rows: 1 }), 0))).rejects.toThrow(RangeError);
    await save(2);
    expect((await held.store.read((tx) => tx.sessions.load(session(1).key)))?.revision).toBe(3);
  });

  pageRules(held);
}

function pageRules(held: Held): void {
  const id = sessionId(1);
  const rows = (from: number, limit: number) => held.store.read((tx) => tx.sessions.rows(id, from, limit));
  const tail = (limit: number, before?: number) => held.store.read((tx) => tx.sessions.tail(id, limit, before));
  const seqs = async (found: ReturnType<typeof rows>) => (await found).map((row) => row.seq);

  test('S38 a page of a transcript: from a row on, or the last ones before one, oldest first', async () => {
    await held.store.write(async (tx) => {
      await talk(tx, session(1), 9);
      await talk(tx, session(2), 20);
    });
    await held.reopen();
    expect(await seqs(rows(1, 3))).toEqual([1, 2, 3]);
    expect(await seqs(rows(4, 3))).toEqual([4, 5, 6]);
    expect(await seqs(rows(8, 5))).toEqual([8, 9]);
    for (const from of [-5, 0]) expect(await seqs(rows(from, 2))).toEqual([1, 2]);
    for (const [from, limit] of [
      [10, 5],
      [1, 0],
      [1, -1],
    ] as const) {
      expect(await rows(from, limit)).toEqual([]);
    }
    expect(await seqs(tail(3))).toEqual([7, 8, 9]);
    expect(await seqs(tail(3, 9))).toEqual([6, 7, 8]);
    expect(await seqs(tail(9, 3))).toEqual([1, 2]);
    expect(await seqs(tail(2, 99))).toEqual([8, 9]);
    expect(await seqs(tail(99))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([await tail(5, 1), await tail(0), await tail(-1)]).toEqual([[], [], []]);
    expect(await held.store.read((tx) => tx.sessions.tail(sessionId(7), 5))).toEqual([]);
  });
}
