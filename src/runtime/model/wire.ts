import type { Clock } from '../../system/clock.ts';
import { codeOf } from '../../system/failure.ts';
import { Redactor } from '../../system/redact.ts';
import { ModelFailure } from './failure.ts';
import { secretsOf } from './header.ts';
import { Hush } from './hush.ts';
import { type Redact, refusalOf, toldOf, wordsOf } from './refusal.ts';

export interface WireOptions {
  /** `openai/gpt-…` */
  readonly model: string;
  readonly clock: Clock;
  /** Ends the call from outside. */
  readonly signal: AbortSignal;
  /** For the headers, and then for the first byte behind them: a local model may read a long prompt for minutes. */
  readonly firstByteMs: number;
  /** Between two bytes of it. */
  readonly idleMs: number;
  /** In no text that comes out of here, nor is what stands behind the scheme of a header's value. */
  readonly secrets: readonly string[];
}

const ERROR_BYTES_MAX = 64 * 1024;
/** No answer of a model is so long; who sends on without an end would fill the memory. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The HTTP of one call. What ends it is kept in `failure`, whatever a client library makes of it on the way. One call,
 * one use.
 */
export class Wire {
  readonly #options: WireOptions;
  readonly #redactor = new Redactor();
  readonly #ending = new AbortController();
  readonly #abort = () => this.#end(this.fail('aborted', 'it was told to stop'));
  #failure: ModelFailure | null = null;
  #lastByteAtMs: number;
  #heard = false;
  #whole = false;
  #cancelWatch: () => void = () => {};

  constructor(options: WireOptions) {
    this.#options = options;
    for (const secret of options.secrets.flatMap(secretsOf)) this.#redactor.add(secret);
    this.#lastByteAtMs = options.clock.monotonicMs();
    if (options.signal.aborted) this.#abort();
    else options.signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** What ended the call; `null`: it is going on, or ended well. */
  get failure(): ModelFailure | null {
    return this.#failure;
  }

  /** The server has sent all that it wanted to. */
  get isWhole(): boolean {
    return this.#whole;
  }

  /** Takes the secrets of this call out of a text that comes piece by piece. */
  hush(): Hush {
    return new Hush(this.#options.secrets.flatMap(secretsOf));
  }

  /** Takes the secrets of this call out of a text. */
  readonly redact: Redact = (text) => this.#redactor.text(text);

  /** @param why anybody's words: they are told without secrets, plain and short */
  fail(kind: ConstructorParameters<typeof ModelFailure>[0], why: string, more: { status?: number } = {}): ModelFailure {
    return new ModelFailure(kind, { model: this.#options.model, why: toldOf(wordsOf(why, this.redact)), ...more });
  }

  /** Closes the connection, if it is open. Nothing is heard of it from now on. */
  close(): void {
    this.#cancelWatch();
    this.#options.signal.removeEventListener('abort', this.#abort);
    if (!this.#ending.signal.aborted) this.#ending.abort();
  }

  /** For the client libraries. Throws ModelFailure for whatever is no stream of an answer. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    if (this.#failure !== null) throw this.#failure;
    this.#watch();
    let response: Response;
    try {
      // A key of ours must not go where a server sends us.
      response = await fetch(input, { ...init, signal: this.#ending.signal, redirect: 'manual' });
    } catch (error) {
      throw this.#broken(error);
    }
    // Some servers send their headers at once, and begin to read the prompt then.
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      const why = `HTTP ${response.status}: it sends elsewhere, and the key is not taken there: set the base URL to where it is`;
      throw this.#keep(this.fail('setup', why, { status: response.status }));
    }
    if (!response.ok) throw this.#keep(await this.#refused(response));
    if (response.body === null) throw this.#keep(this.fail('malformed', 'the answer is empty'));
    return new Response(this.#read(response.body), { status: response.status, headers: response.headers });
  };

  async #refused(response: Response): Promise<ModelFailure> {
    let body = '';
    try {
      const decoder = new TextDecoder();
      for await (const bytes of response.body ?? []) {
        this.#touch();
        body += decoder.decode(bytes, { stream: true });
        if (body.length > ERROR_BYTES_MAX) break;
      }
    } catch {
      // The status says enough.
      if (this.#failure !== null) return this.#failure;
    }
    const { kind, status, words, retryAfterMs } = refusalOf(response.status, response.headers, body, {
      nowMs: this.#options.clock.now(),
      redact: this.redact,
    });
    const { model } = this.#options;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new ModelFailure(kind, { model, status, why: words, ...wait });
  }

  #read(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let size = 0;
    return new ReadableStream({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (done) {
            this.#whole = true;
            this.#cancelWatch();
            controller.close();
            return;
          }
          this.#touch();
          size += value.byteLength;
          if (size > ANSWER_BYTES_MAX) throw this.#end(this.fail('malformed', 'the answer does not end'));
          controller.enqueue(value);
        } catch (error) {
          controller.error(this.#broken(error));
        }
      },
      cancel: () => this.close(),
    });
  }

  #touch(): void {
    this.#heard = true;
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
  }

  /** One timer for all bytes: it looks when the last one would be too long ago. */
  #watch(): void {
    const { clock, idleMs, firstByteMs } = this.#options;
    this.#cancelWatch();
    const limitMs = () => (this.#heard ? idleMs : firstByteMs);
    const look = () => {
      const leftMs = limitMs() - (clock.monotonicMs() - this.#lastByteAtMs);
      if (leftMs <= 0) this.#end(this.fail('idle', `nothing came for ${limitMs()} ms`));
      else this.#cancelWatch = clock.after(leftMs, look);
    };
    this.#lastByteAtMs = clock.monotonicMs();
    // The shorter of the two, or a first byte would leave the longer one running.
    this.#cancelWatch = clock.after(Math.min(idleMs, firstByteMs), look);
  }

  #end(failure: ModelFailure): ModelFailure {
    this.#keep(failure);
    this.close();
    return failure;
  }

  /** The first of several is the cause of the others. */
  #keep(failure: ModelFailure): ModelFailure {
    this.#failure ??= failure;
    return this.#failure;
  }

  #broken(error: unknown): ModelFailure {
    if (this.#failure !== null) return this.#failure;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const code = codeOf(cause);
    const why = this.#heard ? 'the connection broke off' : 'no connection';
    return this.#end(this.fail('network', code === null ? why : `${why} (${code})`));
  }
}
