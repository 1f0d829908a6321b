import type { Hops } from './forwarded.ts';

/**
 * What a transport knows of its peer, verified by itself. Facts, not opinions: whether the socket counts as direct
 * (A13) is computed from them in one place, gateway/connect.ts.
 */
export interface TransportFacts {
  readonly door: 'owner' | 'tcp';
  /** Canonical peer address (IPv4-mapped IPv6 as IPv4); `null` on the owner socket. */
  readonly address: string | null;
  /**
   * The gateway's own end of the socket, as a client that dialed exactly that writes it in `Host`: `127.0.0.1:18789`,
   * `[::1]:18789`. Absent on the owner socket, and where the system doesn't say.
   */
  readonly reached?: string;
  /** The `Host` header as sent; `null` on the owner socket. */
  readonly host: string | null;
  /** The `Origin` header as sent; `null` when absent. */
  readonly origin: string | null;
  /** Names of forwarding and proxy-identity headers that the upgrade carried. */
  readonly forwarding: readonly string[];
  /** The hops that those headers claim; absent: none do. */
  readonly hops?: readonly Hops[];
  /** A18: the client's nonce (`?lk=`), 43 base64url characters; `null` when absent or malformed. */
  readonly lk: string | null;
  readonly userAgent: string | null;
}

/** One connection, whatever carries it: whole text messages in and out, in order. */
export interface Pipe {
  readonly facts: TransportFacts;
  /** Queues one message. Never throws; after close it does nothing. */
  send(text: string): void;
  /** Bytes queued and not yet taken by the peer. */
  buffered(): number;
  /**
   * Tells once: the next time that some of it was taken, or that the pipe is gone. Absent: nobody is ever made to wait for
   * this one.
   */
  watch?(told: (isGone: boolean) => void): void;
  /** Sends what is queued, then closes; a peer that does not close within 1 s is cut. */
  close(code: number, reason: string): void;
  /** Cuts at once: for peers that do not read. */
  cut(): void;
  /** Raises the bound on one incoming message, in bytes; before that it is 64 KiB. */
  allow(maxMessageBytes: number): void;
  /** Stops reading until `resume`, so that a peer that floods fills its own buffers. */
  pause(): void;
  resume(): void;
}

/** What the gateway does with a pipe. Made per connection by `Accept`. */
export interface Receiver {
  /** One whole text message, within the bound. */
  message(text: string): void;
  /** The pipe is gone. Called once. */
  closed(code: number, reason: string): void;
}

export type Accept = (pipe: Pipe) => Receiver;
