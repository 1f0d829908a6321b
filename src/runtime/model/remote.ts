import type { JSONObject } from '@ai-sdk/provider';
import { type Level, levelIn, NO_THINKING } from '../../core/conversation/thinking.ts';
import type { Clock } from '../../system/clock.ts';
import { codeOf, isFailure } from '../../system/failure.ts';
import type { OpenClient } from './client/client.ts';
import { ModelFailure } from './failure.ts';
import type { Credentials, Model, Part, Provider, ProviderKind, Step } from './model.ts';
import { callOf } from './prompt.ts';
import { partsOf } from './stream.ts';
import { Wire } from './wire.ts';

export interface RemoteOptions {
  readonly clock: Clock;
  readonly firstByteMs?: number;
  readonly idleMs?: number;
  /** Between two words, whatever else comes. */
  readonly quietMs?: number;
  /** How much it can be told to think; absent: it is told nothing of that. */
  readonly levels?: readonly Level[];
}

/** Node's fetch gives up by itself after so long without a header or a byte. */
const FIRST_BYTE_MS = 290_000;
const IDLE_MS = 90_000;

/** A model of a provider that is reached over HTTP. Nothing is loaded, and no key is asked for, before its first step. */
export function remoteModel(provider: Provider, id: string, options: RemoteOptions): Model {
  const name = `${provider.name}/${id}`;
  return { name, step: (step) => stepOf({ provider, id, name, options }, step) };
}

interface Called {
  readonly provider: Provider;
  readonly id: string;
  readonly name: string;
  readonly options: RemoteOptions;
}

async function* stepOf({ provider, id, name, options }: Called, step: Step): AsyncGenerator<Part> {
  const { key, headers } = await credentialsOf(provider, name);
  const wire = new Wire({
    model: name,
    clock: options.clock,
    signal: step.signal,
    firstByteMs: options.firstByteMs ?? FIRST_BYTE_MS,
    idleMs: options.idleMs ?? IDLE_MS,
    ...(options.quietMs === undefined ? {} : { quietMs: options.quietMs }),
    // A header of a provider's is as good as a key as often as not.
    secrets: [...(key === null ? [] : [key]), ...Object.values(headers)],
  });
  try {
    if (wire.failure !== null) throw wire.failure;
    const open = await clientOf(provider.kind, name);
    const model = open({
      id,
      provider: provider.name,
      baseUrl: provider.baseUrl,
      key,
      headers,
      fetch: wire.fetch,
    });
    const levels = options.levels ?? NO_THINKING;
    const thinks = levels.some((level) => level !== 'off');
    const thinking = thinks && step.thinking !== undefined ? levelIn(levels, step.thinking) : null;
    const call = { ...callOf(step, provider.kind, thinking), ...ownOf(provider.kind, thinks, thinking) };
    yield* partsOf(model, call, { wire, kind: provider.kind });
  } finally {
    wire.close();
  }
}

/** @throws ModelFailure where they can't be had, or there has to be a key and is none */
async function credentialsOf(provider: Provider, model: string): Promise<Credentials> {
  const { keyFrom, kind, isLocal, name } = provider;
  let found: Credentials;
  try {
    found = await provider.credentials();
  } catch (error) {
    // Written for people, and without the secret.
    const why = isFailure(error) ? `${error.what}: ${error.why}` : `the key of ${keyFrom ?? name} can't be had`;
    throw new ModelFailure('setup', { model, why });
  }
  const hasAny = found.key !== null || Object.keys(found.headers).length > 0;
  if (hasAny || isLocal || kind === 'openai-compatible') return found;
  throw new ModelFailure('setup', { model, why: `there is no key: set models.providers.${name}.apiKey` });
}

/** What a provider is told in its own words. */
function ownOf(
  kind: ProviderKind,
  thinks: boolean,
  thinking: Level | null,
): { readonly providerOptions?: Record<string, JSONObject> } {
  // Who is asked to think is asked to tell it, too.
  const tells = thinking !== null && thinking !== 'off';
  switch (kind) {
    case 'openai': {
      // Nothing said stays there longer than the provider's own rules want.
      const options = {
        store: false,
        ...(thinks ? { forceReasoning: true } : {}),
        ...(tells ? { reasoningSummary: 'auto' } : {}),
      };
      return { providerOptions: { openai: options } };
    }
    case 'google':
      return tells ? { providerOptions: { google: { thinkingConfig: { includeThoughts: true } } } } : {};
    default:
      return {};
  }
}

async function clientOf(kind: ProviderKind, model: string): Promise<OpenClient> {
  try {
    return (await load(kind)).open;
  } catch (error) {
    const why = `the part of the program that speaks to it can't be loaded (${codeOf(error) ?? 'broken'})`;
    throw new ModelFailure('setup', { model, why });
  }
}

async function load(kind: ProviderKind): Promise<{ readonly open: OpenClient }> {
  switch (kind) {
    case 'openai':
      return import('./client/openai.ts');
    case 'openai-compatible':
      return import('./client/openai-compatible.ts');
    case 'anthropic':
      return import('./client/anthropic.ts');
    case 'google':
      return import('./client/google.ts');
    case 'offline':
      throw new Error('the offline model needs no client');
  }
}
