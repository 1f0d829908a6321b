import { expect, test } from 'vitest';
import type { RunEnd, RunState } from '../../core/conversation/run.ts';
import { StaleRevision } from '../store.ts';
import type { Held } from '../suite.ts';
import { HARD, NOON } from './sample.ts';
import { ended, fullRun, run, runId, sessionKey } from './talk.ts';

export function runRules(held: Held): void {
  const save = (state: RunState, expected: number) => held.store.write((tx) => tx.runs.save(state, expected));
  const load = (id: string) => held.store.read((tx) => tx.runs.load(runId(id)));

  test('S39 a run comes back as it was saved, however it ended', async () => {
    const ends: readonly RunEnd[] = [
      { kind: 'ok' },
      { kind: 'joined', into: runId(HARD) },
      { kind: 'aborted' },
      { kind: 'interrupted' },
      { kind: 'error', code: HARD, text: HARD },
      { kind: 'error', code: HARD, text: HARD, remedy: HARD },
    ];
    const runs = [null, ...ends].map((end, i) => fullRun(`${HARD}${i}`, end));
    for (const state of [...runs, run('plain')]) await save(state, 0);
    await held.reopen();
    for (const state of [...runs, run('plain')]) expect(await load(state.id)).toStrictEqual(state);
    for (const near of ['', 'Plain', 'plain ', HARD, 'plain\0']) expect(await load(near), near).toBeNull();
  });

  test('S40 the id of a run means one run for good: what is taken, or was judged by an older revision, is refused', async () => {
    const both = await Promise.allSettled([save(run('a'), 0), save(run('a', { fingerprint: 'other' }), 0)]);
    expect(both.map((b) => b.status)).toEqual(['fulfilled', 'rejected']);
    await expect(save(run('a', { revision: 9 }), 0)).rejects.toBeInstanceOf(StaleRevision);
    for (const expected of [2, 3]) {
      await expect(save(run('a', { revision: 9 }), expected)).rejects.toBeInstanceOf(StaleRevision);
    }
    await expect(save(run('b', { revision: 2 }), 1)).rejects.toBeInstanceOf(StaleRevision);
    await expect(save(run('a'), 1)).rejects.toThrow(RangeError);
    expect(await load('a')).toStrictEqual(run('a'));
    await save(ended('a', NOON + 1, { revision: 2 }), 1);
    await held.reopen();
    expect(await load('a')).toStrictEqual(ended('a', NOON + 1, { revision: 2 }));
    await expect(save(run('a', { revision: 3 }), 0)).rejects.toBeInstanceOf(StaleRevision);
  });

  test('S40 what can not be is refused: an end without its instant, a price or a count that is no whole number', async () => {
    const impossible: readonly Partial<RunState>[] = [
      { endedAt: NOON },
      { end: { kind: 'ok' } },
      { costMicros: 0.5 },
      { costMicros: -1 },
      { acceptedAt: 0.5 },
      { usage: { input: Number.NaN, output: 0, cacheRead: 0, cacheWrite: 0 } },
    ];
    for (const more of impossible) {
      await expect(save(run('a', more), 0), JSON.stringify(more)).rejects.toThrow(RangeError);
    }
    expect(await load('a')).toBeNull();
  });

  test('S11 nobody changes a run through an object that went in or came out', async () => {
    const mine = structuredClone(fullRun('a', { kind: 'ok' }));
    await save(mine, 0);
    Object.assign(mine.ask, { text: 'changed' });
    const theirs = await load('a');
    try {
      Object.assign(theirs?.ask.from ?? {}, { name: 'changed' });
    } catch {
      // A driver may also hand out what can't be changed.
    }
    expect(await load('a')).toStrictEqual(fullRun('a', { kind: 'ok' }));
  });

  orderRules(held);
  spentRules(held);
  sayingRules(held);
}

const names = (runs: readonly RunState[]) => runs.map((r) => r.id).join(' ');

