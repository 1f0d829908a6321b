import { Client, RemoteError } from '../client/client.ts';
import { handshake, type Session, type Waiting } from '../client/handshake.ts';
import type { GatewayRecord } from '../client/node/credentials.ts';
import { nodeCrypto } from '../client/node/crypto.ts';
import { openWebSocket } from '../client/node/websocket.ts';
import { Link, type LinkState } from '../client/reconnect.ts';
import { pauseMs, type RetryTable, type Verdict, verdictOf } from '../client/retry.ts';
import type { EventFrame } from '../core/protocol/frame.ts';
import type { MethodName } from '../core/protocol/registry.ts';
import { newNonce, randomBytes } from '../system/random.ts';
import { escapeText } from '../system/text.ts';
import { type Context, tell } from './context.ts';
import { renderDuration } from './duration.ts';
import type { Call } from './reach.ts';
import { CODE_UNUSED, dropAsking, keepAsking, keepSession, recordOf } from './remote-memory.ts';
import { isAway, nextOf, prepare, type Remote } from './remote-place.ts';
import type { RemoteTarget } from './remote-target.ts';
import { failureOfConnect, failureOfLoss, failureOfRefusal, waitingText } from './remote-text.ts';
import { isRecord } from './value.ts';

/** In one file with the way there when shipped. */
export { probeElsewhere } from './command/gateway-probe-remote.ts';

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
  hear?: (event: EventFrame) => void,
): Promise<T> {
  const { remote, session } = await reachFirst(context, await prepare(context, target, methods));
  // A command that is over in a moment has no use for events.
  session.listen(hear ?? (() => {}));
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
  const [first, ...others] = await prepare(context, target, methods);
  const { clock } = context.host;
  let remote = first;
  const notice = new Notice(context);
  const link = new Link({
    async connect(waits) {
      try {
        return await connectOnce(context, remote, (waiting) => {
          waits(waiting);
          return waitLeftMs(context, remote, waiting);
        });
      } catch (error) {
        if (isAway(error)) remote = nextOf(remote, [first, ...others]);
        throw error;
      }
    },
    verdictOf: (error) => verdictOf(error, retryTable(remote)),
    after: (delayMs, run) => clock.after(delayMs, run),
    chance: () => (randomBytes(1)[0] as number) / 256,
    onEvent: handlers.onEvent,
    onState(state) {
      if (state.kind === 'waiting') notice.waiting(remote, state.waiting);
      if (state.kind === 'pausing') context.output.err(`latchkey: ${pauseText(state.why, state.forMs)}\n`);
      if (state.kind !== 'ended') return handlers.onState(state);
      handlers.onState({ kind: 'ended', error: failureOfConnect(state.error, context, remote) });
    },
  });
  link.start();
  return link;
}

/** A session at the first place where somebody answers. @throws Failure */
async function reachFirst(context: Context, all: readonly [Remote, ...Remote[]]) {
  for (let remote = all[0]; ; remote = nextOf(remote, all)) {
    try {
      return { remote, session: await reach(context, remote) };
    } catch (error) {
      const isLast = remote === all.at(-1);
      if (isLast || !(error instanceof Error) || !isAway(error.cause)) throw error;
      context.output.err(`latchkey: no gateway answers at ${remote.url}; trying ${nextOf(remote, all).url}\n`);
    }
  }
}

/** Time for another run of this device to remember what it asked. */
const OTHER_RUN_MS = 300;

/** One socket from its opening to `hello-ok`; what came of it is remembered. */
async function connectOnce(context: Context, remote: Remote, onWaiting: (w: Waiting) => number): Promise<Session> {
  try {
    return await dialOnce(context, remote, onWaiting);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'Distrust' || !('kind' in error)) throw error;
    if (error.kind === 'false-code') dropAsking(context, remote);
    if (error.kind !== 'no-code') throw error;
    // A19: two runs that ask at the same moment share one request; the code is the one's that opened it.
    await new Promise<void>((resume) => context.host.clock.after(OTHER_RUN_MS, resume));
    const { asking } = recordOf(context, remote);
    if (asking === null || !('requestId' in error) || asking.requestId !== error.requestId) throw error;
    return await dialOnce(context, remote, onWaiting);
  }
}

