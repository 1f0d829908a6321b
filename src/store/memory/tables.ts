import type { Outcome } from '../../core/authz/command.ts';
import type { CodeId, DeviceId, RequestId } from '../../core/authz/principal.ts';
import type { CodeState, DeviceState } from '../../core/authz/state.ts';
import type { Instant } from '../../core/base/instant.ts';
import type { Row } from '../../core/conversation/row.ts';
import type { RunState } from '../../core/conversation/run.ts';
import type { SessionId, SessionKey, SessionState } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { Conversation, Saying, StoredChange } from '../store.ts';

/** Everything stored. The values are frozen, so a copy of the maps is a copy of all. */
export interface Tables {
  readonly devices: Map<DeviceId, DeviceState>;
  readonly codes: Map<CodeId, CodeState>;
  /** In the order in which they were recorded. */
  readonly outcomes: Map<RequestId, { readonly outcome: Outcome; readonly at: Instant }>;
  readonly asks: Map<Instant, number>;
  readonly changes: Map<string, StoredChange>;
  readonly sessions: Map<SessionKey, SessionState>;
  /** `resetAt`: when another one took its place under the key; `null`: it stands there. */
  readonly conversations: Map<SessionId, Omit<Conversation, 'id' | 'bytes'>>;
  /** An array is never changed, only replaced by a longer one. */
  readonly rows: Map<SessionId, readonly Row[]>;
  readonly runs: Map<RunId, RunState>;
  readonly sayings: Map<RunId, Saying>;
}

export function emptyTables(): Tables {
  return {
    devices: new Map(),
    codes: new Map(),
    outcomes: new Map(),
    asks: new Map(),
    changes: new Map(),
    sessions: new Map(),
    conversations: new Map(),
    rows: new Map(),
    runs: new Map(),
    sayings: new Map(),
  };
}

export function copyOf(tables: Tables): Tables {
  return {
    devices: new Map(tables.devices),
    codes: new Map(tables.codes),
    outcomes: new Map(tables.outcomes),
    asks: new Map(tables.asks),
    changes: new Map(tables.changes),
    sessions: new Map(tables.sessions),
    conversations: new Map(tables.conversations),
    rows: new Map(tables.rows),
    runs: new Map(tables.runs),
    sayings: new Map(tables.sayings),
  };
}

/** A copy that nobody can change, whatever its maker goes on to do with the original. */
export function frozen<T extends object>(value: T): T {
  return freeze(structuredClone(value));
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) freeze(inner);
  return Object.freeze(value);
}