function orderRules(held: Held): void {
  const save = (state: RunState, expected: number) => held.store.write((tx) => tx.runs.save(state, expected));

  test('S39 how runs ended is told by itself: of those that have, and are known', async () => {
    const ends: readonly RunEnd[] = [{ kind: 'aborted' }, { kind: 'error', code: HARD, text: HARD, remedy: HARD }];
    const runs = [null, ...ends].map((end, i) => fullRun(`${HARD}${i}`, end));
    for (const state of runs) await save(state, 0);
    await held.reopen();
    const ids = [...runs.map(({ id }) => id), runId('nowhere')];
    const told = await held.store.read((tx) => tx.runs.ends(ids));
    expect([...told]).toStrictEqual(runs.slice(1).map(({ id }, i) => [id, ends[i]]));
  });

  test('S41 open runs come in the order in which they were accepted, whatever the clock and their ids say', async () => {
    await held.store.write(async (tx) => {
      await tx.runs.save(run('z', { acceptedAt: NOON + 9 }), 0);
      await tx.runs.save(ended('over', NOON), 0);
      await tx.runs.save(run('m'), 0);
      await tx.runs.save(run('a', { acceptedAt: NOON - 9, key: sessionKey('other') }), 0);
      await tx.runs.save(run('y'), 0);
      await tx.runs.save(run('z', { acceptedAt: NOON + 9, startedAt: NOON + 10, revision: 2 }), 1);
      await tx.runs.save(ended('m', NOON + 11, { revision: 2 }), 1);
    });
    await held.reopen();
    expect(names(await held.store.read((tx) => tx.runs.open()))).toBe('z a y');
    const list = (limit: number, rest?: string) =>
      held.store.read((tx) => tx.runs.list(rest === undefined ? { limit } : { limit, key: sessionKey(rest) }));
    expect(names(await list(99))).toBe('y a m over z');
    expect(names(await list(2))).toBe('y a');
    expect(names(await list(99, 'main'))).toBe('y m over z');
    expect(names(await list(1, 'other'))).toBe('a');
    expect([await list(0), await list(9, 'nowhere')]).toEqual([[], []]);
  });

  test('S42 runs that ended before an instant are forgotten, the oldest end first; those that run never', async () => {
    await held.store.write(async (tx) => {
      await tx.runs.save(ended('late', NOON + 30), 0);
      await tx.runs.save(ended('early', NOON + 10), 0);
      await tx.runs.save(run('open', { acceptedAt: 1 }), 0);
      await tx.runs.save(ended('middle', NOON + 20), 0);
    });
    const prune = (at: number, limit: number) => held.store.write((tx) => tx.runs.prune(at, limit));
    const left = async () => names(await held.store.read((tx) => tx.runs.list({ limit: 99 })));
    expect([await prune(NOON + 10, 9), await prune(NOON * 2, 0)]).toEqual([0, 0]);
    expect([await prune(NOON + 31, 2), await left()]).toEqual([2, 'open late']);
    expect([await prune(NOON + 31, 9), await prune(NOON * 2, 9), await left()]).toEqual([1, 0, 'open']);
    // Its id is free again: whoever comes with it so late asks for something new.
    await held.store.write((tx) => tx.runs.save(run('early'), 0));
    expect(names(await held.store.read((tx) => tx.runs.open()))).toBe('open early');
  });
}

