import { Distrust } from '../client/challenge.ts';
import type { Session, Waiting } from '../client/handshake.ts';
import { changeRecord, type GatewayRecord, NO_RECORD, readRecord } from '../client/node/credentials.ts';
import { isFailure } from '../system/failure.ts';
import { escapeText } from '../system/text.ts';
import { type Context, tell } from './context.ts';

/** Of what another gateway is remembered by. */
export interface Remembered {
  /** As it is remembered: `wss://host:port`. */
  readonly url: string;
  /** The key that a person said it has (a setup code); `null`: nobody did. */
  readonly toldKey: string | null;
  /** Where the credential that was given came from, for people; `null`: none was. */
  readonly shown: string | null;
  /** A certificate that a setup code named: it is remembered with the key; `null`: what is known of it stays. */
  readonly newFingerprint: string | null;
  /** False: the file of what is remembered can't be used. */
  readonly remembers: boolean;
}

/** See the head of client/node/credentials.ts. @throws Failure 78 where only that file could say whom to trust */
export function isReadable(context: Context, url: string, isPinned: boolean): boolean {
  try {
    readRecord(context.state.path, url);
    return true;
  } catch (error) {
    if (!isFailure(error) || !isPinned) throw error;
    context.output.err(`latchkey: ${escapeText(error.what)}: ${escapeText(error.why)}\n  run: ${error.run}\n`);
    return false;
  }
}

/** What is known of it now. */
export const recordOf = (context: Context, remote: Remembered): GatewayRecord =>
  remote.remembers ? readRecord(context.state.path, remote.url) : NO_RECORD;

/** A19: the request of `deviceId` outlives this run; so does what its code is made of. */
export function keepAsking(context: Context, remote: Remembered, deviceId: string, waiting: Waiting): void {
  if (waiting.code === null) return;
  const { r, nonce } = waiting.contribution;
  change(context, remote, (record) =>
    record.asking?.requestId === waiting.requestId && record.asking.r === r && record.asking.nonce === nonce
      ? record
      : {
          ...record,
          asking: {
            deviceId,
            requestId: waiting.requestId,
            gatewayKey: waiting.gatewayKey,
            r,
            nonce,
            expiresAtMs: waiting.expiresAtMs,
          },
        },
  );
}

/** What the code was to be made of did not serve: the next ask begins with another. */
export function dropAsking(context: Context, remote: Remembered): void {
  change(context, remote, (record) => ({ ...record, asking: null }));
}

/**
 * What a hello brought, on disk before anything is done with the session.
 * @throws Distrust where another command learned another key of it meanwhile: the first one stays (A18)
 */
export function keepSession(context: Context, remote: Remembered, session: Session): void {
  const { hello, gatewayKey, deviceId } = session;
  const before = recordOf(context, remote);
  const isNew = gatewayKey !== null && before.gatewayKey !== gatewayKey;
  const given = hello.deviceToken === null ? null : { deviceId, role: 'operator', token: hello.deviceToken };
  let other: string | null = null;
  change(context, remote, (record) => {
    const isOther = record.gatewayKey !== null && record.gatewayKey !== gatewayKey && gatewayKey !== remote.toldKey;
    other = isOther ? record.gatewayKey : null;
    if (isOther) return record;
    return {
      gatewayKey: gatewayKey ?? record.gatewayKey,
      tlsFingerprint: remote.newFingerprint ?? record.tlsFingerprint,
      deviceToken: given ?? (isNew ? null : record.deviceToken),
      asking: null,
      pinnedAtMs: isNew ? context.host.clock.now() : record.pinnedAtMs,
    };
  });
  if (other !== null) {
    const keys = { pinned: other, ...(gatewayKey === null ? {} : { offered: gatewayKey }) };
    throw new Distrust(gatewayKey === null ? 'no-proof' : 'changed-key', 'its key is another than the known one', keys);
  }
  if (isNew && remote.remembers) {
    const why = before.gatewayKey === null ? '' : `, in place of ${before.gatewayKey} (as the setup code says)`;
    context.output.err(`latchkey: from now on ${remote.url} has to prove this key: ${gatewayKey}${why}\n`);
  }
  if (hello.ignored.length > 0) {
    const from = remote.shown === null ? '' : ` (${escapeText(remote.shown)})`;
    if (hello.ignored.includes('code')) context.output.err(CODE_UNUSED);
    tell(context, `of what was shown to the gateway did not count: ${hello.ignored.map(escapeText).join(', ')}${from}`);
  }
}

/** A14: a code that can't be used is as none, so what follows would look as if there had been none. */
export const CODE_UNUSED =
  "latchkey: the setup code counted for nothing: it was used, it has ended, or it is wrong\n  for a new one, on the gateway's host: latchkey devices code\n";

/** A connection that works is not given up because it can't be remembered. */
function change(context: Context, remote: Remembered, how: (record: GatewayRecord) => GatewayRecord): void {
  if (!remote.remembers) return;
  try {
    changeRecord(context.state.path, remote.url, how);
  } catch (error) {
    const why = isFailure(error) ? `${error.what}: ${error.why}` : String((error as Error).message);
    context.output.err(`latchkey: not remembered for the next time: ${escapeText(why)}\n`);
  }
}
