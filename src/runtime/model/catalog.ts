import { type Level, NO_THINKING } from '../../core/conversation/thinking.ts';
import { nearest } from '../../system/text.ts';
import { knownFacts, knownModels } from './known.ts';
import type { ModelFacts, Price, Provider } from './model.ts';
import { offlineProvider } from './offline.ts';

/** Where the vendors are; a provider that is elsewhere may serve other models under the same names. */
export const VENDOR_URLS: Readonly<Record<string, string>> = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com/v1',
  google: 'https://generativelanguage.googleapis.com/v1beta',
};

/** A model that can be asked for. */
export interface CatalogEntry {
  /** `openai/gpt-…` */
  readonly name: string;
  readonly provider: Provider;
  readonly facts: ModelFacts;
  /** Declared, known or told by its server; `false`: only its name was asked for. */
  readonly isListed: boolean;
}

export type Found =
  | { readonly ok: true; readonly entry: CatalogEntry }
  /** `near`: what was probably meant. */
  | { readonly ok: false; readonly why: string; readonly near: string | null };

/** What every server takes whose model is declared to think. */
const USUAL: readonly Level[] = ['off', 'low', 'medium', 'high'];
const FREE: Price = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

/** The models of the providers that are set up, by name and by alias. The built-in one is always among them. */
export class Catalog {
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #aliases: Readonly<Record<string, string>>;

  constructor(providers: readonly Provider[], aliases: Readonly<Record<string, string>>) {
    this.#providers = new Map([...providers, offlineProvider].map((provider) => [provider.name, provider]));
    this.#aliases = aliases;
  }

  get providers(): readonly Provider[] {
    return [...this.#providers.values()];
  }

  /** `null`: there is none. */
  provider(name: string): Provider | null {
    return this.#providers.get(name) ?? null;
  }

  list(): readonly CatalogEntry[] {
    return this.providers.flatMap((provider) => listed(provider).map((facts) => entryOf(provider, facts, true)));
  }

  /** Those that lead somewhere. */
  get aliases(): readonly { readonly alias: string; readonly entry: CatalogEntry }[] {
    return Object.keys(this.#aliases).flatMap((alias) => {
      const found = this.find(alias);
      return found.ok ? { alias, entry: found.entry } : [];
    });
  }

  /** By `provider/model`, or by an alias. A model that nobody listed may be there all the same: its provider knows. */
  find(name: string): Found {
    const full = Object.hasOwn(this.#aliases, name) ? (this.#aliases[name] ?? name) : name;
    const slash = full.indexOf('/');
    if (slash <= 0 || slash === full.length - 1) return this.#unknown(full, 'a model is PROVIDER/MODEL, or an alias');
    const [providerName, id] = [full.slice(0, slash), full.slice(slash + 1)];
    const provider = this.#providers.get(providerName);
    if (provider === undefined) return this.#unknown(full, `no provider '${providerName}' is set up`);
    const facts = listed(provider).find((model) => model.id === id);
    if (facts !== undefined) return { ok: true, entry: entryOf(provider, facts, true) };
    if (provider.kind === 'offline') return this.#unknown(full, `'${providerName}' has no model '${id}'`);
    return { ok: true, entry: entryOf(provider, factsOf(provider, { id }), false) };
  }

  #unknown(name: string, why: string): Found {
    const names = [...this.list().map((entry) => entry.name), ...Object.keys(this.#aliases)];
    return { ok: false, why, near: nearest(name, names) };
  }
}

function entryOf(provider: Provider, facts: ModelFacts, isListed: boolean): CatalogEntry {
  return { name: `${provider.name}/${facts.id}`, provider, facts, isListed };
}

/** Those that the configuration declares come first; the vendor's known ones, where nothing is declared. */
function listed(provider: Provider): readonly ModelFacts[] {
  if (provider.models.length > 0) return provider.models;
  return isVendor(provider) ? knownModels(provider.kind) : [];
}

function isVendor({ kind, baseUrl }: Provider): boolean {
  return VENDOR_URLS[kind] === baseUrl;
}

/** Ollama's models that run in its cloud are listed with those that run here: `gpt-oss:120b-cloud`, `glm-4.6:cloud`. */
function isElsewhere(id: string): boolean {
  return /[:-]cloud$/.test(id);
}

/** What is declared of a model beats what is known of it; what neither says stays unknown. */
export function factsOf(
  provider: Pick<Provider, 'kind' | 'baseUrl' | 'isFree'>,
  declared: Partial<ModelFacts> & { readonly id: string },
): ModelFacts {
  const known = VENDOR_URLS[provider.kind] === provider.baseUrl ? knownFacts(provider.kind, declared.id) : null;
  const reasoning = declared.reasoning ?? known?.reasoning ?? null;
  return {
    id: declared.id,
    name: declared.name ?? known?.name ?? declared.id,
    contextWindow: declared.contextWindow ?? known?.contextWindow ?? null,
    maxOutputTokens: declared.maxOutputTokens ?? known?.maxOutputTokens ?? null,
    input: declared.input ?? known?.input ?? null,
    reasoning,
    levels: reasoning === true ? (known?.levels ?? USUAL) : NO_THINKING,
    price: declared.price ?? known?.price ?? (provider.isFree === true && !isElsewhere(declared.id) ? FREE : null),
  };
}
