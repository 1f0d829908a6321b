import type { LanguageModelV4 } from '@ai-sdk/provider';

/** What a client library needs. Everything is said: none of them may look into the environment. */
export interface ClientOptions {
  readonly id: string;
  /** The provider's name in the configuration. */
  readonly provider: string;
  readonly baseUrl: string;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof globalThis.fetch;
}

/** One for each kind of provider, each shipped and loaded apart. */
export type OpenClient = (options: ClientOptions) => LanguageModelV4;
