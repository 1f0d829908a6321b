// A person who uses Latchkey's command line with somebody else's gateway: a home directory with nothing of Latchkey in
// it, and the gateway's shared secret in a file.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, type CommandResult, latchkey, NODE } from '../../gateway.ts';

/** What is shown to the gateway: `file` its secret by `--token-file`, `env` by the environment, `wrong` another one. */
export type Shown = 'file' | 'env' | 'wrong' | 'nothing';

/** A busy machine must not decide about a row. */
const PATIENCE_MS = 120_000;
const REQUEST_TIMEOUT = '60s';

export interface Went extends CommandResult {
  readonly args: readonly string[];
}

export class Traveller {
  readonly home = mkdtempSync(join(tmpdir(), 'lk-abroad-'));
  readonly url: string;
  readonly #token: string;

  constructor({ url, token }: { readonly url: string; readonly token: string }) {
    this.url = url;
    this.#token = token;
    writeFileSync(this.#file('file'), `${token}\n`, { mode: 0o600 });
    writeFileSync(this.#file('wrong'), `${'0'.repeat(token.length)}\n`, { mode: 0o600 });
  }

  #file(shown: Shown): string {
    return join(this.home, `token-${shown}`);
  }

  #line(
    args: readonly string[],
    shown: Shown,
  ): { readonly args: readonly string[]; readonly env: Record<string, string> } {
    const patience = ['--wait', '0s', '--timeout', REQUEST_TIMEOUT];
    if (shown === 'env') {
      const env = { LATCHKEY_GATEWAY_URL: this.url, LATCHKEY_GATEWAY_TOKEN: this.#token };
      return { args: [...patience, ...args], env };
    }
    const file = shown === 'nothing' ? [] : ['--token-file', this.#file(shown)];
    return { args: ['--url', this.url, ...file, ...patience, ...args], env: {} };
  }

  /** One command, to its end. */
  async run(args: readonly string[], shown: Shown = 'file'): Promise<Went> {
    const line = this.#line(args, shown);
    const ran = await latchkey(line.args, { home: this.home, env: line.env, timeoutMs: PATIENCE_MS });
    return { ...ran, args };
  }

  /** A command line as it was printed, without a gateway named for it. */
  async paste(line: string): Promise<Went> {
    const args = line.split(' ').slice(1);
    return { ...(await latchkey(args, { home: this.home, timeoutMs: PATIENCE_MS })), args };
  }

  /** A command that goes on until it has printed what is waited for; then it is told to stop, and how it ended is told. */
  async follow(args: readonly string[], isEnough: (stdout: string) => boolean): Promise<Went> {
    const line = this.#line(args, 'file');
    const child = spawn(NODE, [CLI, ...line.args], {
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: this.home, NO_COLOR: '1', TZ: 'UTC' },
      cwd: this.home,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (isEnough(stdout)) child.kill('SIGINT');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    const code = await new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail));
    clearTimeout(timer);
    return { code, stdout, stderr, args };
  }

  /** What it remembers of the gateway; `null`: nothing. */
  get remembered(): { readonly deviceId: string; readonly token: string } | null {
    const path = join(this.home, '.latchkey', 'identity', 'credentials.json');
    if (!existsSync(path)) return null;
    return JSON.parse(readFileSync(path, 'utf8')).gateways[this.url]?.deviceToken ?? null;
  }

  end(): void {
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What it said went wrong, on one line, without what differs from run to run. */
export function saying({ stderr, stdout, code }: CommandResult): string {
  const text = stderr.trim() === '' ? stdout.trim().slice(0, 200) : stderr.trim();
  return `exit ${code}: ${text}`
    .replace(/\s*\n\s*/g, '; ')
    .replace(/ws:\/\/127\.0\.0\.1:\d+/g, 'URL')
    .replace(/\/[^\s;]*lk-(?:abroad|home)-[^\s/;]*/g, 'HOME')
    .replace(/\b[0-9a-f]{64}\b/g, 'DEVICE')
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'REQUEST')
    .replace(/\b[A-Za-z0-9_-]{43}\b/g, 'KEY')
    .slice(0, 500);
}

/** The command that its message names, and whether it is to be run on the gateway's own host. */
export function remedyOf({ stderr }: CommandResult): { readonly text: string; readonly isThere: boolean } {
  const [, there = '', text = ''] = /^ {2}run( on the gateway's host)?: (.*)$/m.exec(stderr) ?? [];
  return { text, isThere: there !== '' };
}
