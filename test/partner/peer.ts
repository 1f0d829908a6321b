// Requests, answers and events over anything that carries one JSON document at a time.

/** `error` of an answer. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly details?: { readonly [name: string]: unknown };
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever shape came back
export type Payload = any;

export type Answer =
  | { readonly ok: true; readonly payload: Payload }
  | { readonly ok: false; readonly error: WireError; readonly payload?: Payload };

export interface Event {
  readonly event: string;
  readonly payload: Payload;
  readonly seq?: number;
  readonly stateVersion?: { readonly presence: number; readonly health: number };
}

interface Waiter {
  readonly matches: (event: Event) => boolean;
  readonly done: (event: Event) => void;
}

const PATIENCE_MS = 10_000;

/** @throws Error naming `what` when `promise` takes longer than `timeoutMs`. */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: nothing within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until it is so. @throws Error naming `what` when it never is. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = PATIENCE_MS) {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

export abstract class Peer {
  /** Every event that arrived, in order. */
  readonly events: Event[] = [];
  /** Every document that arrived, in order, as it came. */
  readonly received: string[] = [];
  readonly #pending = new Map<string, (answer: Answer) => void>();
  readonly #waiters = new Set<Waiter>();
  #next = 0;

  protected abstract sendText(text: string): void;

  protected take(text: string): void {
    this.received.push(text);
    const frame = JSON.parse(text);
    if (frame.type === 'event') {
      this.events.push(frame);
      for (const waiter of [...this.#waiters]) {
        if (!waiter.matches(frame)) continue;
        this.#waiters.delete(waiter);
        waiter.done(frame);
      }
      return;
    }
    const id = String(frame.id);
    const done = this.#pending.get(id);
    this.#pending.delete(id);
    done?.(frame);
  }

  /** Sends any value as one document. */
  send(frame: unknown): void {
    this.sendText(JSON.stringify(frame));
  }

  /** The answer, whatever it says. `id` of one's own where a test needs it. */
  call(method: string, params?: unknown, options: { id?: string; timeoutMs?: number } = {}): Promise<Answer> {
    this.#next += 1;
    const id = options.id ?? `p${this.#next}`;
    const answer = new Promise<Answer>((done) => this.#pending.set(id, done));
    this.send({ type: 'req', id, method, ...(params === undefined ? {} : { params }) });
    return within(answer, method, options.timeoutMs);
  }

  /** The payload. @throws Error when the answer is a refusal. */
  async ask(method: string, params?: unknown): Promise<Payload> {
    const answer = await this.call(method, params);
    if (answer.ok) return answer.payload;
    throw new Error(`${method}: ${answer.error.code} ${answer.error.message} ${JSON.stringify(answer.error.details)}`);
  }

  /** The first event of that name from index `from` on, arrived or still to come. */
  event(name: string, options: { from?: number; timeoutMs?: number; where?: (payload: Payload) => boolean } = {}) {
    const matches = (e: Event) => e.event === name && (options.where?.(e.payload) ?? true);
    const there = this.events.slice(options.from ?? 0).find(matches);
    if (there !== undefined) return Promise.resolve(there);
    return within(
      new Promise<Event>((done) => this.#waiters.add({ matches, done })),
      `event ${name}`,
      options.timeoutMs,
    );
  }
}
