import { type Address, parseAddress } from '../client/address.ts';
import { Client, RemoteError } from '../client/client.ts';
import { type Given, handshake, type Session, type Waiting } from '../client/handshake.ts';
import { nodeCrypto } from '../client/node/crypto.ts';
import { type DeviceIdentity, openDeviceIdentity } from '../client/node/identity.ts';
import { openWebSocket } from '../client/node/websocket.ts';
import { Link, type LinkState } from '../client/reconnect.ts';
import { pauseMs, type RetryTable, type Verdict, verdictOf } from '../client/retry.ts';
import type { EventFrame } from '../core/protocol/frame.ts';
import type { MethodName } from '../core/protocol/registry.ts';
import { newNonce, randomBytes } from '../system/random.ts';
import { makeStateDir } from '../system/state-dir.ts';
import { escapeText } from '../system/text.ts';
import { type Context, tell } from './context.ts';
import { renderDuration } from './duration.ts';
import type { Call } from './reach.ts';
import { badAddress, readCredential } from './remote-credential.ts';
import { isReadable, keepAsking, keepSession, type Remembered, recordOf } from './remote-memory.ts';
import type { RemoteTarget } from './remote-target.ts';
import {
  failureOfConnect,
  failureOfLoss,
  failureOfRefusal,
  type Place,
  type Remedies,
  waitingText,
} from './remote-text.ts';
import { isRecord } from './value.ts';

/** What is known of another gateway before it is dialed. */
interface Remote extends Place, Remembered {
  readonly address: Address;
  readonly device: DeviceIdentity;
  readonly given: Given;
  /** A certificate that a setup code or the configuration names: it counts before what is remembered. */
  readonly toldFingerprint: string | null;
  readonly insecure: boolean;
  readonly waitMs: number | null;
  readonly scopes: readonly string[];
  readonly openclawScopes: readonly string[];
  readonly remedies: Remedies;
}

/**
 * Does `work` with another gateway, over a WebSocket and with this host's key (FEATURES §1). Where a person has to
 * approve the key it waits, and says so on standard error. `methods` are those that will be called: their scopes are
 * what is asked for. @throws Failure
 */
export async function withRemote<T>(
  context: Context,
  target: RemoteTarget,
  methods: readonly MethodName[],
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const remote = await prepare(context, target, methods);
  const session = await reach(context, remote);
  // A command that is over in a moment has no use for events.
  session.listen(() => {});
  try {
    await widened(context, remote, session);
    return await work(callOf(context, remote, session));
  } finally {
    session.client.close();
  }
}

/**
 * A connection that comes back, for commands that stream. Why it waits is said on standard error; an `ended` link
 * carries a `Failure`.
 */
export async function linkRemote(
  context: Context,
  target: RemoteTarget,
  methods: readonly MethodName[],
  handlers: { onState(state: LinkState): void; onEvent(event: EventFrame): void },
): Promise<Link> {
  const remote = await prepare(context, target, methods);
  const { clock } = context.host;
  const notice = new Notice(context, remote);
  const link = new Link({
    connect: (waits) =>
      connectOnce(context, remote, (waiting) => {
        waits(waiting);
        return waitLeftMs(context, remote, waiting);
      }),
    verdictOf: (error) => verdictOf(error, retryTable(remote)),
    after: (delayMs, run) => clock.after(delayMs, run),
    chance: () => (randomBytes(1)[0] as number) / 256,
    onEvent: handlers.onEvent,
    onState(state) {
      if (state.kind === 'waiting') notice.waiting(state.waiting);
      if (state.kind === 'pausing') context.output.err(`latchkey: ${pauseText(state.why, state.forMs)}\n`);
      if (state.kind !== 'ended') return handlers.onState(state);
      handlers.onState({ kind: 'ended', error: failureOfConnect(state.error, context, remote, remote.remedies) });
    },
  });
  link.start();
  return link;
}