async function dialOnce(context: Context, remote: Remote, onWaiting: (w: Waiting) => number): Promise<Session> {
  const { clock, version } = context.host;
  const { device, address } = remote;
  const after = (delayMs: number, run: () => void) => clock.after(delayMs, run);
  const record = recordOf(context, remote);
  const lk = newNonce();
  remote.said.proofless = false;
  remote.said.remembered = false;
  const transport = await openWebSocket({
    address,
    lk,
    tlsFingerprint: remote.toldFingerprint ?? record.tlsFingerprint,
    insecure: remote.insecure,
    timeoutMs: context.timeoutMs,
    after,
  });
  const { deviceToken: kept, gatewayKey } = record;
  // What could be read on the way is not sent unasked.
  const isPrivate = address.secure || address.loopback;
  const isOurs = kept?.role === 'operator' && isPrivate;
  const cached = isOurs ? { token: kept.token, gatewayKey, deviceId: kept.deviceId } : null;
  const session = await handshake(new Client(transport, after), {
    host: address.host,
    lk,
    // A18: the gateway whose code a person may be comparing now is not another one at the next dial.
    pin: remote.toldKey ?? record.gatewayKey ?? askedOf(record, device.id, clock.now()),
    device,
    foreignDevice() {
      const there = device.forAddress(address.key);
      remote.said.proofless = true;
      remote.said.remembered = remote.shown === null && cached?.gatewayKey === null && cached.deviceId === there.id;
      return there;
    },
    client: { id: 'cli', mode: 'cli', version, ...hostLabels() },
    role: 'operator',
    scopes: remote.scopes,
    foreignScopes: remote.openclawScopes,
    given: remote.given,
    cached,
    earlier(gatewayKey, requestId) {
      // Another run may have asked since this one dialed.
      const { asking } = recordOf(context, remote);
      const isIts = asking?.requestId === requestId && asking.gatewayKey === gatewayKey;
      return isIts && asking.deviceId === device.id ? { r: asking.r, nonce: asking.nonce } : null;
    },
    crypto: nodeCrypto,
    after,
    now: () => clock.now(),
    newNonce,
    silenceMs: context.timeoutMs,
    onWaiting(waiting) {
      keepAsking(context, remote, device.id, waiting);
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

/** The key of the gateway at which a request of this device is open, as far as is known. */
function askedOf({ asking }: GatewayRecord, deviceId: string, now: number): string | null {
  return asking?.deviceId === deviceId && asking.expiresAtMs > now ? asking.gatewayKey : null;
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
  #said = '';

  constructor(context: Context) {
    this.#context = context;
  }

  /** Something was said. */
  get given(): boolean {
    return this.#said !== '';
  }

  waiting(remote: Remote, waiting: Waiting): void {
    const key = `${waiting.requestId} ${waiting.code}`;
    // A14: a code that counts pairs, and nobody has to be waited for.
    if (this.#said === '' && remote.given.bootstrapToken !== undefined) this.#context.output.err(CODE_UNUSED);
    if (key !== this.#said) this.#context.output.err(waitingText(this.#context, remote, waiting));
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
  const notice = new Notice(context);
  for (let times = 1; ; times += 1) {
    let waitedSinceMs: number | null = null;
    try {
      return await connectOnce(context, remote, (waiting) => {
        waitedSinceMs ??= clock.monotonicMs();
        if (!notice.given) endMs = clock.monotonicMs() + waitLeftMs(context, remote, waiting);
        notice.waiting(remote, waiting);
        return endMs - clock.monotonicMs();
      });
    } catch (error) {
      // One that lets wait and hangs up at once, again and again, is asked less and less often.
      if (waitedSinceMs !== null && clock.monotonicMs() - waitedSinceMs > STEADY_MS) times = 1;
      const verdict = verdictOf(error, retryTable(remote));
      const pause = pauseMs(verdict, times, (randomBytes(1)[0] as number) / 256);
      const isInTime = clock.monotonicMs() + pause < endMs;
      if (!isInTime || !triesAgain(error, verdict, notice.given)) {
        throw failureOfConnect(error, context, remote);
      }
      const line = pauseText(verdict, pause);
      if (notice.given) context.output.err(`latchkey: ${line}\n`);
      else tell(context, line);
      await new Promise<void>((resume) => clock.after(pause, resume));
    }
  }
}

/** A wait of this length was one; the next pause is short again. */
const STEADY_MS = 10_000;
/** Going away, coming, or (1000) out of patience with a handshake: OpenClaw 2026.3.13 has three seconds of it. */
const PASSING: readonly (number | null)[] = [1000, 1012, 1013];

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
  if (missing.length === 0 || requestId === null || rejected || !remote.waitMs || remote.said.proofless) return;
  const there = remote.isKnown
    ? `approve ${requestId}`
    : `list   (approve what device ${remote.device.id} asks, nothing else)`;
  context.output.err(
    `latchkey: waiting for ${missing.map((scope) => escapeText(scope)).join(', ')} at ${remote.url}\n  on the gateway's host: latchkey devices ${there}\n`,
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
    return failureOfRefusal(error, method, remote, own, context.doing || method);
  }
  const isLoss = error.name === 'ConnectionLost' || error.name === 'NoAnswer';
  return isLoss ? failureOfLoss(error as Parameters<typeof failureOfLoss>[0], method, context) : error;
}
