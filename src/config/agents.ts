import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Thinking } from '../core/conversation/thinking.ts';
import type { Mode } from '../core/lane/lane.ts';
import type { Failure } from '../system/failure.ts';
import type { Writer } from './apply.ts';
import { strayModel } from './models.ts';
import { isRecord, isSame, own } from './record.ts';
import type { ConfigFile } from './schema.ts';

/** The agents as they are set up: what one does not say is filled in from the defaults. */
export interface Agents {
  /** `thinking` `null`: each model does as it does by itself. */
  readonly defaults: { readonly model: WantedModel; readonly budget: Budget; readonly thinking: Thinking | null };
  /** The default one first; never empty. */
  readonly list: readonly [AgentConfig, ...AgentConfig[]];
}

/** Names or aliases of models; `primary` `null`: none is named. */
export interface WantedModel {
  readonly primary: string | null;
  readonly fallbacks: readonly string[];
}

/** In a day. `null`: without a bound. */
export interface Budget {
  readonly tokensPerDay: number | null;
  readonly usdPerDay: number | null;
}

export interface AgentConfig {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Absolute; `null`: the one of its own, in the state directory. */
  readonly workspace: string | null;
  /** `null`: what agents think with where nothing else is said. */
  readonly model: WantedModel | null;
  readonly queue: Mode;
  readonly budget: Budget;
  /** The keys of the configuration that say so; `null`: none does. */
  readonly budgetKeys: { readonly tokensPerDay: string | null; readonly usdPerDay: string | null };
  readonly identity: NonNullable<Entry['identity']>;
}

type AgentsFile = NonNullable<ConfigFile['agents']>;
type Entry = NonNullable<AgentsFile['list']>[number];

/** The agent that is there without being set up. */
export const MAIN = 'main';
const MAIN_NAME = 'Latchkey';
const QUEUE: Mode = 'collect';

export interface AgentsAround {
  /** The configuration's file: relative names are looked up beside it. */
  readonly path: string;
  readonly bad: (pointer: string, why: string) => Failure;
  readonly warnings: string[];
}

/**
 * `main` is there as long as no other agent is the default one, whether the list names it or not.
 * @throws Failure 78 naming the key
 */
export function agentsOf(file: ConfigFile, around: AgentsAround): Agents {
  const { defaults = {}, list = [] } = file.agents ?? {};
  check(list, around);
  const model = wantedOf(defaults.model);
  warnOfModel(file, defaults.model, 'agents.defaults.model', around);
  const budget = budgetOf(defaults.budget, NO_BUDGET);
  const first = defaultIdOf(list);
  const entries: readonly Entry[] = isListed(list, first) ? list : [{ id: first }, ...list];
  const all = entries.map((entry): AgentConfig => {
    warnOfModel(file, entry.model, `agents.list: '${entry.id}'`, around);
    const directory = entry.workspace ?? (entry.id === first ? defaults.workspace : undefined);
    const at = entry.workspace === undefined ? 'defaults' : `list/${list.indexOf(entry)}`;
    return {
      id: entry.id,
      name: entry.identity?.name ?? entry.name ?? (entry.id === MAIN ? MAIN_NAME : entry.id),
      workspace: directory === undefined ? null : directoryOf(directory, `/agents/${at}/workspace`, around),
      model: entry.model === undefined ? null : wantedOf(entry.model),
      queue: entry.queue ?? defaults.queue ?? QUEUE,
      budget: budgetOf(entry.budget, budget),
      budgetKeys: budgetKeysOf(entry, list.indexOf(entry), budget),
      identity: entry.identity ?? {},
    };
  });
  const [one = all[0] as AgentConfig] = all.filter(({ id }) => id === first);
  const thinking = defaults.thinkingDefault ?? null;
  return { defaults: { model, budget, thinking }, list: [one, ...all.filter((agent) => agent !== one)] };
}

/** The one that is marked, else `main`. OpenClaw takes the first of the list, and then has no `main` beside it. */
export function defaultIdOf(list: readonly Pick<Entry, 'id' | 'default'>[]): string {
  return list.find((entry) => entry.default === true)?.id ?? MAIN;
}

/** The ids of those that are there. */
export function idsOf(list: readonly Pick<Entry, 'id' | 'default'>[]): readonly string[] {
  return [...new Set([defaultIdOf(list), ...list.map(({ id }) => id)])];
}

/** The entries of a configuration as it is written. */
export function entriesOf(parsed: unknown): readonly Entry[] {
  const list = own(own(parsed, 'agents'), 'list');
  return Array.isArray(list) ? list.filter((entry) => isRecord(entry) && typeof entry.id === 'string') : [];
}

function isListed(list: readonly Entry[], id: string): boolean {
  return list.some((entry) => entry.id === id);
}

// ---- what is refused --------------------------------------------------------------------------------------------------

