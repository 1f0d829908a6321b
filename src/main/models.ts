import type { WantedModel } from '../config/agents.ts';
import { type LocalName, type ProviderConfig, wellKnown } from '../config/models.ts';
import type { SecretInput } from '../config/schema.ts';
import type { Giver } from '../core/authz/principal.ts';
import type { MethodInput, MethodOutput } from '../core/protocol/registry.ts';
import type { ModelDesk } from '../gateway/method/models.ts';
import { Catalog, type CatalogEntry, factsOf } from '../runtime/model/catalog.ts';
import { type Chosen, choose, talking } from '../runtime/model/choice.ts';
import type { Listing } from '../runtime/model/listing.ts';
import { isLoopbackUrl } from '../runtime/model/local.ts';
import type { Credentials, Provider } from '../runtime/model/model.ts';
import { offlineModel } from '../runtime/model/offline.ts';
import { type Probe, probe } from '../runtime/model/probe.ts';
import { remoteModel } from '../runtime/model/remote.ts';
import { Rests } from '../runtime/model/rest.ts';
import type { Attempt, Candidate } from '../runtime/model/route.ts';
import { isFailure } from '../system/failure.ts';
import { isOursAt } from '../system/listener.ts';
import { isSlow, ModelKeys, type ModelKeysOptions } from './model-keys.ts';
import { ModelLists } from './model-lists.ts';
import { notesOf } from './model-notes.ts';
import { declaredFacts, detailsOf, rowOf, unlistedOf } from './model-rows.ts';
import type { Probing } from './probing.ts';
import type { SpentToday } from './spending.ts';

type From = 'configuration' | 'named' | 'environment' | 'found' | 'built-in';
interface Known {
  readonly provider: Provider;
  readonly from: From;
}
interface Seen {
  readonly known: readonly Known[];
  /** What the servers answered that were asked for their models, by provider. */
  readonly lists: ReadonlyMap<string, Listing>;
}

export interface ModelsOptions extends ModelKeysOptions {
  /** Who pays for probes, and how many there may be. */
  readonly probing: Probing;
  readonly spent: SpentToday;
}

const PROBE_MS = 20_000;

/** The models that the configuration in force, the environment and this host have. Nothing is asked before it is needed. */
export class Models implements ModelDesk {
  readonly #options: ModelsOptions;
  readonly #keys: ModelKeys;
  readonly #lists: ModelLists;
  #rests: { readonly by: unknown; readonly rests: Rests };

  constructor(options: ModelsOptions) {
    this.#options = options;
    this.#rests = { by: options.live.now, rests: new Rests(options.clock) };
    this.#keys = new ModelKeys(options);
    this.#lists = new ModelLists({ ...options, keys: this.#keys });
  }

  /** What an agent thinks with: the model that is named, and those that stand in for it. @param wanted its own; else the default */
  async candidates(wanted?: WantedModel): Promise<readonly [Candidate, ...Candidate[]]> {
    const { known } = await this.#seen();
    const [first, ...rest] = this.#chosen(this.#catalogOf(known), strangersOf(known), wanted).entries;
    return [this.candidate(first), ...rest.map((entry) => this.candidate(entry))];
  }

  /** A model by its name, and those that stand in for it: `fallbacks`, or the default ones; `null`: there is none. */
  async named(
    name: string,
    fallbacks: readonly string[] = this.#options.live.now.config.agents.defaults.model.fallbacks,
  ): Promise<readonly [Candidate, ...Candidate[]] | null> {
    const catalog = await this.catalog();
    const found = catalog.find(name);
    if (!found.ok) return null;
    const others = fallbacks.flatMap((other) => {
      const one = catalog.find(other);
      return one.ok && one.entry.name !== found.entry.name ? one.entry : [];
    });
    return [this.candidate(found.entry), ...others.map((entry) => this.candidate(entry))];
  }

  candidate(entry: CatalogEntry): Candidate {
    const { clock, live } = this.#options;
    // Another key may be let in where the one before was asked to wait.
    if (this.#rests.by !== live.now) this.#rests = { by: live.now, rests: new Rests(clock) };
    const { model, facts } = this.#candidate(entry);
    return { model: this.#rests.rests.of(model), facts };
  }

  #candidate({ provider, facts }: CatalogEntry): Candidate {
    const { clock } = this.#options;
    const { id, levels } = facts;
    const model = provider.kind === 'offline' ? offlineModel : remoteModel(provider, id, { clock, levels });
    return { model, facts };
  }

  async catalog(): Promise<Catalog> {
    return this.#catalogOf((await this.#seen()).known);
  }

  #catalogOf(known: readonly Known[]): Catalog {
    return new Catalog(
      known.map(({ provider }) => provider),
      this.#config.aliases,
    );
  }