function sayingRules(held: Held): void {
  const saying = (id: string) => held.store.read((tx) => tx.runs.saying(runId(id)));
  const say = (id: string, text: string, model = 'acme/large') =>
    held.store.write((tx) => tx.runs.say(runId(id), { model, text }));

  test('S44 what an open run is saying comes back whole, and goes with its end', async () => {
    await held.store.write(async (tx) => {
      for (const id of ['a', 'b', HARD]) await tx.runs.save(run(id), 0);
      await tx.runs.save(ended('over', NOON), 0);
    });
    expect([await saying('a'), await saying('nowhere')]).toEqual([null, null]);
    await say('b', 'of another');
    const whole = `${HARD} said \u{1f511} 0123456789abc`;
    // By halves of characters, more of them than one digit counts.
    for (const piece of whole.match(/[\s\S]{1,3}/g) ?? []) await say('a', piece, HARD);
    await say(HARD, '');
    await held.reopen();
    expect(await saying('a')).toStrictEqual({ model: HARD, text: whole });
    expect(await saying(HARD)).toStrictEqual({ model: 'acme/large', text: '' });
    await held.store.write((tx) => tx.runs.said(runId('a')));
    expect(await saying('a')).toBeNull();
    await say('a', 'again');
    expect(await saying('a')).toStrictEqual({ model: 'acme/large', text: 'again' });
    await held.store.write((tx) => tx.runs.save(run('a', { startedAt: NOON, revision: 2 }), 1));
    expect(await saying('a')).toMatchObject({ text: 'again' });
    await held.store.write((tx) => tx.runs.save(ended('a', NOON, { revision: 3 }), 2));
    await held.reopen();
    expect([await saying('a'), (await saying('b'))?.text]).toEqual([null, 'of another']);
    for (const id of ['a', 'over', 'nowhere'])
      expect([await say(id, 'late'), await saying(id)], id).toEqual([false, null]);
    expect(await say('b', '')).toBe(true);
    await held.store.write((tx) => tx.runs.prune(NOON * 2, 9));
    expect(names(await held.store.read((tx) => tx.runs.open()))).toContain('b');
    expect((await saying('b'))?.text).toBe('of another');
  });

  test('S1 a piece of a transaction that fails was not said', async () => {
    await held.store.write((tx) => tx.runs.save(run('a'), 0));
    await say('a', 'stays');
    const failing = held.store.write(async (tx) => {
      await tx.runs.say(runId('a'), { model: 'm', text: ' and goes' });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await held.reopen();
    expect(await saying('a')).toStrictEqual({ model: 'acme/large', text: 'stays' });
  });
}

function spentRules(held: Held): void {
  const use = (input: number, output: number, cacheRead = 0, cacheWrite = 0) => ({
    usage: { input, output, cacheRead, cacheWrite },
  });

  test('S43 what an agent spent since an instant: all of its tokens, and the price where it is known', async () => {
    const spent = (agent: string, since: number) => held.store.read((tx) => tx.runs.spent(agent, since));
    expect(await spent('main', 0)).toStrictEqual({ tokens: 0, costMicros: 0 });
    await held.store.write(async (tx) => {
      await tx.runs.save(ended('before', NOON - 1, { ...use(1_000_000, 0), costMicros: 1_000_000 }), 0);
      await tx.runs.save(ended('at', NOON, { ...use(1, 20, 300, 4_000), costMicros: 7 }), 0);
      await tx.runs.save(ended('unpriced', NOON + 1, { ...use(50_000, 0), costMicros: null }), 0);
      await tx.runs.save(
        ended('aborted', NOON + 2, { ...use(0, 0, 0, 2 ** 40), end: { kind: 'aborted' }, costMicros: 80 }),
        0,
      );
      const key = sessionKey('main', 'other');
      await tx.runs.save(ended('other', NOON + 1, { ...use(9, 9), key, costMicros: 9 }), 0);
    });
    await held.reopen();
    expect(await spent('main', NOON)).toStrictEqual({ tokens: 54_321 + 2 ** 40, costMicros: 87 });
    expect(await spent('main', NOON + 1)).toStrictEqual({ tokens: 50_000 + 2 ** 40, costMicros: 80 });
    expect(await spent('main', NOON + 3)).toStrictEqual({ tokens: 0, costMicros: 0 });
    expect(await spent('other', NOON)).toStrictEqual({ tokens: 18, costMicros: 9 });
    // Two that took the same are two.
    await held.store.write(async (tx) => {
      for (const id of ['twin 1', 'twin 2']) {
        await tx.runs.save(ended(id, NOON + 9, { ...use(1, 1), key: sessionKey('main', 'twins'), costMicros: 1 }), 0);
      }
    });
    expect(await spent('twins', NOON)).toStrictEqual({ tokens: 4, costMicros: 2 });
    // What one that still runs has taken is taken; once it ends it is counted once.
    await held.store.write((tx) => tx.runs.save(run('open', { ...use(5, 5), costMicros: 3 }), 0));
    expect(await spent('main', NOON + 3)).toStrictEqual({ tokens: 10, costMicros: 3 });
    await held.store.write((tx) =>
      tx.runs.save(ended('open', NOON + 4, { ...use(5, 6), costMicros: 4, revision: 2 }), 1),
    );
    expect(await spent('main', NOON + 3)).toStrictEqual({ tokens: 11, costMicros: 4 });
  });
}
