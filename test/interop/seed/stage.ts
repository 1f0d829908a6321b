// What the reports have in common: a person's home with OpenClaw in it, a gateway, a counted way between them; and what
// is demanded of every one: each command's outcome, no loop, nothing widened.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Identity, identityFrom } from '../../partner/identity.ts';
import { recordedConnects } from '../../wire/verdict.ts';
import { Home, openclaw, type Ran, type RunOptions } from '../openclaw.ts';
import type { Release } from '../release.ts';
import type { Finding } from '../verdict.ts';
import { type Relay, relay } from './relay.ts';
import type { Side } from './side.ts';

/** What the reports printed: none of it may be seen where the secret is right. */
const COMPLAINT =
  /pairing required|missing scope|(?:token|password) mismatch|unauthorized|gateway closed|identity required|unreachable|connect-only|limited -|scope upgrade|connect failed|no close reason/i;
/** Lines that say what a person decided, or that the process came and went. */
const DECIDED = /"message":"(?:access changed|ready|stopping|stopped|secret)/;
const MINUTE_MS = 60_000;

/** The line that matters of what a command printed. */
export function line(text: string, of: RegExp): string {
  const found = text.split('\n').find((one) => of.test(one)) ?? '';
  return found
    .replace(/[\u2500-\u257f]+/g, ' ')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replace(/\/tmp\/\S*?\/(?=\.openclaw|s\/)/g, '~/')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}/g, 'ID')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 240);
}

/** As many sockets as the command was ever recorded to open, once each: more is a reconnect that got nowhere. */
export function socketsOf(release: Release, args: readonly string[]): number {
  const name = args
    .filter((arg) => arg !== '--json')
    .join('')
    .replaceAll('-', '');
  const sums = new Map<string, number>();
  for (const recorded of recordedConnects()) {
    const [, folder = '', command = ''] = /^(fresh\/|foreign-)?(.*)$/.exec(recorded.command) ?? [];
    if (recorded.release !== release.name || command.replaceAll('-', '') !== name) continue;
    sums.set(folder, (sums.get(folder) ?? 0) + recorded.count);
  }
  return Math.max(2, ...sums.values());
}

export class Stage {
  readonly release: Release;
  readonly side: Side;
  readonly home: Home;
  readonly way: Relay;
  /** Beside `HOME` and `PATH`, for every command from now on. */
  readonly env: Record<string, string> = {};
  /** What was wrong, in the order of the play. */
  readonly wrongAnswers: string[] = [];
  readonly wrongRemedies: string[] = [];
  readonly #began = performance.now();
  #socketsAllowed = 0;
  #logsFrom = 0;
  #named: string | null = null;
  #wrongBefore: readonly string[] = [];
  #grants: Readonly<Record<string, readonly string[]>> = {};

  private constructor(release: Release, side: Side, way: Relay) {
    this.release = release;
    this.side = side;
    this.way = way;
    this.home = Home.local(way.port, side.token());
  }

  static async open(release: Release, side: Side): Promise<Stage> {
    return new Stage(release, side, await relay(side.port()));
  }

  /** One command of the real program. Its sockets are counted against what it was recorded to open. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    this.#socketsAllowed += socketsOf(this.release, args);
    return openclaw(this.release, this.home, args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** For programs run in another way. */
  allow(sockets: number): void {
    this.#socketsAllowed += sockets;
  }

  /** The command does its work and complains of nothing. */
  async works(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await this.run(args, options);
    const printed = ran.stdout + ran.stderr;
    const said = line(printed, COMPLAINT);
    if (ran.code !== 0 || ran.timedOut || said !== '') {
      const why = ran.timedOut ? 'timed out' : `exit ${ran.code}`;
      this.wrongAnswers.push(`${args.join(' ')}: ${why} ${said || line(printed.trimStart(), /./)}`);
    }
    return ran;
  }

  async all(commands: readonly (readonly string[])[], options: RunOptions = {}): Promise<void> {
    for (const args of commands) await this.works(args, options);
  }