  // ---- answers --------------------------------------------------------------------------------------------------------

  async list({ includeDetails }: MethodInput<'models.list'>): Promise<MethodOutput<'models.list'>> {
    const { known, lists } = await this.#seen(true);
    const catalog = this.#catalogOf(known);
    const chosen = this.#chosen(catalog, strangersOf(known));
    const listed = catalog.list();
    const aliases = catalog.aliases;
    const named = [...chosen.entries, ...aliases.map(({ entry }) => entry)];
    const others = named.filter(
      (entry, i) =>
        !listed.some(({ name }) => name === entry.name) && named.findIndex(({ name }) => name === entry.name) === i,
    );
    const ready = await this.#ready(catalog.providers);
    const { thinking } = this.#options.live.now.config.agents.defaults;
    const models = [...others, ...listed].map((entry) => {
      const at = chosen.entries.findIndex(({ name }) => name === entry.name);
      const place = at === -1 ? [] : [at === 0 ? 'default' : `fallback#${at}`];
      const own = aliases.filter((alias) => alias.entry.name === entry.name).map(({ alias }) => `alias:${alias}`);
      const tags = [...place, ...own];
      return {
        ...rowOf(entry, ready.get(entry.provider.name) === true),
        tags,
        ...(includeDetails === true ? detailsOf(entry, thinking) : {}),
      };
    });
    const unlisted = catalog.providers.flatMap(({ name }) => {
      const why = unlistedOf(lists.get(name));
      return why === null ? [] : [{ provider: name, ...why }];
    });
    return {
      models,
      ...(includeDetails === true ? { accountSelection: AUTOMATIC } : {}),
      ...(unlisted.length === 0 ? {} : { unlisted }),
    };
  }

