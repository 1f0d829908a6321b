import type { FailureKind } from './failure.ts';

/** What an HTTP answer other than 200 says. `words` are the provider's own, for people. */
export interface Refusal {
  readonly kind: FailureKind;
  readonly status: number;
  readonly retryAfterMs?: number;
  readonly words: string;
}

const WORDS_MAX = 300;

/** Codes of providers that say more than the status. */
const CODES: Readonly<Record<string, FailureKind>> = {
  insufficient_quota: 'quota',
  billing_error: 'quota',
  billing_hard_limit_reached: 'quota',
  context_length_exceeded: 'context',
  // llama.cpp
  exceed_context_size_error: 'context',
  request_too_large: 'context',
  model_not_found: 'not_found',
  not_found_error: 'not_found',
  invalid_api_key: 'auth',
  authentication_error: 'auth',
  permission_error: 'auth',
  overloaded_error: 'overloaded',
  rate_limit_error: 'rate_limit',
  rate_limit_exceeded: 'rate_limit',
  // Google
  API_KEY_INVALID: 'auth',
  UNAUTHENTICATED: 'auth',
  PERMISSION_DENIED: 'auth',
  RESOURCE_EXHAUSTED: 'rate_limit',
  UNAVAILABLE: 'overloaded',
  DEADLINE_EXCEEDED: 'overloaded',
};

/**
 * Only a provider's prose tells that a conversation is too long where it has no code for it (Anthropic, Google, most
 * compatible servers); taken for another bad request, the conversation could never be made shorter.
 */
const TOO_LONG =
  /context (length|window|size)|maximum (prompt|context|number of tokens)|prompt is too long|too many tokens|token count .* exceeds/i;

export function refusalOf(status: number, headers: Headers, body: string, nowMs: number): Refusal {
  const { codes, words } = errorOf(body);
  const retryAfterMs = retryAfterOf(headers, nowMs);
  return {
    kind: kindOf(status, codes, words),
    status,
    words: words === '' ? `HTTP ${status}` : `HTTP ${status}: ${words.slice(0, WORDS_MAX)}`,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  };
}

/** The kind of an error that stood in the stream itself, by the provider's own codes. */
export function kindOfCodes(codes: readonly string[], words: string): FailureKind {
  const known = codes.map((code) => (Object.hasOwn(CODES, code) ? CODES[code] : undefined)).find(Boolean);
  return known ?? (TOO_LONG.test(words) ? 'context' : 'server');
}

function kindOf(status: number, codes: readonly string[], words: string): FailureKind {
  const byCode = codes.map((code) => (Object.hasOwn(CODES, code) ? CODES[code] : undefined)).find(Boolean);
  if (byCode !== undefined && status !== 500) return byCode;
  if (status === 401 || status === 403) return 'auth';
  if (status === 402) return 'quota';
  if (status === 404) return 'not_found';
  if (status === 408 || status === 409) return 'overloaded';
  if (status === 413) return 'context';
  if (status === 429) return 'rate_limit';
  if (status === 503 || status === 529 || status === 502 || status === 504) return 'overloaded';
  if (status >= 500) return 'server';
  return TOO_LONG.test(words) ? 'context' : 'bad_request';
}

/** The codes and words of an error body in the shapes of OpenAI, Anthropic and Google. */
export function errorOf(body: string): { readonly codes: readonly string[]; readonly words: string } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { codes: [], words: plain(body) };
  }
  return errorIn(value);
}

export function errorIn(value: unknown): { readonly codes: readonly string[]; readonly words: string } {
  const outer = recordOf(Array.isArray(value) ? value[0] : value);
  const error = typeof outer.error === 'string' ? { message: outer.error } : recordOf(outer.error ?? outer);
  const details = Array.isArray(error.details) ? error.details.map((detail) => recordOf(detail).reason) : [];
  const codes = [error.code, error.type, error.status, ...details].filter((code) => typeof code === 'string');
  return { codes, words: typeof error.message === 'string' ? plain(error.message) : '' };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** On one line, without what could move a terminal's cursor. */
function plain(text: string): string {
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
}

/**
 * When a provider wants to be asked again, in ms from `nowMs`; `null`: it does not say. `Retry-After` is seconds or a
 * date; OpenAI also sends ms.
 */
export function retryAfterOf(headers: Headers, nowMs: number): number | null {
  const exact = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
