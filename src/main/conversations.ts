import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HOUR_MS, MINUTE_MS } from '../core/base/instant.ts';
import { contentsAt } from '../runtime/contents.ts';
import { openConversations } from '../runtime/conversations.ts';
import type { AgentFacts, Thought } from '../runtime/options.ts';
import type { Talk } from '../runtime/runtime.ts';
import { systemClock as clock } from '../system/clock.ts';
import { newId, randomBytes } from '../system/random.ts';
import type { House } from './house.ts';
import type { Models } from './models.ts';

const MAIN = 'main';
const PRUNE_EVERY_MS = HOUR_MS;
/** Not in the way of what a start has to do. */
const PRUNE_FIRST_MS = 5 * MINUTE_MS;

/** Conversations over an open house. Nothing is accepted before `start`; nobody need ever start it. */
export function conversationsOf(house: House, models: Models): Talk {
  const { store, stateDir, live, log } = house;
  const talk = openConversations({
    store,
    clock,
    newId,
    chance: () => randomBytes(4).readUInt32BE() / 2 ** 32,
    agents: () => {
      const { budget } = live.now.config.agents.defaults;
      const main: AgentFacts = {
        id: MAIN,
        name: 'Latchkey',
        workspace: workspaceOf(stateDir),
        model: null,
        queue: 'collect',
        thinking: null,
        bound: budget,
      };
      return [main];
    },
    models: {
      async of(name): Promise<Thought | null> {
        const candidates = name === null ? await models.candidates() : await models.named(name);
        return candidates === null ? null : { candidates, input: candidates[0].facts.input ?? null };
      },
    },
    contents: contentsAt(join(stateDir, 'state', 'attachments')),
    diary: {
      info: (event, fields) => log.onceAMinute(`${event} ${String(fields.path ?? '')}`, 'info', event, fields),
      error: (event, error) =>
        log.error(event, { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    },
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  return tended(talk, house);
}

/** While it runs, what is old is forgotten now and then; where agents are told who they are is there from the start. */
function tended(talk: Talk, { stateDir, log }: House): Talk {
  const [start, stop] = [talk.start.bind(talk), talk.stop.bind(talk)];
  let cancel = () => {};
  const arm = (delayMs: number) => {
    cancel = clock.after(delayMs, () => {
      arm(PRUNE_EVERY_MS);
      talk.prune().catch((error) => log.error('what is old is not forgotten', { error: String(error) }));
    });
  };
  return Object.assign(talk, {
    start: async () => {
      mkdirSync(workspaceOf(stateDir), { recursive: true, mode: 0o700 });
      await start();
      arm(PRUNE_FIRST_MS);
    },
    stop: (graceMs: number) => {
      cancel();
      return stop(graceMs);
    },
  });
}

function workspaceOf(stateDir: string): string {
  return join(stateDir, 'agents', MAIN, 'workspace');
}