async function prepare(context: Context, target: RemoteTarget, methods: readonly MethodName[]): Promise<Remote> {
  const { path: stateDir } = context.state;
  const { remedyFor } = await import('../core/protocol/error.ts');
  const { scopesFor } = await import('../core/protocol/registry.ts');
  const { OPENCLAW_ASK } = await import('../core/protocol/method/scope.ts');
  const { given, code } = await readCredential(context, target.credential);
  const text = target.url ?? code?.url ?? '';
  const address = parseAddress(text);
  if (!address.ok) throw badAddress(target.from, address.error);
  makeStateDir(stateDir);
  const { key: url } = address.value;
  const remembers = isReadable(context, url, code?.gatewayKey != null);
  const device = openDeviceIdentity(stateDir, () => context.host.clock.now());
  return {
    url,
    deviceId: device.id,
    address: address.value,
    device,
    given,
    toldKey: code?.gatewayKey ?? null,
    toldFingerprint: code?.tlsFingerprint ?? target.tlsFingerprint,
    newFingerprint: code?.tlsFingerprint ?? null,
    insecure: target.insecure,
    waitMs: target.waitMs,
    scopes: scopesFor(methods),
    openclawScopes: OPENCLAW_ASK,
    remedies: remedyFor,
    remembers,
  };
}

/** One socket from its opening to `hello-ok`; what came of it is remembered. */
async function connectOnce(context: Context, remote: Remote, onWaiting: (w: Waiting) => number): Promise<Session> {
  const { clock, version } = context.host;
  const { device, address } = remote;
  const after = (delayMs: number, run: () => void) => clock.after(delayMs, run);
  const record = recordOf(context, remote);
  const lk = newNonce();
  const transport = await openWebSocket({
    address,
    lk,
    tlsFingerprint: remote.toldFingerprint ?? record.tlsFingerprint,
    insecure: remote.insecure,
    timeoutMs: context.timeoutMs,
    after,
  });
  const { asking, deviceToken: cached } = record;
  const session = await handshake(new Client(transport, after), {
    host: address.host,
    lk,
    pin: remote.toldKey ?? record.gatewayKey,
    device,
    client: { id: 'cli', mode: 'cli', version, ...hostLabels() },
    role: 'operator',
    scopes: remote.scopes,
    foreignScopes: remote.openclawScopes,
    given: remote.given,
    // What could be read on the way is not sent unasked.
    cached:
      cached?.deviceId === device.id && cached.role === 'operator' && (address.secure || address.loopback)
        ? { token: cached.token, gatewayKey: record.gatewayKey }
        : null,
    contribution: (gatewayKey) =>
      asking?.deviceId === device.id && asking.gatewayKey === gatewayKey && asking.expiresAtMs > clock.now()
        ? { r: asking.r, nonce: asking.nonce }
        : null,
    crypto: nodeCrypto,
    after,
    now: () => clock.now(),
    newNonce,
    silenceMs: context.timeoutMs,
    onWaiting(waiting) {
      keepAsking(context, remote, waiting);
      return onWaiting(waiting);
    },
  });
  try {
    keepSession(context, remote, session);
    return session;
  } catch (error) {
    session.client.close();
    throw error;
  }
}

const FAMILIES: Readonly<Record<string, string>> = { linux: 'Linux', darwin: 'Mac', win32: 'Windows' };

function hostLabels() {
  const { hostname } = process.getBuiltinModule('node:os');
  const { platform } = process;
  const family = FAMILIES[platform];
  // Labels stand in signed texts, so what delimits those can't be in them.
  return { platform, displayName: hostname().slice(0, 64), ...(family === undefined ? {} : { deviceFamily: family }) };
}

/** Who asks, and under which code: said once, however often it is asked again. */
class Notice {
  readonly #context: Context;
  readonly #remote: Remote;
  #said = '';

  constructor(context: Context, remote: Remote) {
    this.#context = context;
    this.#remote = remote;
  }

  /** Something was said. */
  get given(): boolean {
    return this.#said !== '';
  }

