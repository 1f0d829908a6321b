// Where a bench happens: processes and directories of its own, all of them gone at its end, also when it is interrupted.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { type Gateway, type GatewayOptions, start } from '../test/gateway.ts';
import type { LimitInput } from './limit/listen.ts';

/** Servers of the bench itself, by their files. */
const SERVERS = [
  'limit/bare',
  'limit/echo',
  'limit/handshake',
  'limit/commit',
  'limit/proxy',
  'limit/relay',
  'limit/library',
  'drive/model',
] as const;
type ServerName = (typeof SERVERS)[number];
type LimitOf<Name> = Name extends `limit/${infer Limit}` ? Limit : never;
export type LimitName = LimitOf<ServerName>;

export const ROOT = join(import.meta.dirname, '..');
export const CLI = join(ROOT, 'dist', 'cli.cjs');
export const SHIM = join(ROOT, 'bin', 'latchkey');

export interface Server {
  readonly pid: number;
  readonly port: number;
  /** Ends it before the place does. */
  stop(): Promise<void>;
}

/** An environment without a trace of the user's own installation. */
export function environment(home: string): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: home, NO_COLOR: '1', TZ: 'UTC' };
}

/** Ends a process by its id and waits until it is gone. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}

export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  readonly #atEnd: (() => Promise<void> | void)[] = [];
  #bundled = false;

  /** Whatever must be undone at the end; the last one first. */
  atEnd(undo: () => Promise<void> | void): void {
    this.#atEnd.push(undo);
  }

  /** A path in this place. */
  path(name: string): string {
    return join(this.folder, name);
  }

  async gateway(options: GatewayOptions = {}): Promise<Gateway> {
    const gateway = await start(options);
    this.atEnd(() => gateway.stop());
    return gateway;
  }

  /** Starts a limit server, bundled as the gateway is: neither side pays for loading sources. */
  limit(name: LimitName, input: LimitInput = {}, node = process.execPath): Promise<Server> {
    return this.#serve(`limit/${name}`, input, node);
  }

  /** Starts a model server. */
  model(): Promise<Server> {
    return this.#serve('drive/model', {}, process.execPath);
  }

  async #serve(name: ServerName, input: LimitInput, node: string): Promise<Server> {
    if (!this.#bundled) this.#bundle();
    const file = this.path(`input-${this.#atEnd.length}.json`);
    writeFileSync(file, JSON.stringify(input));
    const child = spawn(node, [this.path(`server/${name}.cjs`), file], {
      env: environment(this.folder),
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.atEnd(() => ended(child));
    const line = await new Promise<string>((done, fail) => {
      child.stdout.setEncoding('utf8').once('data', done);
      child.once('exit', (code) => fail(new Error(`server ${name} ended with ${code}`)));
    });
    return { pid: child.pid ?? 0, port: Number(JSON.parse(line).port), stop: () => ended(child) };
  }

  /** A Node whose pages nobody else has mapped. */
  ownNode(): string {
    const copy = this.path('node');
    copyFileSync(process.execPath, copy);
    return copy;
  }

  #bundle(): void {
    buildSync({
      absWorkingDir: ROOT,
      entryPoints: SERVERS.map((name) => `bench/${name}.ts`),
      outbase: 'bench',
      outdir: this.path('server'),
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      mainFields: ['module', 'main'],
      minifySyntax: true,
      logLevel: 'warning',
    });
    this.#bundled = true;
  }

  /** Starts a driver: a process of its own, so that its work is not counted as the server's. */
  driver(): ChildProcess {
    const child = fork(join(ROOT, 'bench', 'drive', 'main.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.atEnd(() => ended(child, 'SIGKILL'));
    return child;
  }

  async end(): Promise<void> {
    for (const undo of this.#atEnd.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        console.error(error);
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
