import type { WantedModel } from '../config/agents.ts';
import { type LocalName, type ProviderConfig, wellKnown } from '../config/models.ts';
import type { SecretInput } from '../config/schema.ts';
import type { Giver } from '../core/authz/principal.ts';
import type { MethodInput, MethodOutput } from '../core/protocol/registry.ts';
import type { ModelDesk } from '../gateway/method/models.ts';
import { Catalog, type CatalogEntry, factsOf } from '../runtime/model/catalog.ts';
import { type Chosen, choose, talking } from '../runtime/model/choice.ts';
import { detectLocal, isLoopbackUrl, listedBy } from '../runtime/model/local.ts';
import type { Credentials, ModelFacts, Provider } from '../runtime/model/model.ts';
import { offlineModel } from '../runtime/model/offline.ts';
import { probe } from '../runtime/model/probe.ts';
import { remoteModel } from '../runtime/model/remote.ts';
import { Rests } from '../runtime/model/rest.ts';
import type { Attempt, Candidate } from '../runtime/model/route.ts';
import { isFailure } from '../system/failure.ts';
import { isOursAt } from '../system/listener.ts';
import { isSlow, ModelKeys, type ModelKeysOptions } from './model-keys.ts';
import { declaredFacts, detailsOf, rowOf } from './model-rows.ts';
import type { Probing } from './probing.ts';

type From = 'configuration' | 'named' | 'environment' | 'found' | 'built-in';
interface Known {
  readonly provider: Provider;
  readonly from: From;
}

export interface ModelsOptions extends ModelKeysOptions {
  /** Who pays for probes, and how many there may be. */
  readonly probing: Probing;
}

/** Asking a server on this host which models it has. */
const DETECT_MS = 500;
const FOUND_FOR_MS = 30_000;
const PROBE_MS = 20_000;

/** The models that the configuration in force, the environment and this host have. Nothing is asked before it is needed. */
export class Models implements ModelDesk {
  readonly #options: ModelsOptions;
  readonly #keys: ModelKeys;
  #found: { readonly at: number; readonly by: unknown; readonly providers: Promise<readonly Provider[]> } | null = null;

  #rests: { readonly by: unknown; readonly rests: Rests };

  constructor(options: ModelsOptions) {
    this.#options = options;
    this.#rests = { by: options.live.now, rests: new Rests(options.clock) };
    this.#keys = new ModelKeys(options);
  }

  /** What an agent thinks with: the model that is named, and those that stand in for it. @param wanted its own; else the default */
  async candidates(wanted?: WantedModel): Promise<readonly [Candidate, ...Candidate[]]> {
    const known = await this.#known();
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
    return this.#catalogOf(await this.#known());
  }

