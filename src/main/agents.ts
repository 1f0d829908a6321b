import { renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import json5 from 'json5';
import { type AgentConfig, defaultIdOf, entriesOf, idsOf, MAIN } from '../config/agents.ts';
import { setValue, unsetValue } from '../config/edit.ts';
import type { LiveConfig } from '../config/live.ts';
import type { LoadedConfig } from '../config/load.ts';
import { strayModel } from '../config/models.ts';
import { isRecord, own } from '../config/record.ts';
import type { ConfigFile } from '../config/schema.ts';
import { isAgentId } from '../core/conversation/session.ts';
import type { AgentDesk } from '../gateway/method/agents.ts';
import type { Editor } from '../gateway/method/config.ts';
import { Declined, WrongParams } from '../gateway/method/handler.ts';
import { codeOf } from '../system/failure.ts';
import { newId } from '../system/random.ts';
import type { Edit } from './config.ts';
import { agentDir, isPerhapsWithin, makeWorkspace, workspaceOf } from './workspace.ts';

interface AgentsOptions {
  readonly stateDir: string;
  readonly live: LiveConfig;
  readonly desk: {
    edit(
      by: Edit,
      change: (text: string | null) => string,
    ): Promise<{
      readonly answer: { readonly changed: boolean; readonly warnings: readonly string[] };
      readonly loaded: LoadedConfig;
    }>;
  };
}

type Fields = Omit<Parameters<AgentDesk['update']>[1], 'agentId' | 'idempotencyKey'>;

const LIST = ['agents', 'list'] as const;

/** Changes the agents of the configuration's file, each by its own keys: comments and what others wrote stay. */
export class Agents implements AgentDesk {
  readonly #options: AgentsOptions;

  constructor(options: AgentsOptions) {
    this.#options = options;
  }

  async create(by: Editor, { agentId, idempotencyKey: _, ...fields }: Parameters<AgentDesk['create']>[1]) {
    const { desk } = this.#options;
    checkFields(fields);
    const edit = { ...by, method: 'agents.create', check: (loaded: LoadedConfig) => this.#make(loaded, agentId) };
    const { answer, loaded } = await desk.edit(edit, (text) => {
      const page = new Page(text);
      if (page.has(agentId)) throw new Declined('agent_exists', agentId);
      // As OpenClaw writes it: there the first of a list without a mark is the default one, here it is `main`.
      if (page.isEmpty && agentId !== MAIN) page.add({ id: MAIN });
      page.add({ id: agentId });
      return filled(page, agentId, fields);
    });
    const { name, workspace } = this.#agent(loaded, agentId);
    return { name, workspace, warnings: answer.warnings };
  }

  async update(by: Editor, { agentId, idempotencyKey: _, ...fields }: Parameters<AgentDesk['update']>[1]) {
    checkFields(fields);
    const edit = {
      ...by,
      method: 'agents.update',
      check: (loaded: LoadedConfig) => {
        if (fields.workspace !== undefined) this.#make(loaded, agentId);
      },
    };
    const { answer } = await this.#options.desk.edit(edit, (text) => {
      const page = new Page(text);
      if (!page.has(agentId)) throw new Declined('unknown_agent', agentId);
      if (page.at(agentId) === -1) page.add({ id: agentId });
      return filled(page, agentId, fields);
    });
    return { changed: answer.changed, warnings: answer.warnings };
  }

  async remove(by: Editor, agentId: string) {
    const { desk, live } = this.#options;
    const before = this.#find(live.file, agentId);
    const { loaded } = await desk.edit({ ...by, method: 'agents.delete' }, (text) => {
      const page = new Page(text);
      if (agentId === MAIN) throw new Declined('agent_reserved', agentId);
      if (!page.has(agentId)) throw new Declined('unknown_agent', agentId);
      page.remove(agentId);
      return page.text;
    });
    const named = before?.workspace ?? null;
    const workspace = workspaceOf(this.#options.stateDir, { id: agentId, workspace: named });
    return { workspace, isNamed: named !== null, defaultId: loaded.config.agents.list[0].id };
  }

  async clear(agentId: string, keep: string | null): Promise<boolean> {
    const { stateDir, live } = this.#options;
    const { list } = live.file.config.agents;
    if (!isAgentId(agentId) || list.some(({ id }) => id === agentId)) return false;
    const directory = agentDir(stateDir, agentId);
    const kept = [...list.map((agent) => workspaceOf(stateDir, agent)), ...(keep === null ? [] : [keep])];
    if (kept.some((path) => isPerhapsWithin(path, directory))) return false;
    // No agent's: one of the same name that is made meanwhile has a directory of its own.
    const aside = `${directory}.${newId()}`;
    try {
      renameSync(directory, aside);
    } catch {
      // It isn't there, or its owner closed it: whoever asked is told that it stays.
      return false;
    }
    try {
      // Others are served meanwhile. What a link leads to stays.
      await rm(aside, { recursive: true });
      return true;
    } catch {
      putBack(aside, directory);
      return false;
    }
  }

  #find({ config }: LoadedConfig, agentId: string): AgentConfig | undefined {
    return config.agents.list.find(({ id }) => id === agentId);
  }

  #agent(loaded: LoadedConfig, agentId: string) {
    const agent = this.#find(loaded, agentId);
    if (agent === undefined) throw new Error(`what was written holds no agent ${agentId}`);
    return { name: agent.name, workspace: workspaceOf(this.#options.stateDir, agent) };
  }

  /** Before it is written: an agent without its workspace is none. */
  #make(loaded: LoadedConfig, agentId: string): void {
    const { workspace } = this.#agent(loaded, agentId);
    try {
      makeWorkspace(workspace);
    } catch (error) {
      const code = codeOf(error);
      const why =
        code === 'EEXIST' || code === 'ENOTDIR' ? 'a file stands there, or above it' : (code ?? 'no directory');
      throw new WrongParams(`the workspace ${workspace} can't be made: ${why}`);
    }
  }
}

