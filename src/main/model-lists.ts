import type { LiveConfig } from '../config/live.ts';
import { factsOf } from '../runtime/model/catalog.ts';
import { type Listing, listed } from '../runtime/model/listing.ts';
import { detectLocal, isItself } from '../runtime/model/local.ts';
import type { Provider } from '../runtime/model/model.ts';
import type { Clock } from '../system/clock.ts';
import type { ModelKeys } from './model-keys.ts';

/** Asking a server on this host which models it has, before a run; and when somebody asks what is there. */
const DETECT_MS = 500;
const LOOK_MS = 3_000;
/** For so long what it said holds; whoever asks what is there is told what is there now. */
const FOUND_FOR_MS = 30_000;
const LOOKED_FOR_MS = 1_000;

export interface Look {
  /** Those that are set up, with the models that they list, and those that were found beside them. */
  readonly providers: readonly Provider[];
  /** By name, of those that are set up and were asked: what they answered. */
  readonly lists: ReadonlyMap<string, Listing>;
}

export interface ModelListsOptions {
  readonly live: LiveConfig;
  readonly clock: Clock;
  readonly keys: ModelKeys;
}

interface Kept {
  readonly at: number;
  /** The configuration that it was asked under. */
  readonly by: unknown;
  readonly isClose: boolean;
  readonly look: Promise<Look>;
}

/** What servers say of their models. Those on this host are asked when somebody wants to know; others by a probe alone. */
export class ModelLists {
  readonly #options: ModelListsOptions;
  #kept: Kept | null = null;

  constructor(options: ModelListsOptions) {
    this.#options = options;
  }

  /** @param isClose as it is now, and of each that is set up, also where its models are declared */
  look(set: readonly Provider[], isClose: boolean): Promise<Look> {
    const { clock, live } = this.#options;
    const now = clock.monotonicMs();
    const kept = this.#kept;
    const holds =
      kept !== null &&
      kept.by === live.now &&
      now - kept.at < (isClose ? LOOKED_FOR_MS : FOUND_FOR_MS) &&
      (kept.isClose || !isClose);
    if (holds) return kept.look;
    const look = this.#look(set, isClose);
    this.#kept = { at: now, by: live.now, isClose, look };
    return look;
  }

  async #look(set: readonly Provider[], isClose: boolean): Promise<Look> {
    const { clock } = this.#options;
    const { local } = this.#options.live.now.config.models;
    const free = Object.entries(local.ports).filter(([name]) => !set.some((provider) => provider.name === name));
    const [found, ...filled] = await Promise.all([
      local.enabled ? detectLocal(Object.fromEntries(free), { clock, deadlineMs: DETECT_MS }) : [],
      ...set.map((provider) => this.#filled(provider, isClose)),
    ]);
    const lists = filled.flatMap(({ provider: { name }, listing }) =>
      listing === null ? [] : [[name, listing] as const],
    );
    return { providers: [...filled.map(({ provider }) => provider), ...found], lists: new Map(lists) };
  }

  /** `listing` `null`: it was not asked. */
  async #filled(provider: Provider, isClose: boolean) {
    const isAsked = provider.isLocal && (isClose || provider.models.length === 0) && !this.#needsProgram(provider);
    if (!isAsked) return { provider, listing: null };
    return this.#within(isClose ? LOOK_MS : DETECT_MS, async (signal) => {
      const listing = await this.#listed(provider, signal);
      if (!listing.ok || provider.models.length > 0) return { provider, listing };
      // Who set it up under such a name has said what it is.
      const isFree = provider.isFree ?? (await isItself(provider, listing, signal));
      const own = { ...provider, isFree };
      return { provider: { ...own, models: listing.ids.map((id) => factsOf(own, { id })) }, listing };
    });
  }

  /** Anew, wherever it is: what it takes is nothing, but it is told its key. */
  ask(provider: Provider, timeoutMs: number): Promise<Listing> {
    return this.#within(timeoutMs, (signal) => this.#listed(provider, signal));
  }

  async #within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new AbortController();
    const cancel = this.#options.clock.after(timeoutMs, () => deadline.abort());
    try {
      return await work(deadline.signal);
    } finally {
      cancel();
    }
  }

  async #listed(provider: Provider, signal: AbortSignal): Promise<Listing> {
    let all: Readonly<Record<string, string>>;
    try {
      const { key, headers } = await provider.credentials();
      all = { ...headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
    } catch {
      return { ok: false, failure: 'setup', why: "its key can't be had" };
    }
    return listed(provider.baseUrl, all, signal);
  }

  /** Whoever may only read starts no programs: a provider whose key or header is not at hand is not asked for its list. */
  #needsProgram({ name }: Provider): boolean {
    const { keys, live } = this.#options;
    const declared = live.now.config.models.providers.find((one) => one.name === name);
    const path = `models.providers.${name}`;
    return !(
      keys.isAtHand(`${path}.apiKey`, declared?.apiKey ?? null) &&
      Object.entries(declared?.headers ?? {}).every(([header, input]) =>
        keys.isAtHand(`${path}.headers.${header}`, input),
      )
    );
  }
}