  waiting(waiting: Waiting): void {
    const key = `${waiting.requestId} ${waiting.code}`;
    if (key !== this.#said) this.#context.output.err(waitingText(this.#context, this.#remote, waiting));
    this.#said = key;
  }
}

const pauseText = ({ why }: Verdict, forMs: number): string =>
  `${escapeText(why.slice(0, 200))}; trying again in ${renderDuration(Math.max(forMs, 1_000))}`;

/** Until the request ends, or as long as `--wait` says. */
function waitLeftMs(context: Context, { waitMs }: Remote, { expiresAtMs }: Waiting): number {
  const untilEndMs = expiresAtMs - context.host.clock.now() + 5_000;
  return waitMs === null ? untilEndMs : Math.min(waitMs, untilEndMs);
}

const retryTable =
  ({ remedies }: Remote): RetryTable =>
  (refusal) => {
    const retry = remedies(refusal, {})?.retry;
    return retry === 'never' || retry === 'after' || retry === 'onApproval' ? retry : null;
  };

/**
 * A session, however long a person takes. While it waits for one, a connection that is lost is opened again; before
 * that only a gateway that says itself that it is starting or stopping is tried again, for as long as `--timeout` says.
 * @throws Failure
 */
async function reach(context: Context, remote: Remote): Promise<Session> {
  const { clock } = context.host;
  const beganMs = clock.monotonicMs();
  let endMs = beganMs + context.timeoutMs;
  const notice = new Notice(context, remote);
  for (let times = 1; ; times += 1) {
    try {
      return await connectOnce(context, remote, (waiting) => {
        times = 1;
        if (!notice.given) endMs = clock.monotonicMs() + waitLeftMs(context, remote, waiting);
        notice.waiting(waiting);
        return endMs - clock.monotonicMs();
      });
    } catch (error) {
      const verdict = verdictOf(error, retryTable(remote));
      const pause = pauseMs(verdict, times, (randomBytes(1)[0] as number) / 256);
      const isInTime = clock.monotonicMs() + pause < endMs;
      if (!isInTime || !triesAgain(error, verdict, notice.given)) {
        throw failureOfConnect(error, context, remote, remote.remedies);
      }
      const line = pauseText(verdict, pause);
      if (notice.given) context.output.err(`latchkey: ${line}\n`);
      else tell(context, line);
      await new Promise<void>((resume) => clock.after(pause, resume));
    }
  }
}

/** Going away or coming (PROTOCOL.md §1.1). */
const PASSING: readonly (number | null)[] = [1012, 1013];

function triesAgain(error: unknown, { retry }: Verdict, hasWaited: boolean): boolean {
  if (retry !== 'after' || !(error instanceof Error)) return false;
  if (error instanceof RemoteError) {
    // Another run of this device asked for more, and took this one's place.
    if (error.refusal === 'ask_superseded') return true;
    return error.error.code === 'UNAVAILABLE';
  }
  return hasWaited || ('code' in error && PASSING.includes(error.code as number | null));
}

/** `--wait` of a device that is paired and misses something: until somebody has answered what it asked for. */
async function widened(context: Context, remote: Remote, { client, hello }: Session): Promise<void> {
  const { missing, requestId, rejected } = hello;
  if (missing.length === 0 || requestId === null || rejected || !remote.waitMs) return;
  context.output.err(
    `latchkey: waiting for ${missing.map((scope) => escapeText(scope)).join(', ')} at ${remote.url}\n  on the gateway's host: latchkey devices approve ${requestId}\n`,
  );
  const timeoutMs = Math.min(remote.waitMs, 600_000);
  const params = { requestId, timeoutMs };
  const answer = await client
    .request('device.scopes.waitUpgrade', params, timeoutMs + context.timeoutMs)
    .catch((error: unknown) => {
      throw failureOfCall(error, context, remote, 'device.scopes.waitUpgrade', requestId);
    });
  tell(context, `the request is ${isRecord(answer) ? escapeText(String(answer.status)) : 'answered'}`);
}

function callOf(context: Context, remote: Remote, { client, hello }: Session): Call {
  const { clock } = context.host;
  return async (method, params) => {
    const began = clock.monotonicMs();
    try {
      return await client.request(method, params, context.timeoutMs);
    } catch (error) {
      throw failureOfCall(error, context, remote, method, hello.requestId);
    } finally {
      tell(context, `${method}: ${Math.round(clock.monotonicMs() - began)} ms`);
    }
  };
}

function failureOfCall(error: unknown, context: Context, remote: Remote, method: string, open: string | null): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof RemoteError) {
    const own = error.refusal === 'missing_scope' ? open : null;
    return failureOfRefusal(error, method, remote.remedies, own);
  }
  const isLoss = error.name === 'ConnectionLost' || error.name === 'NoAnswer';
  return isLoss ? failureOfLoss(error as Parameters<typeof failureOfLoss>[0], method, context) : error;
}
