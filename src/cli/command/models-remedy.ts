import type { Context } from '../context.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/**
 * Of a provider or an agent, as the configuration takes it; of a model. All of them come from a gateway that may lie: in a
 * command stands what a shell thinks nothing of.
 */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const MODEL = /^[a-z0-9][a-z0-9_-]{0,63}\/[A-Za-z0-9][\w.:/@+-]{0,255}$/;

/** Where setting models up is told. */
export const PAGE = 'docs/models.md';

export function isProviderName(name: string): boolean {
  return NAME.test(name);
}

export function setKey(context: Context, provider: string): string {
  return NAME.test(provider)
    ? `${context.command} config set models.providers.${provider}.apiKey -`
    : `${context.command} models list`;
}

export function setModel(context: Context, model: string): string {
  return MODEL.test(model) ? `${context.command} models set ${model}` : `${context.command} models list`;
}

/** What helps where a provider was asked for its models and gave none. */
export function listRemedy(context: Context, provider: string, failure: string | null): string {
  if (!NAME.test(provider)) return `${context.command} models list`;
  switch (failure) {
    case 'auth':
    case 'setup':
      return setKey(context, provider);
    case 'network':
    case 'idle':
      return `start the server of '${provider}', then: ${context.command} models status`;
    case 'malformed':
    case 'not_found':
      // Most often the address lacks its end: /v1.
      return `${context.command} config get models.providers.${provider}.baseUrl`;
    default:
      return `${context.command} models status --probe --provider ${provider}`;
  }
}

/** What helps where a model was called and failed. @param status of the same gateway */
export function probeRemedy(context: Context, model: string, failure: string | null, status: Row): string {
  const provider = model.split('/')[0] ?? '';
  if (failure === 'budget') return raiseBound(context, status);
  if (!NAME.test(provider)) return `${context.command} models list`;
  const row = recordsOf(status.providers).find(({ name }) => name === provider) ?? {};
  switch (failure) {
    case 'auth':
      return setKey(context, provider);
    case 'setup':
      return isKeyless(row) ? setKey(context, provider) : `${context.command} models list`;
    case 'network':
      return row.local === true
        ? `start the server of '${provider}', then: ${context.command} models status`
        : `${context.command} models status`;
    case 'not_found':
    case 'quota':
      return `${context.command} models list`;
    case 'bad_request':
    case 'malformed':
      return `${context.command} config get models.providers`;
    default:
      return `${context.command} models status --probe --provider ${provider}`;
  }
}

/** Twice the bound that is reached: of the default agent, which pays for probes and comes first. */
function raiseBound(context: Context, status: Row): string {
  const [first = {}] = recordsOf(status.spent);
  const agent = textOf(first.agentId) ?? '';
  const bounds = [
    { spent: numberOf(first.tokens), most: numberOf(first.tokensPerDay), key: first.tokensKey, name: 'tokensPerDay' },
    { spent: numberOf(first.usd), most: numberOf(first.usdPerDay), key: first.usdKey, name: 'usdPerDay' },
  ];
  const reached = bounds.find(({ spent, most }) => spent !== null && most !== null && spent >= most);
  if (reached === undefined || !NAME.test(agent)) return `${context.command} config get agents`;
  const twice = 2 * Math.max(reached.spent ?? 0, reached.most ?? 0);
  const isTokens = reached.name === 'tokensPerDay';
  const value = isTokens ? Math.max(1, Math.ceil(twice)) : Math.max(0.01, Math.ceil(twice * 100) / 100);
  const isDefault = reached.key === `agents.defaults.budget.${reached.name}`;
  if (isDefault) return `${context.command} config set agents.defaults.budget.${reached.name} ${value}`;
  return `${context.command} agents update ${agent} ${isTokens ? '--tokens-per-day' : '--usd-per-day'} ${value}`;
}

/** A compatible server may be anybody's, and may want none. */
export function wantsKey({ name, kind }: Row): boolean {
  return kind !== 'openai-compatible' || name === 'openrouter';
}

/** It can't be asked as it is: the key that it wants is not there, or can't be had. */
export function isKeyless(row: Row): boolean {
  const { state } = recordOf(row.key);
  return state === 'unresolved' || (state === 'missing' && wantsKey(row));
}

/** Failures of a list after which nothing else can be asked of it either. */
const SHUT: ReadonlySet<unknown> = new Set(['auth', 'network', 'quota', 'server']);

/** It was asked for its models, and what it answered says that it can't be asked for anything. */
export function isShut(row: Row): boolean {
  return SHUT.has(recordOf(row.unlisted).failure);
}
