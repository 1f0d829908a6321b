import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../system/clock.ts';
import { makeStateDir } from '../system/state-dir.ts';
import type { Host } from './context.ts';
import { main } from './main.ts';

/** For tests: what a scripted gateway answers to a method. */
export type Answer = { readonly payload: unknown } | { readonly error: Record<string, unknown> } | 'silence';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What `gateway run` was handed. */
  readonly started: readonly unknown[];
}

/** For tests: a state directory, gateways that say what they are told to, and command lines run against them. */
export class Scripted {
  readonly home: string;
  readonly stateDir: string;
  readonly now: number;
  /** Every request that arrived, in order. */
  readonly calls: { readonly method: string; readonly params: Readonly<Record<string, unknown>> }[] = [];
  readonly #servers: Server[] = [];
  readonly #sockets: Socket[] = [];

  /** @param home a directory of the test's own */
  constructor(home: string, now: number) {
    this.home = home;
    this.stateDir = join(home, 's');
    this.now = now;
  }

  /** A gateway at the owner socket, or at another one. */
  async gateway(
    answers: Readonly<Record<string, Answer>>,
    path = join(this.stateDir, 'run', 'gateway.sock'),
  ): Promise<void> {
    makeStateDir(this.stateDir);
    await this.listen({ path }, (socket) => {
      let rest = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#answer(line, socket, answers);
      });
    });
  }

  #answer(line: string, socket: Socket, answers: Readonly<Record<string, Answer>>): void {
    const { id, method, params = {} } = JSON.parse(line);
    this.calls.push({ method, params });
    const answer = answers[method];
    if (answer === 'silence' || answer === undefined) return;
    socket.write(`${JSON.stringify({ type: 'res', id, ok: 'payload' in answer, ...answer })}\n`);
  }

  /** Anything that listens; gone with `end`. Returns the server. */
  async listen(at: { path: string } | { port: 0; host: string }, take: (socket: Socket) => void): Promise<Server> {
    const server = createServer((socket) => {
      this.#sockets.push(socket);
      socket.on('error', () => {});
      take(socket);
    });
    this.#servers.push(server);
    await new Promise<void>((done) => server.listen(at, done));
    return server;
  }

  /** Runs one command line. `typed`: there is a terminal, and that is what a person types; `width`: it shows what comes. */
  async run(
    argv: readonly string[],
    more: { env?: Record<string, string>; typed?: string; width?: number } = {},
  ): Promise<Ran> {
    let out = '';
    let err = '';
    const started: unknown[] = [];
    const host: Host = {
      argv,
      env: { HOME: this.home, LATCHKEY_STATE_DIR: this.stateDir, ...more.env },
      clock: { ...systemClock, now: () => this.now },
      version: '1.2.3',
      output: () => ({
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
        },
        colour: false,
        width: more.width ?? null,
        errorWidth: more.width ?? null,
        interactive: more.typed !== undefined,
      }),
      ask: async () => more.typed ?? null,
      runGateway: async (options) => {
        started.push(options);
        return 0;
      },
      loadAll: async () => {},
      openOffline: () => Promise.reject(new Error('these tests have no store')),
    };
    return { code: await main(host), out, err, started };
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((done) => server.close(done))));
  }
}
