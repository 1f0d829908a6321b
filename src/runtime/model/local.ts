import type { Clock } from '../../system/clock.ts';
import { factsOf } from './catalog.ts';
import type { ModelFacts, Provider } from './model.ts';

const ANSWER_BYTES_MAX = 1024 * 1024;
const MODELS_MAX = 500;

/** @param port on loopback */
function localUrl(port: number): string {
  return `http://127.0.0.1:${port}/v1`;
}

/** An address of this host, written as one: a name may lead elsewhere. */
export function isLoopbackUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/**
 * Which of these servers there are, with the models that each lists. All are asked at once; who does not answer by the
 * deadline is not there. Only this host is asked, and no key is sent.
 */
export async function detectLocal(
  servers: Readonly<Record<string, number>>,
  { clock, deadlineMs }: { readonly clock: Clock; readonly deadlineMs: number },
): Promise<readonly Provider[]> {
  const deadline = new AbortController();
  const cancel = clock.after(deadlineMs, () => deadline.abort());
  try {
    const found = await Promise.all(
      Object.entries(servers).map(async ([name, port]) => {
        const provider = localProvider(name, localUrl(port));
        const models = await listedBy(provider.baseUrl, {}, deadline.signal);
        return models === null ? null : { ...provider, models: models.map((id) => factsOf(provider, { id })) };
      }),
    );
    return found.filter((provider) => provider !== null);
  } finally {
    cancel();
  }
}

function localProvider(name: string, baseUrl: string): Provider {
  return {
    name,
    kind: 'openai-compatible',
    baseUrl,
    isLocal: true,
    keyFrom: null,
    credentials: async () => ({ key: null, headers: {} }),
    models: [],
  };
}

/** The models that a compatible server lists; `null`: it is none, or is not there. */
export async function listedBy(
  baseUrl: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly ModelFacts['id'][] | null> {
  try {
    const response = await fetch(`${baseUrl}/models`, { headers, signal, redirect: 'error' });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return null;
    }
    const text = await textOf(response.body);
    return text === null ? null : idsOf(JSON.parse(text));
  } catch {
    // Nobody there, or somebody else.
    return null;
  }
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

function idsOf(value: unknown): readonly string[] | null {
  const data = typeof value === 'object' && value !== null && 'data' in value ? value.data : null;
  if (!Array.isArray(data)) return null;
  return data
    .map((row: unknown) => (typeof row === 'object' && row !== null && 'id' in row ? row.id : null))
    .filter((id): id is string => typeof id === 'string' && /^[\x21-\x7e]{1,256}$/.test(id))
    .slice(0, MODELS_MAX);
}
