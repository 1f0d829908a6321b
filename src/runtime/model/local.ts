import type { Clock } from '../../system/clock.ts';
import { factsOf } from './catalog.ts';
import { type Listing, listed, rowsIn, valueAt } from './listing.ts';
import type { Provider } from './model.ts';

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
        const bare = localProvider(name, localUrl(port));
        const listing = await listed(bare.baseUrl, {}, deadline.signal);
        if (!listing.ok) return null;
        const provider = { ...bare, isFree: await isItself(bare, listing, deadline.signal) };
        return { ...provider, models: listing.ids.map((id) => factsOf(provider, { id })) };
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

/**
 * Whether who answers at the port of Ollama, LM Studio or llama.cpp is that program, by what it alone says: a proxy to a
 * vendor that bills listens at the same ports as often. False where it can't be told.
 */
export async function isItself(
  { name, baseUrl }: Pick<Provider, 'name' | 'baseUrl'>,
  listing: Listing,
  signal: AbortSignal,
): Promise<boolean> {
  const { origin } = new URL(baseUrl);
  switch (name) {
    case 'ollama': {
      const value = await valueAt(`${origin}/api/version`, {}, signal);
      return typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'string';
    }
    case 'lmstudio': {
      const rows = rowsIn(await valueAt(`${origin}/api/v0/models`, {}, signal)) ?? [];
      return rows.length > 0 && rows.every(({ state }) => state === 'loaded' || state === 'not-loaded');
    }
    case 'llamacpp':
      return listing.ok && listing.owners.length > 0 && listing.owners.every((owner) => owner === 'llamacpp');
    default:
      return false;
  }
}
