// Asks a running Node what only it can tell, over the inspector that it was started with.

/** For the environment of the process: a free port on loopback. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' } as const;

interface Answer {
  readonly id: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { done(result: Readonly<Record<string, unknown>>): void; fail(e: Error): void }
  >();
  #next = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result, error }: Answer = JSON.parse(String(data));
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error !== undefined) waiting?.fail(new Error(error.message));
      else waiting?.done(result ?? {});
    });
    socket.addEventListener('close', () => {
      for (const { fail } of this.#waiting.values()) fail(new Error('the inspected process is gone'));
    });
  }

  /** @param printed all that the process has printed, where it says how to reach it */
  static async open(printed: string): Promise<Inspector> {
    const url = /Debugger listening on (ws:\S+)/.exec(printed)?.[1];
    if (url === undefined) throw new Error('the process was not started to be inspected');
    const socket = new WebSocket(url);
    await new Promise<void>((done, fail) => {
      socket.addEventListener('open', () => done(), { once: true });
      socket.addEventListener('error', () => fail(new Error(`no inspector at ${url}`)), { once: true });
    });
    return new Inspector(socket);
  }

  /** One command of the DevTools protocol. @throws Error when it is refused */
  ask(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    this.#next += 1;
    const id = this.#next;
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** What is in use of the heap after everything that can go has gone, in MiB. */
  async heapMib(): Promise<number> {
    // What the first collection finalizes only the next one frees.
    for (let time = 0; time < 3; time += 1) await this.ask('HeapProfiler.collectGarbage');
    const { usedSize } = await this.ask('Runtime.getHeapUsage');
    return Number(usedSize) / 2 ** 20;
  }

  end(): void {
    this.#socket.close();
  }
}
