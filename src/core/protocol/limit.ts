import { MINUTE_MS, SECOND_MS } from '../base/instant.ts';

/** Where the gateway listens when nothing else is said. */
export const DEFAULT_PORT = 18_789;

/** One incoming message before `connect` was answered, in bytes. */
export const PREAUTH_MESSAGE_BYTES = 64 * 1024;
/** One incoming message after that, in bytes; told to clients as `policy.maxPayload`. */
export const MAX_PAYLOAD_BYTES = 25 * 1024 * 1024;
/** Bytes queued for one client before it is closed as too slow; told as `policy.maxBufferedBytes`. */
export const MAX_BUFFERED_BYTES = 50 * 1024 * 1024;

/** From the accepted socket to an answered `connect`. */
export const HANDSHAKE_MS = 15 * SECOND_MS;
/** How often `tick` is sent; clients give up after two without. */
export const TICK_MS = 30 * SECOND_MS;
/** A peer that was told to go is cut when it hasn't gone by then. */
export const CLOSE_GRACE_MS = SECOND_MS;
/** A16: refusals that repeat are answered with a `retryAfterMs` that grows up to this. */
export const RETRY_MAX_MS = MINUTE_MS;
/** A3: a connect without a nonce may come again this soon, once it has read the challenge. */
export const NONCE_RETRY_MS = 250;

/** Characters of a request's `id` and `method`. */
export const FRAME_ID_MAX = 128;
export const METHOD_MAX = 128;
/** UTF-8 bytes of a close reason: RFC 6455 allows 123. */
export const CLOSE_REASON_BYTES = 120;
/** Characters of a text that quotes what was wrong with a request. */
export const INVALID_TEXT_MAX = 500;

/** Requests of one connection that are being answered at the same time. */
export const CALLS_IN_FLIGHT_MAX = 256;
/** Refused calls of one connection, one after the other, before it is closed. */
export const UNAUTHORIZED_MAX = 10;

/** Sockets that haven't said a whole message yet (DESIGN §3): over these the oldest of them is closed. */
export const SILENT_SOCKETS = { total: 1024, perSource: 256 } as const;
/** What the gateway tells its clients about the limits on them. */
export const POLICY = {
  maxPayload: MAX_PAYLOAD_BYTES,
  maxBufferedBytes: MAX_BUFFERED_BYTES,
  tickIntervalMs: TICK_MS,
} as const;
