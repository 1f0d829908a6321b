import type { Level } from '../../core/conversation/thinking.ts';

/**
 * One step of a model, for a loop of our own: messages in, a stream of parts out. Nothing here runs a tool or tries
 * twice: a route does the second, the loop the first.
 */
export interface Model {
  /** `openai/gpt-…`: the provider's name in the configuration, and the model's own. */
  readonly name: string;
  /**
   * Ends with `finish`, or throws ModelFailure. Whoever stops reading, or aborts the signal, closes the connection to the
   * provider at once.
   */
  step(step: Step): AsyncIterable<Part>;
}

export interface Step {
  /** What the model is told before all messages; empty: nothing. */
  readonly system: string;
  readonly messages: readonly Message[];
  readonly tools?: readonly Tool[];
  /** Absent: what the provider gives by itself. */
  readonly maxOutputTokens?: number;
  /** How much it may think first, lowered to what the model has; absent: what it does by itself. */
  readonly thinking?: Level;
  readonly signal: AbortSignal;
}

export type Message = UserMessage | AssistantMessage | ToolMessage;

export interface UserMessage {
  readonly role: 'user';
  readonly content: readonly (TextPart | FilePart)[];
}

/** As the model said it. It is sent back unchanged in the next step. */
export interface AssistantMessage {
  readonly role: 'assistant';
  readonly content: readonly (TextPart | ReasoningPart | ToolCall)[];
}

/** What came of the calls of the assistant's message before it: one result for each of them. */
export interface ToolMessage {
  readonly role: 'tool';
  readonly results: readonly ToolResult[];
}

export interface TextPart {
  readonly kind: 'text';
  readonly text: string;
  readonly keep?: Keep;
}

export interface FilePart {
  readonly kind: 'file';
  /** `image/png`, `application/pdf`. */
  readonly mediaType: string;
  /** Base64. */
  readonly data: string;
  readonly name?: string;
}

export interface ReasoningPart {
  readonly kind: 'reasoning';
  readonly text: string;
  readonly keep?: Keep;
}

/** What a provider wants back beside a part, such as the signature of what it thought: meaningless to every other one. */
export interface Keep {
  readonly by: ProviderKind;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ToolCall {
  readonly kind: 'tool';
  readonly id: string;
  readonly name: string;
  /** An object as the schema has it, as far as the model kept to it: nobody has checked it. */
  readonly input: unknown;
  /** What was sent where it is no JSON: `input` is `null`, and the call can't be made. */
  readonly malformed?: string;
  readonly keep?: Keep;
}

export interface ToolResult {
  readonly id: string;
  readonly name: string;
  readonly output: string;
  readonly isError: boolean;
}

export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly input: Readonly<Record<string, unknown>>;
}

export type Part =
  | { readonly kind: 'text'; readonly delta: string }
  | { readonly kind: 'reasoning'; readonly delta: string }
  /** Whole, and told only once the model has ended well: what a broken stream held is never run. */
  | ToolCall
  | { readonly kind: 'usage'; readonly usage: Usage }
  /** The last one. `message` holds all that was said, ready for the next step. */
  | { readonly kind: 'finish'; readonly reason: FinishReason; readonly message: AssistantMessage };

/** `tool`: it waits for the results of its calls. `length`: it was cut off. `filter`: the provider would not say it. */
export type FinishReason = 'stop' | 'tool' | 'length' | 'filter';

/** In tokens. `null`: the provider did not say. */
export interface Usage {
  /** All of what went in, what was cached too. */
  readonly input: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  /** All of what came out, what was thought too. */
  readonly output: number | null;
  readonly reasoning: number | null;
}

export const PROVIDER_KINDS = ['openai', 'openai-compatible', 'anthropic', 'google', 'offline'] as const;
/** How a provider is spoken to. */
export type ProviderKind = (typeof PROVIDER_KINDS)[number];

/** What is known of a model. `null`: unknown; never a guess. */
export interface ModelFacts {
  /** As its provider calls it. */
  readonly id: string;
  readonly name: string;
  /** In tokens. */
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  readonly input: readonly InputKind[] | null;
  readonly reasoning: boolean | null;
  /** How much it can be told to think; `off` alone where it doesn't, or nobody knows that it does. */
  readonly levels: readonly Level[];
  readonly price: Price | null;
}

export type InputKind = 'text' | 'image' | 'file';

/** US dollars for a million tokens. */
export interface Rates {
  readonly input: number;
  readonly output: number;
  /** `null`: as other input. */
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
}

export interface Price extends Rates {
  /** What all of a call costs whose input is longer than `inputTokens`. */
  readonly beyond?: Rates & { readonly inputTokens: number };
}

export interface Credentials {
  /** `null`: there is none. */
  readonly key: string | null;
  /** Sent with each call; as secret as the key. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A provider as it was set up. */
export interface Provider {
  /** In names of models: `openai` of `openai/gpt-…`. */
  readonly name: string;
  readonly kind: ProviderKind;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** It is on this host: it needs no key. What it costs is another question: it may hand on to a vendor what it is asked. */
  readonly isLocal: boolean;
  /** Its models run on this host, and send no bill. Absent: nobody knows. */
  readonly isFree?: boolean;
  /** Where the key is, for people, never the key: `models.providers.openai.apiKey`, `OPENAI_API_KEY`; `null`: there is none. */
  readonly keyFrom: string | null;
  /** Asked for with each step. @throws Failure where one can't be had */
  credentials(): Promise<Credentials>;
  /** Those that the configuration declares. */
  readonly models: readonly ModelFacts[];
}
