import type { FailureKind } from './failure.ts';

/** What an HTTP answer other than 200 says. `words` are the provider's own, for people. */
export interface Refusal {
  readonly kind: FailureKind;
  readonly status: number;
  readonly retryAfterMs?: number;
  readonly words: string;
}

/** Takes what is secret out of a text. */
export type Redact = (text: string) => string;

/** Of what a provider says: characters that are looked at at all, that are understood, and that people are told. */
const RAW_MAX = 16 * 1024;
const READ_MAX = 4 * 1024;
const TOLD_MAX = 300;
/** No key is longer, in any spelling: half of one may stand before a cut. */
const SECRET_MAX = RAW_MAX / 2;

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
  /context (length|window|size|limit)|maximum (prompt|context|model length|number of tokens)|(prompt|input) is too long|too many tokens|token count .{0,200} exceeds|max_new_tokens. must be/i;
/** More in one call than an account may send in a minute: no wait makes it fit. */
const TOO_LARGE = /request too large .{0,200}tokens per min/i;

export function refusalOf(
  status: number,
  headers: Headers,
  body: string,
  { nowMs, redact }: { readonly nowMs: number; readonly redact: Redact },
): Refusal {
  const { codes, words, waitMs } = errorOf(body, redact);
  const retryAfterMs = retryAfterOf(headers, nowMs) ?? waitMs;
  return {
    kind: kindOf(status, codes, words),
    status,
    words: words === '' ? `HTTP ${status}` : `HTTP ${status}: ${toldOf(words)}`,
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
  if (byCode === 'rate_limit' && TOO_LARGE.test(words)) return 'context';
  // Servers of models on somebody's own host say it with any status.
  if (byCode === 'context' || (status === 500 && TOO_LONG.test(words))) return 'context';
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

interface Said {
  readonly codes: readonly string[];
  /** Without secrets, on one line; longer than people are told: that is `toldOf`. */
  readonly words: string;
  /** Not to come again before, where the body says so; `null`: it doesn't. */
  readonly waitMs: number | null;
}

/** The codes and words of an error body in the shapes of OpenAI, Anthropic and Google. */
export function errorOf(body: string, redact: Redact): Said {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { codes: [], words: wordsOf(body, redact), waitMs: null };
  }
  return errorIn(value, redact);
}

export function errorIn(value: unknown, redact: Redact): Said {
  const outer = recordOf(Array.isArray(value) ? value[0] : value);
  const error = typeof outer.error === 'string' ? { message: outer.error } : recordOf(outer.error ?? outer);
  const details = Array.isArray(error.details) ? error.details.map(recordOf) : [];
  const reasons = details.map(({ reason }) => reason);
  const codes = [error.code, error.type, error.status, ...reasons].filter((code) => typeof code === 'string');
  const words = typeof error.message === 'string' ? wordsOf(error.message, redact) : '';
  return { codes, words, waitMs: delayOf(details) };
}

/** Google says it there, as `39.5s`, and in no header. */
function delayOf(details: readonly Readonly<Record<string, unknown>>[]): number | null {
  const delays = details.flatMap(({ retryDelay }) => {
    const [, seconds] = /^(\d{1,9}(?:\.\d{1,9})?)s$/.exec(typeof retryDelay === 'string' ? retryDelay : '') ?? [];
    return seconds === undefined ? [] : Number(seconds) * 1_000;
  });
  return delays.length === 0 ? null : Math.max(...delays);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/**
 * What somebody else said, without secrets. They go first: a key that was made plain or cut is no more known for one. All
 * work is bounded, whatever is sent.
 */
export function wordsOf(raw: string, redact: Redact): string {
  const isCut = raw.length > RAW_MAX;
  const redacted = redact(raw.slice(0, RAW_MAX));
  return plain(isCut ? redacted.slice(0, -SECRET_MAX) : redacted);
}

/** As much of it as people are told. */
export function toldOf(words: string): string {
  return words.slice(0, TOLD_MAX);
}

/** On one line, without what could move a terminal's cursor. */
function plain(text: string): string {
  return text
    .slice(0, READ_MAX)
    .replace(/<[^<>]{0,200}>/g, ' ')
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
