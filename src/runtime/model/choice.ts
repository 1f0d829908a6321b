import type { Catalog, CatalogEntry } from './catalog.ts';
import { knownModels } from './known.ts';
import type { Provider } from './model.ts';
import { offlineModel } from './offline.ts';

/** What the configuration says of the model that an agent thinks with. */
export interface Wanted {
  /** `null`: nothing. */
  readonly primary: string | null;
  readonly fallbacks: readonly string[];
}

export interface Chosen {
  /** The first is the one; the others stand in for it. */
  readonly entries: readonly [CatalogEntry, ...CatalogEntry[]];
  /** Why it is this one, for people. */
  readonly why: string;
  /** Names that lead nowhere, each in one sentence. */
  readonly problems: readonly string[];
}

/** OpenRouter's own choice of a model; its list is too long for one of ours. */
const OPENROUTER_AUTO = 'openrouter/auto';
/** Models that don't talk. */
const SILENT = /embed|rerank|whisper|tts|moderation/i;

/**
 * The models of an agent: those that are named; else the first of the first provider that is set up or was found; else the
 * built-in one. Not of `strangers`, whom nobody knows to be the owner's: they would be told everything that is said; they
 * are asked where they are named. A name that leads nowhere never falls to a model that nobody named: the built-in one says so instead.
 */
export function choose(catalog: Catalog, wanted: Wanted, strangers: ReadonlySet<string> = new Set()): Chosen {
  const problems: string[] = [];
  const entryOf = (name: string): CatalogEntry | null => {
    const found = catalog.find(name);
    if (found.ok) return found.entry;
    const near = found.near === null ? '' : `; did you mean '${found.near}'?`;
    problems.push(`${name}: ${found.why}${near}`);
    return null;
  };
  if (wanted.primary !== null) {
    const named = [wanted.primary, ...wanted.fallbacks].flatMap((name) => entryOf(name) ?? []);
    // None stands in for itself, whatever it is called.
    const [first, ...rest] = named.filter(({ name }, i) => named.findIndex((one) => one.name === name) === i);
    if (first !== undefined) return { entries: [first, ...rest], why: 'agents.defaults.model', problems };
    return { entries: [offlineEntry(catalog)], why: 'agents.defaults.model leads nowhere', problems };
  }
  for (const provider of catalog.providers.filter(({ name }) => !strangers.has(name))) {
    const id =
      talking(provider) ??
      (provider.kind === 'openai-compatible' ? null : knownModels(provider.kind)[0]?.id) ??
      (provider.name === 'openrouter' ? OPENROUTER_AUTO : null);
    const entry = id === null || provider.kind === 'offline' ? null : entryOf(`${provider.name}/${id}`);
    if (entry !== null) return { entries: [entry], why: `the first model of '${provider.name}'`, problems };
  }
  return { entries: [offlineEntry(catalog)], why: modelless(catalog, strangers), problems };
}

/** Why none of the providers is thought with. */
function modelless(catalog: Catalog, strangers: ReadonlySet<string>): string {
  const names = catalog.providers.flatMap(({ name, kind }) =>
    kind === 'offline' || strangers.has(name) ? [] : `'${name}'`,
  );
  return names.length === 0 ? 'no provider is set up' : `no model of ${names.join(', ')} is known`;
}

/** The first model of its list that talks; `null`: none. */
export function talking(provider: Provider): string | null {
  return provider.models.find((model) => !SILENT.test(model.id))?.id ?? null;
}

function offlineEntry(catalog: Catalog): CatalogEntry {
  const found = catalog.find(offlineModel.name);
  if (!found.ok) throw new Error('the built-in model is gone');
  return found.entry;
}
