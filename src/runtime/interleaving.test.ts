import { expect, test } from 'vitest';
import { checkInterleavings, SEATS } from '../../test/interleaving.ts';
import { openMemory } from '../store/memory/memory.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { makeScratch } from '../store/sqlite/scratch.ts';
import { openConversations } from './conversations.ts';

const DRIVERS = {
  memory: { numRuns: 150, disk: async () => ({ store: openMemory(), clear() {} }) },
  sqlite: {
    numRuns: 25,
    async disk() {
      const scratch = makeScratch();
      return { store: await openSqlite(scratch.options), clear: () => scratch.clear() };
    },
  },
} as const;

test.each(Object.entries(DRIVERS))(
  'rule: whatever is sent, steered, aborted, reset and killed over %s: no gap, one result for each id, nothing is lost',
  async (driver, given) => {
    const { ends, fullest, partial } = await checkInterleavings({ ...given, open: openConversations });
    expect(fullest).toBe(SEATS);
    // It came to each of the ends, and to answers that were broken off.
    const all = ['aborted', 'error', 'interrupted', 'joined', 'not_allowed', 'ok'];
    if (driver === 'memory') expect([...ends].sort()).toEqual(all);
    expect(partial).toBeGreaterThan(0);
  },
  120_000,
);
