import type { Change, Outcome, Room } from '../core/authz/command.ts';
import type { CodeId, DeviceId, RequestId } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import type { CodeState, DeviceState } from '../core/authz/state.ts';
import type { Instant } from '../core/base/instant.ts';
import type { RunReader, RunWriter, SessionReader, SessionWriter } from './conversation.ts';

export type {
  Conversation,
  RunReader,
  RunWriter,
  Saying,
  SessionPlace,
  SessionReader,
  SessionWriter,
  Spending,
} from './conversation.ts';

/**
 * The truth: what the contract suite (suite.ts, S1…) demands of every driver.
 *
 * One transaction, one repository per noun. A transaction that throws leaves nothing behind; one that returns is on
 * disk before `write` resolves.
 */
export interface Store {
  /**
   * Runs `work` in one durable transaction. Transactions are serial: `work` never sees another's half, so it awaits
   * nothing but `tx`, and never another `read` or `write` of the same store. A `work` that stored nothing leaves the
   * disk untouched, whatever order numbers it took.
   * @throws StoreUnavailable when the disk refuses; then nothing of it is stored
   */
  write<T>(work: (tx: WriteTx) => Promise<T>, options?: WriteOptions): Promise<T>;
  /** Runs `work` on one consistent view. Writes nothing, not even a counter (A6). */
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>;
  /** What the driver is, for people: `sqlite <file>`, `memory`. */
  readonly describe: string;
  close(): Promise<void>;
}

export interface WriteOptions {
  /**
   * For what takes authority away, alone: may use the room that the store keeps in reserve on its disk. On a full disk
   * `work` is then run a second time, after the reserve was given up.
   */
  readonly urgent?: boolean;
}

export interface ReadTx {
  readonly devices: DeviceReader;
  readonly codes: CodeReader;
  readonly changes: ChangeReader;
  readonly sessions: SessionReader;
  readonly runs: RunReader;
}

export interface WriteTx extends ReadTx {
  readonly devices: DeviceWriter;
  readonly codes: CodeWriter;
  readonly changes: ChangeWriter;
  readonly sessions: SessionWriter;
  readonly runs: RunWriter;
  /** The next order number: higher than any this process gave out, and than any that was ever stored with something. */
  nextSeq(): Promise<number>;
  /**
   * Undoes what `work` wrote when it throws, and throws on; the rest of the transaction stands. For group commit: one
   * command's conflict is not its neighbours'. Parts follow one another: one begun while another runs loses the whole
   * transaction. After StoreUnavailable the whole transaction is lost, whatever the caller does with the error.
   */
  part<T>(work: () => Promise<T>): Promise<T>;
}

export interface DeviceReader {
  /** `null`: nothing is known of the key. */
  load(device: DeviceId): Promise<DeviceState | null>;
  /** Every known device, by id. */
  list(): Promise<readonly DeviceState[]>;
  /** The device and role whose open request or listed rejection has this id. */
  find(id: RequestId): Promise<{ readonly device: DeviceId; readonly role: Role } | null>;
  /** What became of a request that is no longer open. */
  past(id: RequestId): Promise<Outcome | null>;
  /** Room in the caps of A15 for a key without a grant that comes from `source`. `waitedAt`: requests that a socket waits at. */
  room(source: string, at: Instant, waitedAt: ReadonlySet<RequestId>): Promise<Room>;
  /** Devices, by id, on which something ends at or before `at`. */
  due(at: Instant): Promise<readonly DeviceId[]>;
  /** The earliest end of anything; `null`: nothing ends. */
  nextEnd(): Promise<Instant | null>;
  /** Devices, by id, with a grant or a scope that `maker` gave, directly or by a code; itself included. */
  givenBy(maker: DeviceId): Promise<readonly DeviceId[]>;
}

export interface DeviceWriter extends DeviceReader {
  /**
   * Stores `state`, whose revision is higher than `expected`, if the stored revision still is `expected` (0: not
   * stored yet).
   * @throws StaleRevision otherwise
   */
  save(state: DeviceState, expected: number): Promise<void>;
  /**
   * Forgets a key of which nothing is left to know (`isForgettable`), with the changes that say that it asked: so that
   * strangers who ask and go away leave nothing behind (A15).
   * @throws StaleRevision as `save`
   */
  drop(device: DeviceId, expected: number): Promise<void>;
  /** Records how a request ended. Kept for 30 days and at most 10,000 of them. */
  close(id: RequestId, outcome: Outcome, at: Instant): Promise<void>;
  /** Counts a request opened for a key without a grant (A15's `recent`). */
  countAsk(at: Instant): Promise<void>;
}

