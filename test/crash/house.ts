// A gateway, or one command, under root.ts: started on a state directory, told when to count, and what became of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Owner } from '../partner/owner.ts';
import type { Order, Plan, Report } from './root.ts';

const ROOT = join(import.meta.dirname, 'root.ts');
const START_MS = 20_000;
/** Hundreds of starts of the same program: Node keeps what it compiled, by path. */
const COMPILED = join(import.meta.dirname, '..', '..', '.cache', 'compiled');

/** A process that has ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly printed: string;
  readonly stdout: string;
  /** Every write since counting began, in order; the last one is where it was killed. */
  readonly writes: readonly string[];
  /** The last write was done when it was killed. */
  readonly finished: boolean;
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** `latchkey ARGS` under root.ts. */
export class House {
  readonly stateDir: string;
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #owners: Owner[] = [];
  #printed = '';

  constructor(stateDir: string, args: readonly string[], plan: Plan, env: Readonly<Record<string, string>> = {}) {
    this.stateDir = stateDir;
    const home = join(stateDir, '..');
    const dist = process.env.LATCHKEY_TEST_DIST;
    this.child = spawn(process.execPath, [ROOT, JSON.stringify(plan), ...args, '--state-dir', stateDir], {
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        HOME: home,
        NO_COLOR: '1',
        TZ: 'UTC',
        ...(dist === undefined ? { NODE_COMPILE_CACHE: COMPILED } : { LATCHKEY_TEST_DIST: dist }),
        ...env,
      },
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    });
    const { child } = this;
    children.add(child);
    let stdout = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#printed += chunk;
        if (stream === child.stdout) stdout += chunk;
      });
    const names = text(child.stdio[4] as Readable);
    this.ended = new Promise<Ended>((done, fail) => {
      child.once('error', fail);
      child.once('close', (code, signal) => {
        children.delete(child);
        for (const owner of this.#owners) owner.end();
        void names.then((all) => {
          const lines = all.split('\n').filter((line) => line !== '');
          const writes = lines.filter((line) => line !== 'done');
          done({ code, signal, printed: this.#printed, stdout, writes, finished: lines.at(-1) === 'done' });
        });
      });
    });
  }

  /** A gateway that has said where it is. @throws Error with what it printed when it ends before that */
  static async start(stateDir: string, plan: Partial<Plan> = {}, env: Readonly<Record<string, string>> = {}) {
    const house = new House(stateDir, ['gateway', 'run', '--port', '0'], { at: 0, when: 'before', ...plan }, env);
    await house.ready();
    return house;
  }

  get printed(): string {
    return this.#printed;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get port(): number {
    return Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(this.#printed)?.[1] ?? 0);
  }

  get socketPath(): string {
    return /owner socket +(\S+)/.exec(this.#printed)?.[1] ?? '';
  }

  /** The banner is printed once it is ready. */
  async ready(): Promise<void> {
    const isReady = () => this.#printed.includes('Try next');
    await new Promise<void>((done, fail) => {
      const give = (why: string) => fail(new Error(`${why}:\n${this.#printed}`));
      const timer = setTimeout(() => give(`not ready within ${START_MS} ms`), START_MS);
      const settle = (end: () => void) => {
        clearTimeout(timer);
        end();
      };
      this.child.stdout?.on('data', () => isReady() && settle(done));
      void this.ended.then(({ code, signal }) => settle(() => give(`ended with ${signal ?? code}`)));
    });
  }

  async owner(): Promise<Owner> {
    const owner = await Owner.open(this.socketPath);
    this.#owners.push(owner);
    return owner;
  }

  /** Tells it something and waits until it has heard. */
  tell(order: Order): Promise<Report> {
    return new Promise((done, fail) => {
      this.child.once('message', (report) => done(report as Report));
      this.child.send(order, (error) => error && fail(error));
    });
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<Ended> {
    for (const owner of this.#owners) owner.end();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }
}
