// A gateway, and a home whose command line goes by its own key, so that the device's grant decides what it may.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type CommandResult, type Gateway, start } from '../../gateway.ts';
import { ADMIN, APPROVALS, PAIRING, READ, WRITE } from '../../scenario/act.ts';
import { Home, openclaw, type Ran } from '../openclaw.ts';
import type { Release } from '../release.ts';
import { inTerminal } from '../terminal.ts';
import type { Facts } from './text.ts';

interface Row {
  readonly requestId: string;
  readonly deviceId: string;
  readonly publicKey: string;
}

const ALL = [READ, WRITE, APPROVALS, PAIRING, ADMIN];

/** Whether 2026.9.6 keeps a device token in this home. */
function keepsToken(home: Home): boolean {
  const file = join(home.stateDir, 'state', 'openclaw.sqlite');
  if (!existsSync(file)) return false;
  try {
    const store = new DatabaseSync(file, { readOnly: true });
    try {
      return store.prepare('SELECT 1 FROM device_auth_tokens').get() !== undefined;
    } finally {
      store.close();
    }
  } catch {
    // Being made, or being written.
    return false;
  }
}

export class Scene {
  readonly release: Release;
  readonly #gateway: Gateway;
  #home: Home;
  #device: Row | null = null;

  private constructor(release: Release, gateway: Gateway) {
    this.release = release;
    this.#gateway = gateway;
    this.#home = Home.local(gateway.port, gateway.token);
  }

  /** With a device that the secret paired, and that holds all. */
  static async open(release: Release): Promise<Scene> {
    const scene = new Scene(release, await start());
    try {
      if (release.name === '2026.9.6') {
        await inTerminal(release, scene.#home, async () => keepsToken(scene.#home));
        scene.secret(null);
      } else await scene.run(['devices', 'list']);
      const [row] = (await scene.#list()).paired;
      if (row === undefined) throw new Error(`the command line of ${release.name} brought no key`);
      scene.#device = row;
      return scene;
    } catch (error) {
      await scene.end();
      throw error;
    }
  }

  /** What the configuration of the home says from now on; `null`: no secret. */
  secret(token: string | null): void {
    const { port } = this.#gateway;
    this.#home.configure({
      gateway: { mode: 'local', port, auth: { mode: 'token', ...(token === null ? {} : { token }) } },
    });
  }

  /** Another home, of a person that has only this secret. */
  newcomer(token: string): void {
    this.#home.end();
    this.#home = Home.local(this.#gateway.port, token);
  }

  run(args: readonly string[]): Promise<Ran> {
    return openclaw(this.release, this.#home, args, { timeoutMs: 180_000 });
  }

  /** A command of Latchkey's that somebody was shown, as it stands. */
  paste(line: string): Promise<CommandResult> {
    return this.#gateway.cli(line.split(' ').slice(1));
  }

  /** The owner does something; @throws Error where that was refused */
  async owner(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#gateway.cli(args);
    if (code !== 0) throw new Error(`latchkey ${args.join(' ')}: exit ${code}\n${stderr}`);
    return stdout;
  }

  async #list(): Promise<{ readonly pending: readonly Row[]; readonly paired: readonly Row[] }> {
    return JSON.parse(await this.owner('devices', 'list', '--json'));
  }

  get device(): string {
    return this.#device?.deviceId ?? '';
  }

  /** The device holds all, and nothing is open: where every case begins. */
  async restore(): Promise<void> {
    const scopes = ALL.flatMap((scope) => ['--scope', scope]);
    await this.owner('devices', 'ensure', '--key', this.#device?.publicKey ?? '', '--role', 'operator', ...scopes);
  }

  /** What is open. */
  async request(): Promise<string> {
    const [row] = (await this.#list()).pending;
    if (row === undefined) throw new Error('nothing is open');
    return row.requestId;
  }

  facts(): Facts {
    const { port, stateDir } = this.#gateway;
    return { port, stateDir, home: this.#home.path, program: join(this.release.entry, '..') };
  }

  async end(): Promise<void> {
    await this.#gateway.stop();
    this.#home.end();
  }
}
