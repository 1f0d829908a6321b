// OpenClaw's own gateway, unchanged, with a home of its own: started, asked whether it answers, and ended whole.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/interop/foreign.ts';
import { Home } from '../../test/interop/openclaw.ts';
import type { Release } from '../../test/interop/release.ts';
import { Partner, plainParams } from '../../test/partner/client.ts';
import type { Command } from '../measure.ts';
import { environment, type Place } from '../place.ts';
import { endAll, tree } from './tree.ts';

const START_MS = 180_000;
const END_MS = 15_000;
/** Between two tries at a gateway that starts: a percent of what its start takes. */
const RETRY_MS = { listening: 5, answering: 50 };

export interface Address {
  readonly port: number;
  readonly token: string;
  readonly protocol: 3 | 4;
}

/** One try: connected by the shared secret alone and `health` answered. @throws Error when not */
async function asked({ port, token, protocol }: Address): Promise<void> {
  const partner = await Partner.open({ port });
  try {
    const params = plainParams({ minProtocol: protocol, maxProtocol: protocol, auth: { token } });
    const answer = await partner.connect(params);
    if (!answer.ok) throw new Refused(`${answer.error.code} ${answer.error.message}`);
    await partner.ask('health', {});
  } finally {
    partner.end();
  }
}

class Refused extends Error {
  override readonly name = 'Refused';
}

/** Waits for the first answer to an authenticated session over WebSocket. */
export async function firstAnswer(address: Address, child: ChildProcess): Promise<void> {
  for (const began = performance.now(); performance.now() - began < START_MS; ) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the gateway ended before it answered');
    try {
      return await asked(address);
    } catch (error) {
      const isUp = error instanceof Error && error.name === 'Refused';
      await sleep(isUp ? RETRY_MS.answering : RETRY_MS.listening);
    }
  }
  throw new Error(`no answer within ${START_MS} ms`);
}

/** A release with a home: its gateway can be started in it again and again. */
export class Installation implements Address {
  readonly release: Release;
  readonly port: number;
  readonly protocol: 3 | 4;
  readonly token = randomBytes(24).toString('hex');
  readonly home = new Home(null);

  private constructor(place: Place, release: Release, port: number) {
    this.release = release;
    this.protocol = release.protocol;
    this.port = port;
    place.atEnd(() => this.home.end());
    // Nothing outside this machine is asked or told. Only the newer one has a switch by which a local client's first
    // connect is a request instead of an approval; the older one does so for any client that names an Origin.
    const nodes = release.protocol === 4 ? { nodes: { pairing: { autoApproveLocal: false } } } : {};
    this.home.configure({
      discovery: { mdns: { mode: 'off' } },
      update: { checkOnStart: false },
      gateway: { mode: 'local', port, bind: 'loopback', auth: { mode: 'token', token: this.token }, ...nodes },
    });
  }

  static async make(place: Place, release: Release): Promise<Installation> {
    return new Installation(place, release, await freePort());
  }

  command(args: readonly string[], node = process.execPath): Command {
    const env = { ...environment(this.home.path), OPENCLAW_DISABLE_BONJOUR: '1' };
    return { argv: [node, this.release.entry, ...args], env, cwd: this.home.path };
  }

  /** Not waited for. What it prints is discarded. */
  spawn(place: Place, node = process.execPath): ChildProcess {
    const { argv, env, cwd } = this.command(['gateway', 'run', '--port', String(this.port)], node);
    const child = spawn(node, argv.slice(1), { env, cwd, stdio: 'ignore' });
    place.atEnd(() => endTree(child));
    return child;
  }
}

/** Ends a program and all that it started; those that outlive it by force. */
export async function endTree(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const all = tree(pid);
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => endAll(all), END_MS);
  await gone;
  clearTimeout(timer);
  endAll(all);
}
