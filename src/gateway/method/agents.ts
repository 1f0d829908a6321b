import type { SessionState } from '../../core/conversation/session.ts';
import { agentsDelete } from '../../core/protocol/method/agents.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { pause } from '../chat/page.ts';
import { quoted } from '../chat/place.ts';
import { levelRows } from '../chat/thinking.ts';
import { type Editor, editorOf } from './config.ts';
import { type Context, Declined, Passed, WrongParams } from './handler.ts';

type Create = MethodInput<'agents.create'>;
type Update = MethodInput<'agents.update'>;

/** The agents of the configuration, as handlers change them. All of it throws as `ConfigDesk.change` does. */
export interface AgentDesk {
  /** @throws Declined `agent_exists`, `unknown_model` */
  create(
    by: Editor,
    agent: Create & { readonly agentId: string },
  ): Promise<Pick<Created, 'name' | 'workspace' | 'warnings'>>;
  /** @throws Declined `unknown_agent`, `unknown_model` */
  update(by: Editor, agent: Update): Promise<Pick<MethodOutput<'agents.update'>, 'changed' | 'warnings'>>;
  /** @throws Declined `unknown_agent`, `agent_reserved` */
  remove(
    by: Editor,
    agentId: string,
  ): Promise<Pick<MethodOutput<'agents.delete'>, 'workspace' | 'defaultId'> & { readonly isNamed: boolean }>;
  /**
   * Deletes what the state directory holds of an agent that is no more, unless the workspace of another one or `keep` lies
   * in it. False: it is as it was.
   */
  clear(agentId: string, keep: string | null): Promise<boolean>;
}

type Created = MethodOutput<'agents.create'>;

/** Sessions of one agent that are looked at for what runs in them. */
const SESSIONS_MAX = 1_000_000;
/** So many are looked at, or forgotten, before others are served. */
const LOOKED_AT_ONCE = 1_000;
const FORGOTTEN_AT_ONCE = 8;

export async function list(c: Context): Promise<MethodOutput<'agents.list'>> {
  const agents = await c.services.conversations.agents();
  return {
    defaultId: agents.find(({ isDefault }) => isDefault)?.id ?? 'main',
    ownership: 'sole',
    selectionRequired: false,
    mainKey: 'main',
    scope: 'per-sender',
    agents: agents.map(({ id, name, workspace, model, levels, thinking, budget, identity = {} }) => ({
      id,
      name,
      kind: 'agent',
      workspace,
      model: { primary: model },
      thinkingDefault: thinking,
      thinkingLevels: levelRows(levels),
      budget: { tokensPerDay: budget.tokensPerDay, usdPerDay: budget.usdPerDay },
      ...(Object.keys(identity).length === 0
        ? {}
        : { identity: { ...identity, ...(identity.avatar === undefined ? {} : { avatarUrl: identity.avatar }) } }),
    })),
  };
}

export async function create(c: Context, input: Create): Promise<Created> {
  const agentId = input.agentId === undefined ? idOf(input.name) : idOf(input.agentId, input.agentId);
  const made = await c.services.config.agents.create(editorOf(c), { ...input, agentId });
  return { ok: true, agentId, ...made };
}

/** As OpenClaw makes it: lower case, what can't stand in an id a dash. @throws WrongParams where nothing is left */
function idOf(name: string, exactly?: string): string {
  const id = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|-+$/g, '')
    .slice(0, 64);
  if (id !== '' && (exactly === undefined || id === exactly)) return id;
  throw new WrongParams(
    exactly === undefined
      ? 'an id can not be made of this name: say it as agentId (--id), of a to z, 0 to 9, dashes and underlines'
      : `'${quoted(exactly)}' can be no id: it is of a to z, 0 to 9, dashes and underlines${id === '' ? '' : `, '${id}' for example`}`,
  );
}

export async function update(c: Context, input: Update): Promise<MethodOutput<'agents.update'>> {
  const agentId = known(input.agentId);
  return { ok: true, agentId, ...(await c.services.config.agents.update(editorOf(c), { ...input, agentId })) };
}

/**
 * In the order in which it must not be lost half way: first nobody can say more to it, then what it does is ended. Where there
 * is much of it others are served in between; so whoever asked is judged again (A9), and an agent that is there again by then
 * keeps what is left. @throws Passed
 */
export async function remove(c: Context, input: MethodInput<'agents.delete'>): Promise<MethodOutput<'agents.delete'>> {
  const { config, conversations } = c.services;
  const agentId = known(input.agentId);
  const { isNamed, ...removed } = await config.agents.remove(editorOf(c), agentId);
  const all = await conversations.sessions({ agent: agentId, limit: SESSIONS_MAX });
  const abortedRuns = await aborted(c, all);
  const isCleared = input.deleteFiles === true && (await forget(c, agentId, all));
  return {
    ok: true,
    agentId,
    removedBindings: 0,
    abortedRuns,
    sessions: all.length,
    sessionsDeleted: isCleared,
    ...removed,
    workspaceDeleted: isCleared && (await config.agents.clear(agentId, isNamed ? removed.workspace : null)) && !isNamed,
  };
}

async function aborted(c: Context, sessions: readonly SessionState[]): Promise<readonly string[]> {
  const { conversations } = c.services;
  const ended: Promise<readonly string[]>[] = [];
  for (const [at, { key }] of sessions.entries()) {
    if (at % LOOKED_AT_ONCE === LOOKED_AT_ONCE - 1) await pause();
    if (conversations.open(key).length > 0) ended.push(conversations.abort(key, null));
  }
  return (await Promise.all(ended)).flat();
}

/** False: the agent is there again, and has what is left. */
async function forget(c: Context, agentId: string, sessions: readonly SessionState[]): Promise<boolean> {
  const { conversations, facts } = c.services;
  for (const [at, { key }] of sessions.entries()) {
    if (at % FORGOTTEN_AT_ONCE === FORGOTTEN_AT_ONCE - 1) {
      await pause();
      await stillMay(c, agentId);
    }
    // Asked in the same turn in which the session is taken: what is said to the new one comes after that.
    if (facts().agents?.includes(agentId) === true) return false;
    await conversations.delete(key);
  }
  return facts().agents?.includes(agentId) !== true;
}

/** @throws Passed with the refusal of the same call, made now */
async function stillMay(c: Context, agentId: string): Promise<void> {
  const { name: method, role, scope } = agentsDelete;
  if (c.services.authority.mayCall(c.principal, { method, role, scope }).ok) return;
  const answer = await c.ask(method, { agentId });
  if (!answer.ok) throw new Passed(answer);
}

function known(text: string): string {
  const id = text.trim().toLowerCase();
  if (id === '') throw new Declined('unknown_agent', quoted(text));
  return id;
}
