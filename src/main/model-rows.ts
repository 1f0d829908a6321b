import type { ProviderConfig } from '../config/models.ts';
import { effective, type Thinking } from '../core/conversation/thinking.ts';
import type { CatalogEntry } from '../runtime/model/catalog.ts';
import type { Listing } from '../runtime/model/listing.ts';

/** With `includeDetails`. @param thinking what is wished where nobody says */
export function detailsOf({ facts: { levels } }: CatalogEntry, thinking: Thinking | null) {
  const thinkingLevels = levels.map((level) => ({ id: level, label: level }));
  return { thinkingLevels, thinkingDefault: effective(levels, thinking) };
}

/** A model as `models.list` tells it. */
export function rowOf({ provider, facts, isListed }: CatalogEntry, available: boolean) {
  const { id, name, contextWindow, maxOutputTokens, input, reasoning, price } = facts;
  return {
    id,
    name,
    provider: provider.name,
    local: provider.isLocal,
    available,
    ...(isListed ? {} : { listed: false }),
    ...(contextWindow === null ? {} : { contextWindow }),
    ...(reasoning === null ? {} : { reasoning }),
    ...(input === null ? {} : { input: [...input] }),
    ...(maxOutputTokens === null ? {} : { maxTokens: maxOutputTokens }),
    ...(price === null ? {} : { cost: { input: price.input, output: price.output } }),
  };
}

/** What the configuration says of a model. */
export function declaredFacts({
  id,
  name,
  contextWindow,
  maxTokens,
  input,
  reasoning,
  cost,
}: ProviderConfig['models'][number]) {
  return {
    id,
    ...(name === undefined ? {} : { name }),
    ...(contextWindow === undefined ? {} : { contextWindow }),
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(input === undefined ? {} : { input }),
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(cost === undefined
      ? {}
      : { price: { ...cost, cacheRead: cost.cacheRead ?? null, cacheWrite: cost.cacheWrite ?? null } }),
  };
}

/** What became of asking for its models; `null`: it listed them, was not asked, or is a server that has no list. */
export function unlistedOf(listing: Listing | undefined) {
  if (listing === undefined || listing.ok || listing.failure === 'not_found') return null;
  return { failure: listing.failure, why: listing.why };
}