function check(list: readonly Entry[], { bad, warnings }: AgentsAround): void {
  const ids = list.map(({ id }) => id);
  const twice = ids.findIndex((id, i) => ids.indexOf(id) !== i);
  if (twice !== -1) throw bad(`/agents/list/${twice}/id`, 'an agent of this id stands in the list already');
  const marked = list.flatMap((entry, i) => (entry.default === true ? i : []));
  if (marked[1] !== undefined)
    throw bad(`/agents/list/${marked[1]}/default`, 'another agent is the default one already');
  if (marked.length === 0 && ids.length > 0 && ids[0] !== MAIN) {
    warnings.push(
      `agents.list marks no agent as the default one: it is '${MAIN}', not the first (${ids[0]}); say "default": true where it is meant`,
    );
  }
  for (const [i, { name, identity = {} }] of list.entries()) {
    const at = `/agents/list/${i}`;
    const texts = {
      name,
      'identity/name': identity.name,
      'identity/theme': identity.theme,
      'identity/emoji': identity.emoji,
    };
    for (const [key, text] of Object.entries(texts)) {
      if (text !== undefined && !isPlain(text)) throw bad(`${at}/${key}`, PLAIN);
    }
    if (identity.avatar !== undefined && !isPicture(identity.avatar)) {
      throw bad(`${at}/identity/avatar`, 'must be a picture: "https://…" or "data:image/png;base64,…"');
    }
  }
}

const PLAIN = 'must be one line of text, without control characters';
/** Also what turns the direction of writing: a name stands in lists, and in what a model is told. */
const UNPLAIN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;

function isPlain(text: string): boolean {
  return !UNPLAIN.test(text) && text.trim() !== '';
}

/** No file of this host: clients fetch it themselves. No SVG: it runs programs. */
function isPicture(text: string): boolean {
  if (/^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/.test(text)) return true;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === 'https:' && url.username === '' && url.password === '';
}

function directoryOf(text: string, pointer: string, { path, bad }: AgentsAround): string {
  if (!isPlain(text)) throw bad(pointer, PLAIN);
  return text === '~' || text.startsWith('~/') ? join(homedir(), text.slice(2)) : resolve(dirname(path), text);
}

/** A name that leads nowhere is a word of warning: a gateway must not stay down for it. */
function warnOfModel(file: ConfigFile, model: Entry['model'], where: string, { warnings }: AgentsAround): void {
  const { primary, fallbacks } = wantedOf(model);
  for (const name of [...(primary === null ? [] : [primary]), ...fallbacks]) {
    const why = strayModel(file, name);
    if (why !== null) warnings.push(`${where} ${why}`);
  }
}

// ---- what is filled in ------------------------------------------------------------------------------------------------

const NO_BUDGET: Budget = { tokensPerDay: null, usdPerDay: null };

function wantedOf(model: Entry['model']): WantedModel {
  const primary = typeof model === 'string' ? model : (model?.primary ?? null);
  return { primary, fallbacks: typeof model === 'object' ? (model.fallbacks ?? []) : [] };
}

function budgetOf({ tokensPerDay, usdPerDay }: NonNullable<Entry['budget']> = {}, usual: Budget): Budget {
  return { tokensPerDay: tokensPerDay ?? usual.tokensPerDay, usdPerDay: usdPerDay ?? usual.usdPerDay };
}

function budgetKeysOf({ budget = {} }: Entry, at: number, usual: Budget): AgentConfig['budgetKeys'] {
  const keyOf = (name: keyof Budget) => {
    if (budget[name] !== undefined) return `agents.list[${at}].budget.${name}`;
    return usual[name] === null ? null : `agents.defaults.budget.${name}`;
  };
  return { tokensPerDay: keyOf('tokensPerDay'), usdPerDay: keyOf('usdPerDay') };
}

// ---- who may change what ----------------------------------------------------------------------------------------------

/**
 * Who may change a key of an agent. What stands nowhere is the owner's. Which agents there are is for who holds admin
 * without an end: each brings a budget of its own, so more agents spend more. So is which one is the default: it is who
 * hears what nobody is named for. The model is chosen among providers that others set up, also for one session alone.
 */
const WRITERS: Readonly<Record<keyof Entry, Writer>> = {
  id: 'permanent',
  default: 'permanent',
  name: 'admin',
  workspace: 'owner',
  model: 'admin',
  identity: 'admin',
  queue: 'admin',
  budget: 'permanent',
};

/**
 * The changes of agents between two configurations as they are written, by the agents' ids: in which order they stand says
 * nothing. A directory that the owner named stays with the agent that it was named for: an agent whose workspace becomes
 * another one is a change of its workspace, whichever keys make it so.
 */
export function agentChanges(
  before: unknown,
  after: unknown,
): readonly { readonly key: string; readonly writer: Writer }[] {
  const [old, now] = [setUp(before), setUp(after)];
  const fields = [...new Set([...old.keys(), ...now.keys()])].flatMap((id) => {
    const [was, is] = [old.get(id), now.get(id)];
    const keys = [...new Set([...Object.keys(was?.entry ?? {}), ...Object.keys(is?.entry ?? {})])];
    return [
      ...((was === undefined) === (is === undefined) ? [] : ['id']),
      ...keys.filter((key) => key !== 'id' && !isSame(own(was?.entry, key), own(is?.entry, key))),
      ...(was?.workspace === is?.workspace ? [] : ['workspace']),
    ];
  });
  return [...new Set(fields)].map((field) => ({
    key: `agents.list.*.${field}`,
    writer: (own(WRITERS, field) as Writer | undefined) ?? 'owner',
  }));
}

/** Each agent with what is written of it, and the directory that is named for it there or in the defaults. */
function setUp(parsed: unknown) {
  const list = entriesOf(parsed);
  const first = defaultIdOf(list);
  const usual = own(own(own(parsed, 'agents'), 'defaults'), 'workspace');
  const entries: readonly Partial<Entry>[] = isListed(list, first) ? list : [{ id: first }, ...list];
  return new Map(
    entries.map((entry) => [
      entry.id,
      { entry, workspace: own(entry, 'workspace') ?? (entry.id === first ? usual : undefined) },
    ]),
  );
}