function putBack(aside: string, directory: string): void {
  try {
    renameSync(aside, directory);
  } catch {
    // Another one stands there by now: what is left stays beside it.
  }
}

/** @throws WrongParams */
function checkFields({ workspace }: Fields): void {
  // The gateway's own working directory says nothing to whoever asks.
  if (workspace !== undefined && !isAbsolute(workspace) && !workspace.startsWith('~/'))
    throw new WrongParams('workspace must be an absolute path, or begin with ~/');
}

/** @throws Declined for a model that leads nowhere: it would be found out with the first message */
function filled(page: Page, id: string, fields: Fields): string {
  const { name, workspace, model, emoji, avatar, budget, default: isDefault } = fields;
  if (typeof model === 'string' && strayModel(page.parsed as ConfigFile, model) !== null)
    throw new Declined('unknown_model', model);
  if (isDefault === true) page.prefer(id);
  page.put(id, ['name'], name);
  page.put(id, ['workspace'], workspace);
  const hasFallbacks = isRecord(page.entry(id)?.model);
  if (model === null) page.put(id, ['model'], null);
  else page.put(id, hasFallbacks ? ['model', 'primary'] : ['model'], model);
  page.put(id, ['identity', 'emoji'], emoji);
  page.put(id, ['identity', 'avatar'], avatar);
  page.put(id, ['budget', 'tokensPerDay'], budget?.tokensPerDay);
  page.put(id, ['budget', 'usdPerDay'], budget?.usdPerDay);
  const left = page.entry(id)?.budget;
  if (budget !== undefined && isRecord(left) && Object.keys(left).length === 0) page.put(id, ['budget'], null);
  return page.text;
}

/** The file's text under way: each change is read anew, so that one finds what the last one made. */
class Page {
  text: string;
  parsed: unknown = {};

  constructor(text: string | null) {
    this.text = text ?? '';
    this.#read(this.text);
  }

  /** @throws SyntaxError, told by the editor with its line */
  #read(text: string): void {
    this.text = text;
    this.parsed = text === '' ? {} : json5.parse(text);
  }

  /** As it stands there, whatever it is. */
  get #list(): readonly unknown[] {
    const list = own(own(this.parsed, 'agents'), 'list');
    return Array.isArray(list) ? list : [];
  }

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  has(id: string): boolean {
    return idsOf(entriesOf(this.parsed)).includes(id);
  }

  at(id: string): number {
    return this.#list.findIndex((entry) => own(entry, 'id') === id);
  }

  entry(id: string): Readonly<Record<string, unknown>> | undefined {
    const entry = this.#list[this.at(id)];
    return isRecord(entry) ? entry : undefined;
  }

  add(entry: Readonly<Record<string, unknown>>): void {
    const isThere = own(own(this.parsed, 'agents'), 'list') !== undefined;
    this.#read(
      isThere ? setValue(this.text, [...LIST, String(this.#list.length)], entry) : setValue(this.text, LIST, [entry]),
    );
  }

  /** `undefined`: stays as it is; `null`: goes. */
  put(id: string, keys: readonly string[], value: string | number | boolean | null | undefined): void {
    if (value === undefined) return;
    const path = [...LIST, String(this.at(id)), ...keys];
    this.#read(value === null ? unsetValue(this.text, path) : setValue(this.text, path, value));
  }

  remove(id: string): void {
    this.#read(unsetValue(this.text, [...LIST, String(this.at(id))]));
  }

  /** The default one from now on. Who was it without being written down stays. */
  prefer(id: string): void {
    const entries = entriesOf(this.parsed);
    const before = defaultIdOf(entries);
    if (before === id && id === MAIN) return;
    for (const other of entries)
      if (other.id !== id && other.default !== undefined) this.put(other.id, ['default'], null);
    if (before !== id && this.at(before) === -1) this.add({ id: before });
    if (id !== MAIN || this.at(MAIN) !== -1) this.put(id, ['default'], true);
  }
}
