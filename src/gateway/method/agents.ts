import type { SessionState } from '../../core/conversation/session.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { quoted } from '../chat/place.ts';
import { levelRows } from '../chat/thinking.ts';
import { type Editor, editorOf } from './config.ts';
import { type Context, Declined, WrongParams } from './handler.ts';

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

export async function list(c: Context): Promise<MethodOutput<'agents.list'>> {
  const agents = await c.services.conversations.agents();
  return {
    defaultId: agents.find(({ isDefault }) => isDefault)?.id ?? 'main',
    ownership: 'sole',
    selectionRequired: false,
    mainKey: 'main',
    scope: 'per-sender',
    agents: agents.map(({ id, name, workspace, model, levels, thinking, identity = {} }) => ({
      id,
      name,
      kind: 'agent',
      workspace,
      model: { primary: model },
      thinkingDefault: thinking,
      thinkingLevels: levelRows(levels),
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
      : `agentId is of a to z, 0 to 9, dashes and underlines${id === '' ? '' : `: '${id}'`}`,
  );
}

export async function update(c: Context, input: Update): Promise<MethodOutput<'agents.update'>> {
  const agentId = known(input.agentId);
  return { ok: true, agentId, ...(await c.services.config.agents.update(editorOf(c), { ...input, agentId })) };
}

/** In the order in which it must not be lost half way: first nobody can say more to it, then what it does is ended. */
export async function remove(c: Context, input: MethodInput<'agents.delete'>): Promise<MethodOutput<'agents.delete'>> {
  const { config, conversations } = c.services;
  const agentId = known(input.agentId);
  const { isNamed, ...removed } = await config.agents.remove(editorOf(c), agentId);
  const all = await conversations.sessions({ agent: agentId, limit: SESSIONS_MAX });
  const ended = await Promise.all(
    all.map(({ key }) => (conversations.open(key).length > 0 ? conversations.abort(key, null) : [])),
  );
  const isCleared = input.deleteFiles === true;
  if (isCleared) await forget(c, all);
  return {
    ok: true,
    agentId,
    removedBindings: 0,
    abortedRuns: ended.flat(),
    sessions: all.length,
    sessionsDeleted: isCleared,
    ...removed,
    workspaceDeleted: isCleared && (await config.agents.clear(agentId, isNamed ? removed.workspace : null)) && !isNamed,
  };
}

async function forget(c: Context, sessions: readonly SessionState[]): Promise<void> {
  for (const { key } of sessions) await c.services.conversations.delete(key);
}

function known(text: string): string {
  const id = text.trim().toLowerCase();
  if (id === '') throw new Declined('unknown_agent', quoted(text));
  return id;
}
