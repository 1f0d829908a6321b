import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client, type RemoteError, type Transport } from '../client/client.ts';
import { openOwnerSocket } from '../client/node/socket.ts';
import type { EventFrame } from '../core/protocol/frame.ts';
import { codeOf, EXIT, Failure, isFailure } from '../system/failure.ts';
import { fits, ownerSocketPlace } from '../system/owner.ts';
import { checkPrivateDirectory } from '../system/state-dir.ts';
import { shellWord } from '../system/text.ts';
import { type Context, tell } from './context.ts';
import { aimOf } from './remote-target.ts';
import { readRun } from './running.ts';
import { GatewayBusy, GatewayDown } from './unanswered.ts';

/** One request; the payload of its answer. */
export type Call = (method: string, params?: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** Who answers. */
export interface Answerer {
  /** No gateway runs: the command decided on the state directory itself, and nobody thinks. Known after the first call. */
  readonly isOffline: boolean;
}

/** What is done with a gateway. */
export type Work<T> = (call: Call, answerer: Answerer) => Promise<T>;

/** Hears events, for commands that stream. */
export type Ear = (event: EventFrame) => void;

/**
 * Does `work` with the gateway that the command line means: another one (`--url`), or this state directory's over its
 * owner socket (A11): no token, no pairing. Where none runs, a command whose literal says so decides on the state
 * directory itself.
 * @throws GatewayDown, GatewayBusy; Failure for a refusal, or for a directory that isn't ours
 */
export async function withGateway<T>(context: Context, work: Work<T>, hear?: Ear): Promise<T> {
  const target = await aimOf(context);
  if (target === null) return withOwnGateway(context, work, hear);
  const { withRemote } = await import('./remote.ts');
  return withRemote(context, target, context.calls, (call) => work(meant(context, call), { isOffline: false }), hear);
}

/** The same with this state directory's own gateway, whatever else a flag, the environment or the configuration names. */
export async function withOwnGateway<T>(context: Context, work: Work<T>, hear?: Ear): Promise<T> {
  const line = await Line.open(context);
  const call: Call = async (method, params) => {
    const began = context.host.clock.monotonicMs();
    try {
      return await line.request(method, params);
    } catch (error) {
      throw (await import('./refused.ts')).explained(error, context, method);
    } finally {
      tell(context, `${method}: ${Math.round(context.host.clock.monotonicMs() - began)} ms`);
    }
  };
  try {
    if (hear !== undefined) await line.listen(hear);
    return await work(meant(context, call), line);
  } finally {
    await line.close();
  }
}

/** Where an agent is named that there isn't, the refusal names the one that was probably meant. */
function meant(context: Context, call: Call): Call {
  return async (method, params) => {
    try {
      return await call(method, params);
    } catch (error) {
      throw await (await import('./refused.ts')).withNearAgent(error, context, call, params ?? {});
    }
  };
}

export async function callGateway(
  context: Context,
  method: string,
  params?: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  return withGateway(context, (call) => call(method, params));
}

interface Opened {
  readonly client: Client;
  /** What is to be put away after the last answer. */
  readonly end?: () => Promise<void>;
}

/** The way to whoever decides for this state directory: first the gateway, and once that has ended, nobody but us. */
class Line {
  readonly #context: Context;
  #opened: Opened;

  private constructor(context: Context, opened: Opened) {
    this.#context = context;
    this.#opened = opened;
  }

  static async open(context: Context): Promise<Line> {
    return new Line(context, await openLocal(context));
  }

  get isOffline(): boolean {
    return this.#opened.end !== undefined;
  }

  async request(method: string, params: unknown): Promise<unknown> {
    const { timeoutMs, offline, host } = this.#context;
    const endMs = host.clock.monotonicMs() + timeoutMs;
    for (;;) {
      try {
        return await this.#opened.client.request(method, params, timeoutMs);
      } catch (error) {
        const isStopping = (error as Error).name === 'RemoteError' && (error as RemoteError).refusal === 'stopping';
        if (!offline || !isStopping || host.clock.monotonicMs() >= endMs) throw error;
      }
      // What a gateway refuses because it stops, it has not done: it is done once it is gone.
      await this.close();
      await new Promise<void>((again) => host.clock.after(AGAIN_MS, again));
      this.#opened = await openLocal(this.#context);
    }
  }

  /** On the owner socket events flow once `connect` was said; where an owner proof was given, it was. */
  async listen(hear: Ear): Promise<void> {
    const { client } = this.#opened;
    const { host, timeoutMs } = this.#context;
    client.onEvent = hear;
    const about = { id: 'latchkey-cli', version: host.version, platform: process.platform, mode: 'cli' };
    try {
      await client.request('connect', { minProtocol: 4, maxProtocol: 4, client: about }, timeoutMs);
    } catch (error) {
      if ((error as RemoteError).refusal === 'already_connected') return;
      throw (await import('./refused.ts')).explained(error, this.#context, 'connect');
    }
  }

  async close(): Promise<void> {
    this.#opened.client.close();
    await this.#opened.end?.();
  }
}

/** Between two looks at a gateway that is starting or stopping. */
const AGAIN_MS = 50;

async function openLocal(context: Context): Promise<Opened> {
  const { path: stateDir } = context.state;
  const { after, monotonicMs } = context.host.clock;
  if (!context.exists) throw new GatewayDown(`there is no state directory ${stateDir}`);
  const endMs = monotonicMs() + context.timeoutMs;
  for (;;) {
    const found = await openOwner(context);
    if (typeof found !== 'string') return { client: new Client(found, after) };
    // A gateway that starts has its lock before its socket; one that ends, its socket until the end.
    const run = readRun(stateDir);
    let isExpected = run?.alive === true && !run.brief;
    if (run?.alive === true && run.port !== null) {
      const client = await (await import('./owner-proof.ts')).proveOwner(context, run);
      if (client !== null) return { client };
    }
    if (context.offline && existsSync(join(stateDir, 'state', 'latchkey.sqlite'))) {
      const offline = await (await import('./offline.ts')).openOffline(context);
      if (offline !== null) return { client: new Client(offline.transport, after), end: () => offline.close() };
      isExpected = true;
    }
    if (!isExpected || monotonicMs() >= endMs) throw new GatewayDown(found);
    await new Promise<void>((again) => after(AGAIN_MS, again));
  }
}

/** A transport, or why there is none. */
async function openOwner(context: Context): Promise<Transport | string> {
  const { path: stateDir } = context.state;
  const usual = join(stateDir, 'run', 'gateway.sock');
  if (process.platform !== 'win32' && fits(usual)) {
    const transport = await openAt(context, usual);
    if (transport !== null) return transport;
  }
  // What the gateway says itself comes next: its environment, or its name for the directory, may differ from ours.
  const run = readRun(stateDir);
  const elsewhere = run?.socket ?? ownerSocketPlace(stateDir, context.host.env).path;
  const transport = elsewhere === usual ? null : await openAt(context, elsewhere, run?.alive === true);
  return transport ?? `nobody listens at ${elsewhere}`;
}

async function openAt(context: Context, path: string, alive = true): Promise<Transport | null> {
  tell(context, `owner socket ${path}`);
  try {
    // A directory of another user's making could hold another user's socket.
    if (process.platform !== 'win32') checkPrivateDirectory(dirname(path));
    return await openOwnerSocket(path);
  } catch (error) {
    // Of a gateway that is gone nothing need be left: then there is nothing to check.
    if (isFailure(error) && (!existsSync(dirname(path)) || !alive)) return null;
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return null;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new Failure(EXIT.permission, {
        what: `can't open ${path}`,
        why: 'it belongs to another user',
        run: `ls -l ${shellWord(path)}`,
      });
    }
    // Its queue of connections is full: it has not taken one for a while.
    if (code === 'EAGAIN') throw new GatewayBusy(`${path} takes no more connections`);
    throw error;
  }
}
