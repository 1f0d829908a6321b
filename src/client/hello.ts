/** What a gateway said of a session's authority (PROTOCOL.md §3.4, §9), as far as a client relies on it. */
export interface Hello {
  readonly protocol: number;
  readonly version: string | null;
  readonly connId: string | null;
  /** A1: what this connection holds; `null`: this gateway doesn't say. */
  readonly held: readonly string[] | null;
  /** Asked and not held. */
  readonly missing: readonly string[];
  /** The open request, or the listed rejection, that covers `missing`. */
  readonly requestId: string | null;
  readonly rejected: boolean;
  /** Names asked that no scope has. */
  readonly unknown: readonly string[];
  /** Credentials beside the key that did not count (A4): `secret`, `code`, `token`, `deviceToken`. */
  readonly ignored: readonly string[];
  /** The ask could not be stored and was left out (A4). */
  readonly notStored: boolean;
  /** A10: to be kept in place of the one before; `null`: none was given. */
  readonly deviceToken: string | null;
  /** Milliseconds between two signs of life. */
  readonly tickMs: number;
  /** Bytes of one message. */
  readonly maxPayloadBytes: number;
}

/** It is written to a file at each change, and sent back: longer ones than any gateway gives are none. */
const TOKEN_MAX = 4_096;
/** Names of scopes are shown to people. */
const NAMES_MAX = 100;
const NAME_MAX = 128;
const TICK_MS = 30_000;
const MAX_PAYLOAD_BYTES = 25 * 1024 * 1024;

/** Reads the answer to `connect`; `null`: it is no `hello-ok`. */
export function readHello(payload: unknown): Hello | null {
  const hello = objectOf(payload);
  if (hello.type !== 'hello-ok' || !Number.isSafeInteger(hello.protocol)) return null;
  const server = objectOf(hello.server);
  const auth = objectOf(hello.auth);
  const policy = objectOf(hello.policy);
  return {
    protocol: Number(hello.protocol),
    version: textOf(server.version),
    connId: textOf(server.connId),
    held: Array.isArray(auth.scopes) ? textsOf(auth.scopes) : null,
    missing: textsOf(auth.missing),
    requestId: idOf(auth.requestId),
    rejected: auth.rejected === true,
    unknown: textsOf(auth.unknown),
    ignored: textsOf(auth.ignored),
    notStored: auth.notStored === true,
    deviceToken: tokenOf(auth.deviceToken),
    tickMs: between(policy.tickIntervalMs, 1_000, 600_000) ?? TICK_MS,
    // What it announces is not believed beyond our own bound.
    maxPayloadBytes: between(policy.maxPayload, 64 * 1024, MAX_PAYLOAD_BYTES) ?? MAX_PAYLOAD_BYTES,
  };
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An id that can stand in a command line as it is; a gateway's text is not trusted with that. */
export function idOf(value: unknown): string | null {
  return typeof value === 'string' && /^\w[\w.:-]{0,127}$/.test(value) ? value : null;
}

/** Names, as many and as long as a person may be shown. */
export function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'string' && item.length <= NAME_MAX).slice(0, NAMES_MAX);
}

function tokenOf(value: unknown): string | null {
  const token = textOf(value);
  return token === null || token.length > TOKEN_MAX ? null : token;
}

function between(value: unknown, least: number, most: number): number | null {
  return typeof value === 'number' && value >= least ? Math.min(value, most) : null;
}
