import type { Clock } from '../../system/clock.ts';
import { codeOf } from '../../system/failure.ts';
import { Redactor } from '../../system/redact.ts';
import { Events, TooMuch } from './events.ts';
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
  /** Between two words of it, whatever else comes. */
  readonly quietMs?: number;
  /** In no text that comes out of here, nor is what stands behind the scheme of a header's value. */
  readonly secrets: readonly string[];
}

const ERROR_BYTES_MAX = 64 * 1024;
/** The status says enough; a body that drips would hold the run up, and with it a seat of its agent. */
const ERROR_BODY_MS = 5_000;
/** No answer of a model is so long; who sends on without an end would fill the memory. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** A client library of Google's asks on by itself where an answer says that it is to be continued. */
const REQUESTS_MAX = 8;
/**
 * Bytes that say nothing are no silence: a relay sends comments while a slow model thinks, and the slowest think for minutes
 * without a word. None is known to do so for longer than this.
 */
const QUIET_MS = 15 * 60_000;

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
  #lastWordAtMs: number;
  #requests = 0;
  #bytes = 0;
  #heard = false;
  #whole = false;
  /** It was sent, and was not refused: whoever has it may read it, and be paid for that. */
  #isTaken = false;
  #cancelWatch: () => void = () => {};

  constructor(options: WireOptions) {
    this.#options = options;
    for (const secret of options.secrets.flatMap(secretsOf)) this.#redactor.add(secret);
    this.#lastByteAtMs = options.clock.monotonicMs();
    this.#lastWordAtMs = this.#lastByteAtMs;
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
    const told = { model: this.#options.model, why: toldOf(wordsOf(why, this.redact)), isFree: !this.#isTaken };
    return new ModelFailure(kind, { ...told, ...more });
  }

  /** Something was said, or thought, or asked of a tool. */
  said(): void {
    this.#lastWordAtMs = this.#options.clock.monotonicMs();
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
    this.#requests += 1;
    if (this.#requests > REQUESTS_MAX) throw this.#end(this.fail('malformed', 'the answer does not end'));
    this.#whole = false;
    this.#watch();
    let response: Response;
    this.#isTaken = true;
    try {
      // A key of ours must not go where a server sends us.
      response = await fetch(input, { ...init, signal: this.#ending.signal, redirect: 'manual' });
    } catch (error) {
      if (!this.#heard && isUnsent(error)) this.#isTaken = false;
      throw this.#broken(error);
    }
    // What came before in the same call was an answer.
    if (!response.ok && !this.#heard) this.#isTaken = false;
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
    this.#cancelWatch();
    const body = response.body === null ? '' : await this.#beginningOf(response.body);
    if (this.#failure !== null) return this.#failure;
    const { kind, status, words, retryAfterMs } = refusalOf(response.status, response.headers, body, {
      nowMs: this.#options.clock.now(),
      redact: this.redact,
    });
    const { model } = this.#options;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new ModelFailure(kind, { model, status, why: words, isFree: !this.#isTaken, ...wait });
  }

  /** What comes of an error's body in good time, as far as it is worth reading. */
  async #beginningOf(body: ReadableStream<Uint8Array>): Promise<string> {
    const { clock, idleMs } = this.#options;
    const reader = body.getReader();
    // Ends the read that waits, as if the body ended there.
    const leave = () => void reader.cancel().catch(() => {});
    const cancel = clock.after(Math.min(idleMs, ERROR_BODY_MS), leave);
    const decoder = new TextDecoder();
    let text = '';
    try {
      while (text.length <= ERROR_BYTES_MAX) {
        const { done, value } = await reader.read();
        if (done) break;
        text += decoder.decode(value, { stream: true });
      }
    } catch {
      // The status says enough.
    } finally {
      cancel();
      leave();
    }
    return text;
  }

  #read(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const pieces = this.#pieces(body.getReader());
    return new ReadableStream({
      pull: async (controller) => {
        try {
          const { done, value } = await pieces.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          controller.error(this.#broken(error));
        }
      },
      cancel: () => this.close(),
    });
  }

  /** What a client library is given at once, with time for everything else in between. @throws ModelFailure, TooMuch */
  async *#pieces(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
    const events = new Events();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      this.#touch();
      this.#bytes += value.byteLength;
      if (this.#bytes > ANSWER_BYTES_MAX) throw this.#end(this.fail('malformed', 'the answer does not end'));
      for (const piece of events.take(value)) {
        yield piece;
        await others();
      }
      await others();
    }
    const last = events.end();
    if (last !== null) yield last;
    this.#whole = true;
    this.#cancelWatch();
  }

  #touch(): void {
    this.#heard = true;
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
  }

  /** One timer for all bytes: it looks when the last one would be too long ago. */
  #watch(): void {
    const { clock, idleMs, firstByteMs, quietMs = QUIET_MS } = this.#options;
    this.#cancelWatch();
    const limitMs = () => (this.#heard ? idleMs : firstByteMs);
    const look = () => {
      const nowMs = clock.monotonicMs();
      const byteLeftMs = limitMs() - (nowMs - this.#lastByteAtMs);
      const wordLeftMs = quietMs - (nowMs - this.#lastWordAtMs);
      if (byteLeftMs <= 0) this.#end(this.fail('idle', `nothing came for ${limitMs()} ms`));
      else if (wordLeftMs <= 0) this.#end(this.fail('idle', `nothing was said for ${quietMs} ms`));
      else this.#cancelWatch = clock.after(Math.min(byteLeftMs, wordLeftMs), look);
    };
    this.#lastByteAtMs = clock.monotonicMs();
    // The shortest of them, or a first byte would leave a longer one running.
    this.#cancelWatch = clock.after(Math.min(idleMs, firstByteMs, quietMs), look);
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
    if (error instanceof TooMuch) return this.#end(this.fail('malformed', error.message));
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const code = codeOf(cause);
    const why = this.#heard ? 'the connection broke off' : 'no connection';
    return this.#end(this.fail('network', code === null ? why : `${why} (${code})`));
  }
}

/** There was no connection to send it on: no such host, nobody at the port, a certificate that is not the host's. */
function isUnsent(error: unknown): boolean {
  // What is wrong with the request itself has no cause in the network.
  if (!(error instanceof Error) || error.cause == null) return true;
  const { name, code, syscall } = Object(error.cause) as { name?: unknown; code?: unknown; syscall?: unknown };
  // Of the addresses that a name has: each was tried.
  if (name === 'AggregateError' || syscall === 'connect' || syscall === 'getaddrinfo') return true;
  return (
    typeof code === 'string' && (code === 'UND_ERR_CONNECT_TIMEOUT' || /CERT|LEAF_SIGNATURE|^ERR_(TLS|SSL)_/.test(code))
  );
}

/** Others are served before it goes on. */
function others(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