export interface CodeReader {
  load(id: CodeId): Promise<CodeState | null>;
}

export interface CodeWriter extends CodeReader {
  /** @throws StaleRevision as DeviceWriter.save */
  save(code: CodeState, expected: number): Promise<void>;
  /** Ends every unused code that the device made, and raises its revision. */
  endBy(maker: DeviceId | 'secret'): Promise<void>;
  /** Drops codes, used or not, that expired at or before `at`. */
  drop(at: Instant): Promise<void>;
}

/** A17. */
export interface StoredChange extends Change {
  /** `ch_` and the order number; the second change of the same command is `ch_<number>.2`, and so on. */
  readonly id: string;
}

export interface ChangeReader {
  find(id: string): Promise<StoredChange | null>;
  /** Newest first. */
  list(limit: number, device?: DeviceId): Promise<readonly StoredChange[]>;
}

export interface ChangeWriter extends ChangeReader {
  /** Records a change under the id that it gives back. Several changes of one command share an order number. */
  add(change: Change): Promise<string>;
}

/** True when a stored state says no more of a key than that it once asked: no mark, no epoch, nothing open. */
export function isForgettable(state: DeviceState): boolean {
  return (
    state.name === null &&
    Object.values(state.roles).every(
      (r) =>
        r.grant === null &&
        r.request === null &&
        r.rejection === null &&
        r.decided === null &&
        r.gone === null &&
        r.epoch === 0,
    )
  );
}

/** Somebody else changed what was judged by: load again, decide again. */
export class StaleRevision extends Error {
  override readonly name = 'StaleRevision';
  readonly what: string;
  constructor(what: string) {
    super(`${what} was changed meanwhile`);
    this.what = what;
  }
}

/** The stored rows can't mean a state. Names where, so that a person can look. */
export class Inconsistent extends Error {
  override readonly name = 'Inconsistent';
  readonly table: string;
  readonly column: string;
  readonly row: string;
  constructor(table: string, column: string, row: string, why: string) {
    super(`${table}.${column} of ${row}: ${why}`);
    this.table = table;
    this.column = column;
    this.row = row;
  }
}

/** The store can't be opened, or can't be written: nothing was changed. `remedy` is what a person can run. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.remedy = remedy;
  }
}

/** One refusal, connect or end of a session, for `latchkey why` (A17). Kept apart from the truth; it may be lost. */
export interface TraceEntry {
  /** `d_…`: told to the client with the answer. */
  readonly id: string;
  /** Of the connection: `hello-ok.server.connId`. */
  readonly conn: string;
  readonly at: Instant;
  /** `denied`: a call; the others are about the connection itself. */
  readonly kind: 'connected' | 'waiting' | 'refused' | 'denied' | 'ended';
  /** The refusal's code; `null` for a connect that was let in. */
  readonly code: string | null;
  readonly device: DeviceId | null;
  readonly role: string;
  readonly source: string;
  /** What else makes two of them unequal: method and scopes of a call. Not kept. */
  readonly about: string;
  /** The open request, or the listed rejection, that it was answered with. */
  readonly request: RequestId | null;
  /** True where a key with a grant, the right secret or the owner stood behind it: room of its own (A17). */
  readonly proven: boolean;
  /** What the client said of itself and what was found: bounded, and nothing that JSON can't hold. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface StoredTrace extends Omit<TraceEntry, 'about' | 'conn'> {
  /** Equal ones within a minute are one row: the first one's id and time, the latest one's facts. */
  readonly count: number;
  readonly lastAt: Instant;
  /** The newest connections that it speaks of, newest first; at most 16. */
  readonly conns: readonly string[];
}

/** Which rows of the trace; every part that is given must fit. */
export interface TraceFilter {
  readonly device?: DeviceId;
  readonly conn?: string;
  /** The beginning of a request's id. */
  readonly request?: string;
  /** Only refusals, of connects and of calls. */
  readonly refused?: true;
}

export interface Trace {
  /**
   * Never throws and never waits. Returns the id of the row that now speaks for it: of an earlier one where it repeats
   * that; `null` where there is no room to note it.
   */
  note(entry: TraceEntry): string | null;
  seen(device: DeviceId, at: Instant, reason: string): void;
  lastSeen(device: DeviceId): { readonly at: Instant; readonly reason: string } | null;
  find(id: string): StoredTrace | null;
  /** Newest first. */
  list(limit: number, filter?: TraceFilter): readonly StoredTrace[];
  /** Writes what is noted. */
  flush(): void;
  close(): void;
}
