import { beforeEach, describe, expect, test } from 'vitest';
import type { SessionKey } from '../../core/conversation/session.ts';
import { remove } from './agents.ts';
import { type Context, Passed } from './handler.ts';

const ALL = Array.from({ length: 100 }, (_, n) => ({ key: `agent:work:${n}` as SessionKey }));

/** An agent `work` that is taken out of the configuration, and of which 100 sessions are there. */
class Case {
  readonly deleted: string[] = [];
  readonly cleared: string[] = [];
  agents = ['main'];
  /** Judged anew; the owner of a revoked device may not. */
  isAllowed = true;

  run(): ReturnType<typeof remove> {
    const services = {
      authority: { mayCall: () => ({ ok: this.isAllowed }), mayWrite: () => true },
      facts: () => ({ agents: this.agents }),
      config: {
        agents: {
          remove: async () => ({ isNamed: false, workspace: '/w', defaultId: 'main' }),
          clear: async (id: string) => this.cleared.push(id) > 0,
        },
      },
      conversations: {
        sessions: async () => ALL,
        open: () => [],
        delete: async (key: string) => this.deleted.push(key) > 0,
      },
    };
    const refused = { ok: false, refused: { error: { code: 'FORBIDDEN', message: 'missing scope' } }, denied: true };
    const context = { services, principal: { kind: 'owner' }, session: null, ask: async () => refused };
    return remove(context as unknown as Context, { agentId: 'work', deleteFiles: true });
  }
}

/** In the turns of the event loop in which others are served: how many were gone by then. */
async function during(work: Promise<unknown>, gone: () => number): Promise<readonly number[]> {
  const seen: number[] = [];
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  work.then(end, end);
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(gone());
  }
  return seen;
}

describe('agents.delete with many sessions', () => {
  let one: Case;
  beforeEach(() => {
    one = new Case();
  });

  test('threat 12: others are served between a few of them and the next', async () => {
    const work = one.run();
    const seen = [0, ...(await during(work, () => one.deleted.length))];
    const steps = seen.slice(1).map((gone, i) => gone - (seen[i] ?? 0));
    expect(Math.max(...steps)).toBeLessThanOrEqual(10);
    expect(await work).toMatchObject({ sessions: 100, sessionsDeleted: true, workspaceDeleted: true });
    expect(one.deleted).toEqual(ALL.map(({ key }) => key));
  });

  test('A9: whoever may no longer is not obeyed any further, and told no more than that', async () => {
    const work = one.run();
    const refusal = work.catch((error) => error);
    await during(refusal, () => {
      if (one.deleted.length > 20) one.isAllowed = false;
      return 0;
    });
    expect(await refusal).toBeInstanceOf(Passed);
    expect(one.deleted.length).toBeLessThan(40);
    expect(one.cleared).toEqual([]);
  });

  test('rule: an agent that is there again keeps the sessions that are left, and its workspace', async () => {
    const work = one.run();
    let left: number | null = null;
    await during(work, () => {
      if (one.deleted.length <= 20 || left !== null) return 0;
      one.agents = ['main', 'work'];
      left = one.deleted.length;
      return 0;
    });
    expect(await work).toMatchObject({ sessions: 100, sessionsDeleted: false, workspaceDeleted: false });
    // Not one more: what is said to it from now on may be in any of them.
    expect(one.deleted.length).toBe(left);
    expect(one.cleared).toEqual([]);
  });
});
