import { effective, NO_THINKING } from '../core/conversation/thinking.ts';
import type { TalkOptions } from './options.ts';
import type { Agent, Talk } from './runtime.ts';
import { wanted } from './thoughts.ts';

/** The agents of the configuration, the default one first, each with what it thinks with. */
export async function rosterOf({ models, agents }: Pick<TalkOptions, 'models' | 'agents'>): Promise<readonly Agent[]> {
  // Most think with the same, which is looked up once.
  let usual: ReturnType<typeof models.of> | null = null;
  return Promise.all(
    agents().map(async (agent, at) => {
      const { id, name, model, workspace, queue, bound: budget, identity = {} } = agent;
      if (model === null) usual ??= models.of(null);
      const first = (await (model === null ? usual : models.of(model, agent)))?.candidates[0] ?? null;
      const contextWindow = first?.facts.contextWindow ?? null;
      const named = first?.model.name ?? model ?? '';
      const levels = first?.facts.levels ?? NO_THINKING;
      const thinking = effective(levels, wanted([agent.thinking]));
      const isDefault = at === 0;
      const shown = { id, name, model: named, contextWindow, levels, thinking, workspace, queue, isDefault };
      return { ...shown, identity, budget };
    }),
  );
}

/** What is known of a model by its name; `null`: there is none. */
export async function thinkerOf({ models }: Pick<TalkOptions, 'models'>, name: string): ReturnType<Talk['thinker']> {
  const first = (await models.of(name))?.candidates[0];
  if (first === undefined) return null;
  const { contextWindow, levels = NO_THINKING } = first.facts;
  return { model: first.model.name, contextWindow, levels };
}
