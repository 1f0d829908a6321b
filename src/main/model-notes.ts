import type { Agents, WantedModel } from '../config/agents.ts';
import { effective } from '../core/conversation/thinking.ts';
import type { Catalog, CatalogEntry } from '../runtime/model/catalog.ts';
import type { Listing } from '../runtime/model/listing.ts';
import { nearest } from '../system/text.ts';

export interface Notes {
  /** Names that lead nowhere, as far as anybody can tell; each in one sentence. */
  readonly problems: readonly string[];
  /** What may be meant, and is likely not. */
  readonly warnings: readonly string[];
}

export interface NotesOf {
  readonly catalog: Catalog;
  readonly agents: Agents;
  /** What agents think with that have no model of their own, whether or not it was named. */
  readonly first: CatalogEntry;
  /** What servers answered, by provider. */
  readonly lists: ReadonlyMap<string, Listing>;
}

/** What is to be said of the models that the agents were given. */
export function notesOf({ catalog, agents, first, lists }: NotesOf): Notes {
  const problems = new Set<string>();
  const warnings = new Set<string>();
  const look = (name: string) => {
    const found = catalog.find(name);
    if (!found.ok) {
      problems.add(`${name}: ${found.why}${found.near === null ? '' : `; did you mean '${found.near}'?`}`);
      return null;
    }
    const why = unlisted(found.entry, lists.get(found.entry.provider.name));
    if (why !== null) (why.isKnown ? problems : warnings).add(why.text);
    return found.entry;
  };
  const defaults = namesOf(agents.defaults.model).map(look);
  const own = agents.list.map(({ model }) => (model === null ? null : namesOf(model).map(look)));
  // What answers by itself where nothing can be asked is known not to think.
  const thinking = [defaults[0] ?? first, ...own.flatMap((entries) => entries?.[0] ?? [])];
  for (const entry of thinking) {
    const why = entry.provider.kind === 'offline' ? null : unthinking(entry, agents);
    if (why !== null) warnings.add(why);
  }
  return { problems: [...problems], warnings: [...warnings] };
}

/** Fallbacks stand in for something: without a first model they are not asked. */
function namesOf({ primary, fallbacks }: WantedModel): readonly string[] {
  return primary === null ? [] : [primary, ...fallbacks];
}

/** `isKnown`: its server lists others, and not this one. `null`: it is listed, or nobody has a list. */
function unlisted(
  { name, provider, facts: { id }, isListed }: CatalogEntry,
  listing: Listing | undefined,
): { readonly text: string; readonly isKnown: boolean } | null {
  if (isListed) return null;
  const ids = listing?.ok === true ? listing.ids : [];
  // Ollama lists `m:latest`, and is asked for `m`.
  if (ids.includes(`${id}:latest`)) return null;
  const near = nearest(id, ids.length > 0 ? ids : provider.models.map((model) => model.id));
  const meant = near === null ? '' : `; did you mean '${provider.name}/${near}'?`;
  if (ids.length > 0) return { text: `${name}: '${provider.name}' does not list it${meant}`, isKnown: true };
  if (provider.models.length === 0) return null;
  const text = `${name}: it is not among the models that are declared for '${provider.name}'${meant}`;
  return { text, isKnown: false };
}

/** A wish that its model doesn't have: it is told nothing of it. */
function unthinking(
  { name, facts }: CatalogEntry,
  { defaults: { thinking } }: Pick<Agents, 'defaults'>,
): string | null {
  if (thinking === null || thinking === 'off' || thinking === 'adaptive') return null;
  if (effective(facts.levels, thinking) !== 'off') return null;
  return `agents.defaults.thinkingDefault is '${thinking}', and ${name} is not known to think: it is told nothing of it`;
}