  /** The command can't work: it says why, in words that match, and ends. Returns what it said. */
  async names(args: readonly string[], cause: RegExp, options: RunOptions = {}): Promise<string> {
    const ran = await this.run(args, options);
    const printed = ran.stdout + ran.stderr;
    const said = line(printed, cause);
    // Tables break lines.
    const flat = printed.replace(/[\s\u2500-\u257f]+/g, ' ');
    this.#named = /on the gateway's host: (latchkey [^)]*[^) ])/.exec(flat)?.[1] ?? this.#named;
    if (said === '' || ran.timedOut)
      this.wrongAnswers.push(`${args.join(' ')}: exit ${ran.code} without the cause: ${line(ran.stderr, /./)}`);
    return said;
  }

  /** The line that a person is shown as the way out, run as it stands, beside the gateway; its standard output. */
  async mend(command: string): Promise<string> {
    if (!/^latchkey \S/.test(command)) {
      this.wrongRemedies.push(`no command was named: ${command.slice(0, 80)}`);
      return '';
    }
    const { code, stdout, stderr } = await this.side.run(command.split(' ').slice(1));
    if (code !== 0) this.wrongRemedies.push(`${command}: exit ${code} ${line(stderr, /./)}`);
    return stdout.trim();
  }

  /** The command that a person is told to run, as the program printed it; else as `latchkey why` does. */
  async remedy(about = '--last'): Promise<string> {
    if (this.#named !== null) return this.#named;
    const { stdout } = await this.side.run(['why', about]);
    return /^ +run +(latchkey \S.*?)(?: {3}\(.*)?$/m.exec(stdout)?.[1] ?? stdout;
  }

  /** What stands now is what must stand at the end. */
  async fix(): Promise<void> {
    this.#grants = await this.side.grants();
    this.#logsFrom = this.side.logs().length;
  }

  /**
   * What is wrong so far with: no loop, nothing widened.
   *
   * @param open how many requests may be open: those that only a person decides
   */
  async loops(open = 0): Promise<readonly string[]> {
    const wrong = [...this.#wrongBefore];
    const requests = await this.side.open();
    if (requests.length > open) wrong.push(`${requests.length} open requests`);
    const grants = await this.side.grants();
    for (const [device, scopes] of Object.entries(grants)) {
      const was = this.#grants[device];
      if (`${was}` !== `${scopes}`) wrong.push(`a device holds ${scopes}, it held ${was ?? 'nothing'}`);
    }
    for (const device of Object.keys(this.#grants)) if (grants[device] === undefined) wrong.push('a device is gone');
    const repeated = this.#repeated();
    if (repeated !== null) wrong.push(repeated);
    const sockets = this.way.sockets();
    if (sockets > this.#socketsAllowed) wrong.push(`${sockets} connects, ${this.#socketsAllowed} were recorded`);
    return wrong;
  }

  /** Judges what was until now: from here on something else is right. */
  async settle(open = 0): Promise<void> {
    this.#wrongBefore = await this.loops(open);
  }

  /** A line said again within a minute, times and ids aside. */
  #repeated(): string | null {
    const minutes = 1 + Math.floor((performance.now() - this.#began) / MINUTE_MS);
    const counts = new Map<string, number>();
    for (const one of this.side.logs().slice(this.#logsFrom).split('\n')) {
      if (one.trim() === '' || DECIDED.test(one)) continue;
      const bare = one.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|[a-z]+_[0-9a-z]+|[\d:.-]+/gi, '#').trim();
      if (/[a-z]{4}/i.test(bare)) counts.set(bare, (counts.get(bare) ?? 0) + 1);
    }
    const [text, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
    return count > minutes ? `logged ${count} times: ${text.slice(0, 100)}` : null;
  }

  async end(): Promise<void> {
    await this.way.end();
    this.home.end();
    await this.side.end();
  }
}

export function finding(wrong: readonly string[]): Finding {
  return wrong[0] === undefined ? { verdict: 'works', says: '' } : { verdict: 'fails', says: wrong[0].slice(0, 240) };
}

/**
 * A new key, in the file where 2026.2.19 and 2026.3.13 keep theirs.
 *
 * @param kept false: the home has none, the key is another program's
 */
export function identityIn(home: Home, kept = true): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const identity = identityFrom(privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'));
  if (!kept) return identity;
  const folder = join(home.stateDir, 'identity');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = {
    version: 1,
    deviceId: identity.id,
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    createdAtMs: 1,
  };
  writeFileSync(join(folder, 'device.json'), JSON.stringify(file), { mode: 0o600 });
  return identity;
}
