// OpenClaw's own gateway, unchanged: a process on a loopback port, with a home directory and a secret of its own.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Partner } from '../partner/client.ts';
import { within } from '../partner/peer.ts';
import { end, Home, launch } from './openclaw.ts';
import type { Release } from './release.ts';

export interface ForeignGateway {
  readonly release: Release;
  readonly port: number;
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
  /** Its shared secret. */
  readonly token: string;
  readonly home: Home;
  /** Of what was started: the program starts the gateway proper as a child of it, in the same process group. */
  readonly pid: number;
  /** From its start until it sent a challenge, ms. */
  readonly readyMs: number;
  /** Everything that it printed so far. */
  logs(): string;
  /** Ends the process and all that it started; its home stays, to be started again with. */
  halt(): Promise<void>;
  /** The same, and removes the home. */
  stop(): Promise<void>;
}

export interface ForeignOptions {
  /** A port of one's own choice, e.g. one that another gateway had; a free one where absent. */
  readonly port?: number;
  /** The home of one that was halted, used as it is, with the secret that its configuration names. */
  readonly again?: Pick<ForeignGateway, 'home' | 'token'>;
  /** More keys of `openclaw.json`, beside `gateway`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Starts take 8 to 12 s on an idle machine. */
const START_MS = 180_000;

/** Nothing outside this machine is asked or told: no announcement, no look for updates. */
const QUIET = { discovery: { mdns: { mode: 'off' } }, update: { checkOnStart: false } };
const QUIET_ENV = { OPENCLAW_DISABLE_BONJOUR: '1' };

/** A loopback port that nobody listens at just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise<void>((done) => server.close(() => done()));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Whether a challenge comes: what a client sees first of a gateway that is up. */
async function answers(port: number): Promise<boolean> {
  try {
    const partner = await within(Partner.open({ port }), 'challenge', 15_000);
    partner.end();
    return true;
  } catch {
    return false;
  }
}

/** @throws Error with what it printed when it ends first, or sends no challenge in time */
export async function foreignGateway(release: Release, options: ForeignOptions = {}): Promise<ForeignGateway> {
  const port = options.port ?? (await freePort());
  const token = options.again?.token ?? randomBytes(24).toString('hex');
  const home = options.again?.home ?? new Home(null);
  home.configure({
    ...QUIET,
    // Its own log, not the one that every gateway of this machine writes on a day.
    logging: { file: join(home.path, 'gateway.log') },
    ...options.config,
    gateway: { mode: 'local', port, bind: 'loopback', auth: { mode: 'token', token } },
  });
  const began = performance.now();
  const child = launch(release, home, ['gateway', 'run', '--port', String(port)], QUIET_ENV);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const halt = () => end(child);
  const stop = async () => {
    await halt();
    home.end();
  };
  while (!(await answers(port))) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || performance.now() - began > START_MS) {
      await (options.again === undefined ? stop() : halt());
      const why = hasEnded ? 'ended before it was up' : `sent no challenge within ${START_MS} ms`;
      throw new Error(`the gateway of openclaw ${release.name} ${why}:\n${printed.slice(-4_000)}`);
    }
    await sleep(250);
  }
  const readyMs = Math.round(performance.now() - began);
  return {
    release,
    port,
    url: `ws://127.0.0.1:${port}`,
    token,
    home,
    pid: child.pid ?? 0,
    readyMs,
    logs: () => printed,
    halt,
    stop,
  };
}