  async status(): Promise<MethodOutput<'models.status'>> {
    const { known, lists } = await this.#seen(true);
    const { aliases } = this.#config;
    const { agents } = this.#options.live.now.config;
    const catalog = this.#catalogOf(known);
    const strangers = strangersOf(known);
    const { entries, why } = this.#chosen(catalog, strangers);
    const named = new Set(entries.map(({ provider }) => provider.name));
    const unnamed = (provider: Provider) => {
      const model = strangers.has(provider.name) && !named.has(provider.name) ? talking(provider) : null;
      return model === null ? {} : { unnamed: `${provider.name}/${model}` };
    };
    const [first, ...rest] = entries;
    const listed = catalog.list();
    const all: readonly Known[] = catalog.providers.map(
      (provider) => known.find((one) => one.provider === provider) ?? { provider, from: 'built-in' },
    );
    const providers = await Promise.all(
      all.map(async ({ provider, from }) => ({
        name: provider.name,
        kind: provider.kind,
        baseUrl: provider.baseUrl,
        local: provider.isLocal,
        from,
        key: await this.#keyOf(provider),
        models: listed.filter((entry) => entry.provider === provider).length,
        ...(provider.kind !== 'offline' && this.#declares(provider) ? { declared: true } : {}),
        ...unlistedIn(lists.get(provider.name)),
        ...unnamed(provider),
      })),
    );
    const fallbacks = rest.map(({ name }) => name);
    const { problems, warnings } = notesOf({ catalog, agents, first, lists });
    const spent = await this.#options.spent(agents.list);
    const { budget } = agents.defaults;
    return { model: first.name, why, fallbacks, budget, ...spent, aliases, providers, problems, warnings };
  }

  async probe(
    { provider, timeoutMs = PROBE_MS }: MethodInput<'models.probe'>,
    giver: Giver,
  ): ReturnType<ModelDesk['probe']> {
    const { clock, probing } = this.#options;
    const { known } = await this.#seen();
    const catalog = this.#catalogOf(known);
    if (provider !== undefined && catalog.provider(provider) === null) return null;
    if (!probing.begin(giver)) return 'often';
    const { entries } = this.#chosen(catalog, strangersOf(known));
    const isAsked = ({ name }: Provider) => provider === undefined || provider === name;
    const wanted = new Map(entries.filter((entry) => isAsked(entry.provider)).map((entry) => [entry.name, entry]));
    const failed: Probe[] = [];
    const others = catalog.providers.filter(
      (other) => other.kind !== 'offline' && isAsked(other) && !entries.some((entry) => entry.provider === other),
    );
    for (const one of await Promise.all(others.map((other) => this.#oneOf(other, timeoutMs)))) {
      if ('failure' in one) failed.push(one);
      else wanted.set(one.name, one);
    }
    const allow = (candidate: Candidate) => probing.allow(candidate);
    const ended = (attempt: Attempt) => probing.ended(attempt, giver);
    const purse = { clock, timeoutMs, allow, ended };
    const probes = await Promise.all([...wanted.values()].map((entry) => probe(this.#candidate(entry), purse)));
    return { probes: [...probes, ...failed] };
  }

  /** A model of it that can be called; where none is known it is asked for its list anew, and what that failed of is told. */
  async #oneOf(provider: Provider, timeoutMs: number): Promise<CatalogEntry | Probe> {
    const chosenIn = (one: Provider) => {
      const entry = choose(new Catalog([one], {}), { primary: null, fallbacks: [] }).entries[0];
      return entry.provider === one ? entry : null;
    };
    const known = chosenIn(provider);
    if (known !== null) return known;
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const listing = await this.#lists.ask(provider, timeoutMs);
    const models = listing.ok ? listing.ids.map((id) => factsOf(provider, { id })) : [];
    const entry = chosenIn({ ...provider, models });
    if (entry !== null) return entry;
    const { failure, why } = listing.ok ? { failure: 'not_found', why: 'it lists no model' } : listing;
    const durationMs = Math.round(clock.monotonicMs() - beganMs);
    return { model: provider.name, ok: false, durationMs, tokens: null, failure, why: `asked for its models: ${why}` };
  }

  // ---- providers ------------------------------------------------------------------------------------------------------

  get #config() {
    return this.#options.live.now.config.models;
  }

  #chosen(catalog: Catalog, strangers: ReadonlySet<string>, wanted?: WantedModel): Chosen {
    return choose(catalog, wanted ?? this.#options.live.now.config.agents.defaults.model, strangers);
  }

  /** Those of the configuration, those that a name of a model there means, else those of the environment; and this host's. */
  async #seen(isClose = false): Promise<Seen> {
    const { providers } = this.#config;
    const configured = providers.map((one): Known => ({ provider: this.#providerOf(one), from: 'configuration' }));
    const named = this.#named().map((one): Known => ({ provider: one, from: 'named' }));
    const isBare = configured.length + named.length === 0;
    const given = isBare ? this.#ofEnvironment().map((one): Known => ({ provider: one, from: 'environment' })) : [];
    const set = [...configured, ...named, ...given];
    const look = await this.#lists.look(
      set.map(({ provider }) => provider),
      isClose,
    );
    const from = new Map(set.map((one) => [one.provider.name, one.from]));
    const known = look.providers.map((provider): Known => ({ provider, from: from.get(provider.name) ?? 'found' }));
    return { known, lists: look.lists };
  }

  /** Its models stand in the configuration. */
  #declares({ name }: Provider): boolean {
    return this.#config.providers.some((one) => one.name === name && one.models.length > 0);
  }

  #providerOf({ name, kind, baseUrl, apiKey, headers, models }: ProviderConfig, isConfigured = true): Provider {
    const isLocal = kind === 'openai-compatible' && isLoopbackUrl(baseUrl);
    // Whoever writes down that Ollama is here has said what it is; an address alone says nothing of who sends a bill.
    const isFree = isLocal && isConfigured && Object.hasOwn(this.#config.local.ports, name);
    const base = { kind, baseUrl, isLocal, ...(isFree ? { isFree } : {}) };
    const path = `models.providers.${name}`;
    const variable = apiKey === null ? this.#keys.variableOf(name) : null;
    const input: SecretInput | null = apiKey ?? (variable === null ? null : { source: 'env', id: variable });
    return {
      ...base,
      name,
      keyFrom: apiKey !== null ? placeOf(`${path}.apiKey`, apiKey) : variable === null ? null : fromEnv(variable),
      models: models.map((declared) => factsOf(base, declaredFacts(declared))),
      credentials: async (): Promise<Credentials> => {
        const key = input === null ? null : await this.#keys.secret(`${path}.apiKey`, input);
        const sent = Object.entries(headers).map(
          async ([header, value]) => [header, await this.#keys.secret(`${path}.headers.${header}`, value)] as const,
        );
        return { key, headers: Object.fromEntries(await Promise.all(sent)) };
      },
    };
  }

  /** Providers that a model's name means, and that need nothing but their name. */
  #named(): readonly Provider[] {
    const { aliases, providers, local } = this.#config;
    const { defaults, list } = this.#options.live.now.config.agents;
    const names = [defaults.model, ...list.flatMap(({ model }) => model ?? [])]
      .flatMap(({ primary, fallbacks }) => [...(primary === null ? [] : [primary]), ...fallbacks])
      .map((name) => (Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name));
    const wanted = new Set(
      [...names, ...Object.values(aliases)].map((name) => name.slice(0, Math.max(0, name.indexOf('/')))),
    );
    return [...wanted]
      .filter((name) => !providers.some((one) => one.name === name))
      .flatMap((name) => this.#bare(name, local.ports) ?? []);
  }

  #ofEnvironment(): readonly Provider[] {
    const { ports } = this.#config.local;
    return this.#keys.ofEnvironment.flatMap((name) => this.#bare(name, ports) ?? []);
  }

  #bare(name: string, ports: Readonly<Record<LocalName, number>>): Provider | null {
    const known = wellKnown(name, ports);
    return known === null ? null : this.#providerOf({ ...known, name, apiKey: null, headers: {}, models: [] }, false);
  }

  // ---- keys -----------------------------------------------------------------------------------------------------------

  /** By name: whether there is what it needs to be asked. */
  async #ready(providers: readonly Provider[]): Promise<ReadonlyMap<string, boolean>> {
    const rows = providers.map(async (provider) => {
      const { state } = await this.#keyOf(provider);
      return [provider.name, state !== 'unresolved' && (state !== 'missing' || !wantsKey(provider))] as const;
    });
    return new Map(await Promise.all(rows));
  }

  async #keyOf(provider: Provider): Promise<MethodOutput<'models.status'>['providers'][number]['key']> {
    const { keyFrom, isLocal, kind } = provider;
    const state = (name: string, why: string | null = null) => ({ state: name, from: keyFrom, why });
    if (kind === 'offline' || (isLocal && keyFrom === null)) return state('unneeded');
    const declared = this.#config.providers.find(({ name }) => name === provider.name);
    // Whoever may only read starts no programs.
    if (isSlow(declared?.apiKey ?? null)) return state('unread');
    if (keyFrom === null) return state('missing');
    const variable = this.#keys.variableOf(provider.name);
    const input = declared?.apiKey ?? (variable === null ? null : { source: 'env' as const, id: variable });
    try {
      if (input !== null) await this.#keys.secret(`models.providers.${provider.name}.apiKey`, input);
      return state('present');
    } catch (error) {
      return state('unresolved', isFailure(error) ? error.why : 'it cannot be had');
    }
  }
}

function unlistedIn(listing: Listing | undefined) {
  const unlisted = unlistedOf(listing);
  return unlisted === null ? {} : { unlisted };
}

const AUTOMATIC = { kind: 'automatic', label: 'Automatic account selection' } as const;

/** Servers that were found, and that are not known to be the gateway's own user's. Looked at anew each time: they change. */
function strangersOf(known: readonly Known[]): ReadonlySet<string> {
  const found = known.filter(({ from, provider }) => from === 'found' && !isOursAt(portOf(provider.baseUrl)));
  return new Set(found.map(({ provider }) => provider.name));
}

/** Whether it answers nobody without one: a compatible server may be anybody's. */
function wantsKey({ name, kind }: Provider): boolean {
  return kind !== 'openai-compatible' || name === 'openrouter';
}

function portOf(url: string): number {
  return Number(new URL(url).port || 80);
}

function placeOf(path: string, input: SecretInput): string {
  return typeof input === 'string' ? path : `${path} (${input.source})`;
}

const fromEnv = (variable: string) => `${variable} in the gateway's environment`;
