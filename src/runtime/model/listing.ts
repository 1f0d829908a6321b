import { codeOf } from '../../system/failure.ts';
import type { FailureKind } from './failure.ts';
import { secretsOf } from './header.ts';
import { Hush } from './hush.ts';

const ANSWER_BYTES_MAX = 1024 * 1024;
const MODELS_MAX = 500;
/**
 * What models are called, and nothing that a shell or a terminal takes for more: `openai/gpt-5`, `llama3.2:3b`,
 * `qwen2.5-coder@q4_k_m`, `hf.co/a/b:Q4_K_M`, `@cf/x/y`, `/models/x.gguf`. People copy them into commands.
 */
const ID = /^[\w.@/][\w.@/:+-]{0,255}$/;

/** Why a server gave no list of its models. */
export interface ListFailure {
  readonly failure: FailureKind;
  /** Our own words: what a server says may repeat the key that it was sent. */
  readonly why: string;
}

/** What a compatible server says when it is asked for its models. */
export type Listing =
  | {
      readonly ok: true;
      readonly ids: readonly string[];
      /** `owned_by` of each row that has one. */
      readonly owners: readonly string[];
    }
  | ({ readonly ok: false } & ListFailure);

/** The models that a compatible server lists, without those that tell what it was sent in a header. Never throws. */
export async function listed(
  baseUrl: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Listing> {
  try {
    const response = await fetch(`${baseUrl}/models`, { headers, signal, redirect: 'error' });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return { ok: false, failure: kindOf(response.status), why: `it answers HTTP ${response.status}` };
    }
    const text = await textOf(response.body);
    const rows = text === null ? null : rowsIn(JSON.parse(text));
    if (rows === null) return MALFORMED;
    const hush = new Hush(Object.values(headers).flatMap(secretsOf));
    const isToTell = (value: unknown): value is string => typeof value === 'string' && hush.whole(value) === value;
    const ids = rows.map(({ id }) => id).filter((id): id is string => isToTell(id) && ID.test(id));
    return { ok: true, ids: ids.slice(0, MODELS_MAX), owners: rows.map(({ owned_by }) => owned_by).filter(isToTell) };
  } catch (error) {
    if (signal.aborted) return { ok: false, failure: 'idle', why: 'it gave no list in the time it had' };
    if (error instanceof SyntaxError) return MALFORMED;
    const code = codeOf(error instanceof Error ? error.cause : null);
    const why = code === 'ECONNREFUSED' ? 'nobody listens there' : 'the connection failed';
    return { ok: false, failure: 'network', why: code === null ? why : `${why} (${code})` };
  }
}

const MALFORMED: Listing = { ok: false, failure: 'malformed', why: 'what it answers is no list of models' };

/** The JSON that stands there; `null`: none does. */
export async function valueAt(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    const response = await fetch(url, { headers, signal, redirect: 'error' });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return null;
    }
    const text = await textOf(response.body);
    return text === null ? null : JSON.parse(text);
  } catch {
    // Nobody there, or somebody else.
    return null;
  }
}

function kindOf(status: number): FailureKind {
  if (status === 401 || status === 403) return 'auth';
  if (status === 402) return 'quota';
  if (status === 429) return 'rate_limit';
  if (status >= 500 && status !== 501) return 'server';
  return 'not_found';
}

/** `null`: it is longer than any such list. */
async function textOf(body: ReadableStream<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > ANSWER_BYTES_MAX) return null;
  }
  return text + decoder.decode();
}

/** The rows of `{ data: […] }`; `null`: there are none such. */
export function rowsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] | null {
  const data = typeof value === 'object' && value !== null && 'data' in value ? value.data : null;
  if (!Array.isArray(data)) return null;
  return data.filter((row) => typeof row === 'object' && row !== null);
}
