import type { Failure } from '../system/failure.ts';
import type { ConfigFile, SecretInput } from './schema.ts';

/** Providers of models, as they are set up. Keys are not in it: they are fetched on use. */
export interface Models {
  readonly providers: readonly ProviderConfig[];
  readonly aliases: Readonly<Record<string, string>>;
  readonly local: {
    readonly enabled: boolean;
    /** Ports on this host; a server that is set up as a provider is not looked for. */
    readonly ports: Readonly<Record<LocalName, number>>;
  };
}

export type LocalName = 'ollama' | 'lmstudio' | 'llamacpp';

export interface ProviderConfig {
  readonly name: string;
  readonly kind: 'openai' | 'openai-compatible' | 'anthropic' | 'google';
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly apiKey: SecretInput | null;
  readonly headers: Readonly<Record<string, SecretInput>>;
  readonly models: NonNullable<Declared['models']>;
}

type Declared = NonNullable<NonNullable<ConfigFile['models']>['providers']>[string];

/** Providers of which everything is known but the key. */
const WELL_KNOWN: Readonly<Record<string, Pick<ProviderConfig, 'kind' | 'baseUrl'>>> = {
  openai: { kind: 'openai', baseUrl: 'https://api.openai.com/v1' },
  anthropic: { kind: 'anthropic', baseUrl: 'https://api.anthropic.com/v1' },
  google: { kind: 'google', baseUrl: 'https://generativelanguage.googleapis.com/v1beta' },
  openrouter: { kind: 'openai-compatible', baseUrl: 'https://openrouter.ai/api/v1' },
};
const LOCAL_PORTS: Readonly<Record<LocalName, number>> = { ollama: 11_434, lmstudio: 1_234, llamacpp: 8_080 };

/** Variables in which people keep keys. They count for a provider that the configuration names, or where it names none. */
export const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  openai: ['OPENAI_API_KEY'],
  anthropic: ['ANTHROPIC_API_KEY'],
  google: ['GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY'],
  openrouter: ['OPENROUTER_API_KEY'],
};

type Bad = (pointer: string, why: string) => Failure;

/** @throws Failure 78 naming the key */
export function modelsOf(file: ConfigFile, bad: Bad, warnings: string[]): Models {
  const { providers = {}, aliases = {}, local = {} } = file.models ?? {};
  for (const [alias, name] of Object.entries(aliases)) {
    if (!name.includes('/'))
      throw bad(`/models/aliases/${alias}`, 'must be for a "provider/model", not for another alias');
  }
  const ports = { ...LOCAL_PORTS, ...local.ports };
  return {
    providers: Object.entries(providers).map(([name, declared]) =>
      providerOf(name, declared, { ports, bad, warnings }),
    ),
    aliases,
    local: { enabled: local.enabled ?? true, ports },
  };
}

interface Around {
  readonly ports: Readonly<Record<LocalName, number>>;
  readonly bad: Bad;
  readonly warnings: string[];
}

function providerOf(name: string, declared: Declared, { ports, bad, warnings }: Around): ProviderConfig {
  const pointer = `/models/providers/${name}`;
  if (name === 'offline') throw bad(pointer, 'the name is that of the built-in model: take another one');
  const known = wellKnown(name, ports);
  const kind = declared.kind ?? known?.kind;
  if (kind === undefined) {
    throw bad(pointer, 'kind is missing: a provider that is not a known one is set up with its kind and baseUrl first');
  }
  const own = known?.kind === kind ? known.baseUrl : WELL_KNOWN[kind]?.baseUrl;
  const baseUrl = declared.baseUrl === undefined ? own : urlOf(declared.baseUrl, `${pointer}/baseUrl`, bad);
  if (baseUrl === undefined) throw bad(pointer, 'baseUrl is missing: where is it? "https://host/v1"');
  const { apiKey = null, headers = {}, models = [] } = declared;
  const tells = apiKey !== null || Object.keys(headers).length > 0;
  if (tells && baseUrl.startsWith('http:') && !isLoopback(baseUrl)) {
    warnings.push(`models.providers.${name}.baseUrl is plain http: whoever is on the way reads its key; use https`);
  }
  const ids = models.map(({ id }) => id);
  const twice = ids.findIndex((id, i) => ids.indexOf(id) !== i);
  if (twice !== -1) throw bad(`${pointer}/models/${twice}`, 'this model stands in the list already');
  return { name, kind, baseUrl, apiKey, headers, models };
}

/** A provider that needs nothing but its name; `null`: there is none of this name. */
export function wellKnown(
  name: string,
  ports: Readonly<Record<LocalName, number>>,
): Pick<ProviderConfig, 'kind' | 'baseUrl'> | null {
  if (Object.hasOwn(WELL_KNOWN, name)) return WELL_KNOWN[name] ?? null;
  if (!Object.hasOwn(ports, name)) return null;
  return { kind: 'openai-compatible', baseUrl: `http://127.0.0.1:${ports[name as LocalName]}/v1` };
}

/** Of it everything is known but the key. */
export function isWellKnown(name: string): boolean {
  return wellKnown(name, LOCAL_PORTS) !== null;
}

function urlOf(text: string, pointer: string, bad: Bad): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw bad(pointer, 'must be a URL: "https://host/v1"');
  if (url.username !== '' || url.password !== '')
    throw bad(pointer, 'a key stands in apiKey or headers, not in the URL');
  if (url.search !== '' || url.hash !== '')
    throw bad(pointer, 'must end with its path: what follows ? or # is not sent');
  return url.href.replace(/\/+$/, '');
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Why a model's name leads nowhere, whatever is found at run time; `null`: it may lead somewhere. */
export function strayModel({ models = {} }: Pick<ConfigFile, 'models'>, name: string): string | null {
  const { providers = {}, aliases = {}, local } = models;
  const full = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
  const provider = full.slice(0, full.indexOf('/'));
  const isKnown = wellKnown(provider, { ...LOCAL_PORTS, ...local?.ports }) !== null || provider === 'offline';
  if (isKnown || Object.hasOwn(providers, provider)) return null;
  return full.includes('/')
    ? `names the provider '${provider}', which models.providers does not set up`
    : `names '${name}', which is neither "provider/model" nor one of models.aliases`;
}