  #catalogOf(known: readonly Known[]): Catalog {
    return new Catalog(
      known.map(({ provider }) => provider),
      this.#config.aliases,
    );
  }

  // ---- answers --------------------------------------------------------------------------------------------------------

  async list({ includeDetails }: MethodInput<'models.list'>): Promise<MethodOutput<'models.list'>> {
    const known = await this.#known();
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
    return includeDetails === true ? { models, accountSelection: AUTOMATIC } : { models };
  }

  async status(): Promise<MethodOutput<'models.status'>> {
    const known = await this.#known();
    const { aliases } = this.#config;
    const catalog = this.#catalogOf(known);
    const strangers = strangersOf(known);
    const { entries, why, problems } = this.#chosen(catalog, strangers);
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
        ...unnamed(provider),
      })),
    );
    const { budget } = this.#options.live.now.config.agents.defaults;
    return { model: first.name, why, fallbacks: rest.map(({ name }) => name), budget, aliases, providers, problems };
  }

  async probe(
    { provider, timeoutMs = PROBE_MS }: MethodInput<'models.probe'>,
    giver: Giver,
  ): ReturnType<ModelDesk['probe']> {
    const { clock, probing } = this.#options;
    const known = await this.#known();
    const catalog = this.#catalogOf(known);
    if (provider !== undefined && catalog.provider(provider) === null) return null;
    if (!probing.begin(giver)) return 'often';
    const { entries } = this.#chosen(catalog, strangersOf(known));
    const wanted = new Map(entries.map((entry) => [entry.name, entry]));
    for (const other of catalog.providers) {
      if (other.kind === 'offline' || entries.some((entry) => entry.provider === other)) continue;
      const one = choose(new Catalog([other], {}), { primary: null, fallbacks: [] }).entries[0];
      if (one.provider === other) wanted.set(one.name, one);
    }
    const asked = [...wanted.values()].filter((entry) => provider === undefined || entry.provider.name === provider);
    const allow = (candidate: Candidate) => probing.allow(candidate);
    const ended = (attempt: Attempt) => probing.ended(attempt, giver);
    const purse = { clock, timeoutMs, allow, ended };
    return { probes: await Promise.all(asked.map((entry) => probe(this.#candidate(entry), purse))) };
  }

  // ---- providers ------------------------------------------------------------------------------------------------------

  get #config() {
    return this.#options.live.now.config.models;
  }

  #chosen(catalog: Catalog, strangers: ReadonlySet<string>, wanted?: WantedModel): Chosen {
    return choose(catalog, wanted ?? this.#options.live.now.config.agents.defaults.model, strangers);
  }

  /** Those of the configuration, those that a name of a model there means, else those of the environment; and this host's. */
  async #known(): Promise<readonly Known[]> {
    const { providers, local } = this.#config;
    const configured = providers.map((one): Known => ({ provider: this.#providerOf(one), from: 'configuration' }));
    const named = this.#named().map((one): Known => ({ provider: one, from: 'named' }));
    const isBare = configured.length + named.length === 0;
    const given = isBare ? this.#ofEnvironment().map((one): Known => ({ provider: one, from: 'environment' })) : [];
    const set = [...configured, ...named, ...given];
    if (!local.enabled) return set;
    const found = await this.#local(set.map(({ provider }) => provider));
    const filled = set.map((one) => ({
      ...one,
      provider: found.find(({ name }) => name === one.provider.name) ?? one.provider,
    }));
    const more = found.filter(({ name }) => !set.some(({ provider }) => provider.name === name));
    return [...filled, ...more.map((provider): Known => ({ provider, from: 'found' }))];
  }

  #providerOf({ name, kind, baseUrl, apiKey, headers, models }: ProviderConfig): Provider {
    const isLocal = kind === 'openai-compatible' && isLoopbackUrl(baseUrl);
    const base = { kind, baseUrl, isLocal };
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
    return known === null ? null : this.#providerOf({ ...known, name, apiKey: null, headers: {}, models: [] });
  }

  /** Servers on this host with what they list: those at their usual ports, and those that are set up without a list. */
  #local(set: readonly Provider[]): Promise<readonly Provider[]> {
    const { clock, live } = this.#options;
    const now = clock.monotonicMs();
    const { now: by } = live;
    if (this.#found !== null && this.#found.by === by && now - this.#found.at < FOUND_FOR_MS)
      return this.#found.providers;
    const { ports } = this.#config.local;
    const free = Object.entries(ports).filter(([name]) => !set.some((provider) => provider.name === name));
    const unlisted = set.filter((provider) => {
      return provider.isLocal && provider.models.length === 0 && !this.#needsProgram(provider);
    });
    const providers = Promise.all([
      detectLocal(Object.fromEntries(free), { clock, deadlineMs: DETECT_MS }),
      ...unlisted.map(async (provider) => {
        const models = await this.#listed(provider);
        return models === null ? [] : [{ ...provider, models }];
      }),
    ]).then((all) => all.flat());
    this.#found = { at: now, by, providers };
    return providers;
  }

  /** Whoever may only read starts no programs: a provider whose key or header is not at hand is not asked for its list. */
  #needsProgram({ name }: Provider): boolean {
    const declared = this.#config.providers.find((one) => one.name === name);
    const path = `models.providers.${name}`;
    return !(
      this.#keys.isAtHand(`${path}.apiKey`, declared?.apiKey ?? null) &&
      Object.entries(declared?.headers ?? {}).every(([header, input]) =>
        this.#keys.isAtHand(`${path}.headers.${header}`, input),
      )
    );
  }

  async #listed(provider: Provider): Promise<readonly ModelFacts[] | null> {
    const deadline = new AbortController();
    const cancel = this.#options.clock.after(DETECT_MS, () => deadline.abort());
    try {
      const { key, headers } = await provider.credentials();
      const all = { ...headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
      const ids = await listedBy(provider.baseUrl, all, deadline.signal);
      return ids === null ? null : ids.map((id) => factsOf(provider, { id }));
    } catch {
      // Its key can't be had: `status` says so.
      return null;
    } finally {
      cancel();
    }
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
