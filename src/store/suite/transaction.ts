import { expect, test } from 'vitest';
import type { WriteTx } from '../store.ts';
import type { Held } from '../suite.ts';
import { change, code, device, deviceId, requestId } from './sample.ts';
import { run, runId, session, sessionId, talk } from './talk.ts';

const ALL = 9;

async function everything(tx: WriteTx, n: number): Promise<void> {
  await tx.devices.save(device(n), 0);
  await tx.devices.close(requestId(`done ${n}`), 'approved', 1);
  await tx.devices.countAsk(1);
  await tx.codes.save(code(n), 0);
  await tx.changes.add(change(await tx.nextSeq(), n));
  await talk(tx, session(n), 1);
  await tx.runs.save(run(`run ${n}`), 0);
}

/** How much of `everything` is there: ALL where all is, nought where nothing is. */
function countOf(held: Held, n: number): Promise<number> {
  return held.store.read(async (tx) => {
    const found = [
      await tx.devices.load(deviceId(n)),
      await tx.devices.past(requestId(`done ${n}`)),
      (await tx.devices.room('', 1, new Set())).recent || null,
      await tx.codes.load(code(n).id),
      (await tx.changes.list(10, deviceId(n)))[0] ?? null,
      await tx.sessions.load(session(n).key),
      await tx.sessions.keyOf(sessionId(n)),
      (await tx.sessions.tail(sessionId(n), 1))[0] ?? null,
      await tx.runs.load(runId(`run ${n}`)),
    ];
    return found.filter((f) => f !== null).length;
  });
}

export function transactionRules(held: Held): void {
  test('S1 a transaction that throws leaves nothing behind, and its error goes on', async () => {
    const failing = held.store.write(async (tx) => {
      await everything(tx, 1);
      throw new Error('after all of it');
    });
    await expect(failing).rejects.toThrow('after all of it');
    expect(await countOf(held, 1)).toBe(0);
  });

  test('S2 what a transaction returned from is there, also after opening anew', async () => {
    expect(await held.store.write(async (tx) => [await everything(tx, 1), 'result'][1])).toBe('result');
    expect(await countOf(held, 1)).toBe(ALL);
    await held.reopen();
    expect(await countOf(held, 1)).toBe(ALL);
  });

  test('S3 transactions are serial: of many that count up at once none is lost', async () => {
    await held.store.write((tx) => tx.devices.save(device(1), 0));
    const seen: number[] = [];
    const one = () =>
      held.store.write(async (tx) => {
        const state = await tx.devices.load(deviceId(1));
        const revision = state?.revision ?? 0;
        await Promise.resolve();
        await tx.devices.save(device(1, {}, revision + 1), revision);
        seen.push(revision);
      });
    await Promise.all(Array.from({ length: 20 }, one));
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test('S3 a transaction that fails holds up no other', async () => {
    const failing = held.store.write(() => Promise.reject(new Error('first')));
    const next = held.store.write((tx) => tx.devices.save(device(1), 0));
    await expect(failing).rejects.toThrow('first');
    await next;
    expect(await held.store.read((tx) => tx.devices.list())).toHaveLength(1);
  });

  partRules(held);
  handleRules(held);
  numberRules(held);
}

function partRules(held: Held): void {
  test('S4 a part that throws is undone alone', async () => {
    await held.store.write(async (tx) => {
      await tx.part(() => tx.devices.save(device(1), 0));
      const failing = tx.part(async () => {
        await everything(tx, 2);
        throw new Error('second');
      });
      await expect(failing).rejects.toThrow('second');
      expect(await tx.devices.load(deviceId(2))).toBeNull();
      await tx.part(() => tx.devices.save(device(3), 0));
    });
    const ids = (await held.store.read((tx) => tx.devices.list())).map((d) => d.device);
    expect(ids).toEqual([deviceId(1), deviceId(3)]);
    expect(await countOf(held, 2)).toBe(0);
  });

  test('S4 a part that is begun while another runs loses the whole transaction, rather than undo what is not its own', async () => {
    const beside = held.store.write(async (tx) => {
      const slow = tx.part(async () => {
        for (let i = 0; i < 20; i += 1) await Promise.resolve();
        await tx.devices.save(device(1), 0);
      });
      await Promise.allSettled([slow, tx.part(() => tx.devices.save(device(2), 0))]);
    });
    await expect(beside).rejects.toThrow('part');
    const within = held.store.write((tx) => tx.part(() => tx.part(() => tx.devices.save(device(3), 0))));
    await expect(within).rejects.toThrow('part');
    expect(await held.store.read((tx) => tx.devices.list())).toEqual([]);
    await held.store.write((tx) => tx.part(() => tx.devices.save(device(4), 0)));
  });

  test('S4 a part that nobody waited for loses the transaction', async () => {
    const failing = held.store.write(async (tx) => {
      void tx.part(() => new Promise(() => undefined));
    });
    await expect(failing).rejects.toThrow('part');
  });
}

function handleRules(held: Held): void {
  test('S5 a handle that is used after its transaction refuses', async () => {
    const tx = await held.store.write(async (open) => open);
    await expect(tx.devices.save(device(1), 0)).rejects.toThrow('over');
    await expect(tx.nextSeq()).rejects.toThrow('over');
    await expect(tx.part(async () => undefined)).rejects.toThrow('over');
    const view = await held.store.read(async (open) => open);
    await expect(view.devices.list()).rejects.toThrow('over');
    expect(await held.store.read((open) => open.devices.list())).toEqual([]);
  });

  test('S6 a read that throws passes its error on, and the store goes on', async () => {
    await expect(held.store.read(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(await held.store.read((tx) => tx.devices.list())).toEqual([]);
  });

  test('S8 a closed store refuses, after what was begun before', async () => {
    const before = held.store.write((tx) => tx.devices.save(device(1), 0));
    await held.store.close();
    await before;
    await expect(held.store.read((tx) => tx.devices.list())).rejects.toThrow('closed');
    await expect(held.store.write((tx) => tx.nextSeq())).rejects.toThrow('closed');
    await held.store.close();
  });
}

function numberRules(held: Held): void {
  const numbered = (n: number) =>
    held.store.write(async (tx) => {
      const seq = await tx.nextSeq();
      await tx.changes.add(change(seq, n));
      return seq;
    });

  test('S7 order numbers rise: in one transaction, in the next, after one that failed, after opening anew', async () => {
    const seqs = await held.store.write(async (tx) => {
      await tx.devices.save(device(1), 0);
      return [await tx.nextSeq(), await tx.nextSeq()];
    });
    expect(seqs[0]).toBeGreaterThan(0);
    let failed = 0;
    const failing = held.store.write(async (tx) => {
      failed = await tx.nextSeq();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    seqs.push(failed, await held.store.write((tx) => tx.nextSeq()), await numbered(1));
    await held.reopen();
    seqs.push(await numbered(2), await numbered(3));
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  });

  test('S7 a number taken in a part that was undone is not given again', async () => {
    const [undone, next] = await held.store.write(async (tx) => {
      let seq = 0;
      const failing = tx.part(async () => {
        seq = await tx.nextSeq();
        throw new Error('undone');
      });
      await expect(failing).rejects.toThrow('undone');
      return [seq, await tx.nextSeq()] as const;
    });
    expect(next).toBeGreaterThan(undone);
  });
}
