import type { End, Instant } from '../base/instant.ts';
import type { CodeId, DeviceId, Giver, Principal, RequestId } from './principal.ts';
import type { Held, Role, Scope } from './scope.ts';
import type { CodeState, Comparison, DeviceState, Label, Request } from './state.ts';

/** Who decides, and what that principal holds in the committing transaction (A7). Made by decide.ts `deciderOf`. */
export interface Decider {
  readonly principal: Principal;
  readonly held: readonly Held[];
}

interface Common {
  readonly at: Instant;
  /** The order number of this command: higher than any before it, whatever the clock does. */
  readonly seq: number;
  /** A new id, for a request or rejection that this command may list. */
  readonly fresh: RequestId;
}

/** A15: how much room the open requests of keys without a grant take now. */
export interface Room {
  readonly fromSource: number;
  readonly total: number;
  /** Opened within the last ten minutes. */
  readonly recent: number;
  /** The source's oldest request that nobody waits at: it makes room, and is ended in the same transaction. */
  readonly oldest: { readonly device: DeviceId; readonly role: Role; readonly id: RequestId } | null;
  /** When there is room again, at the latest. */
  readonly freeAt: Instant;
}

/** A14: the code that was brought, and what its maker holds now. */
export interface CodeFact {
  readonly state: CodeState;
  readonly maker: readonly Held[];
}

/** A verified `connect` of a key. Signatures, origin, position on the network are facts here, not judged again. */
export interface Connect extends Common {
  readonly kind: 'connect';
  readonly role: Role;
  /** Known scopes only; `null`: the grant. */
  readonly asked: readonly Scope[] | null;
  readonly origin: 'none' | 'allowed' | 'foreign';
  /** A wrong secret that may be an old device token is `none` (A13). */
  readonly secret: 'right' | 'wrong' | 'none';
  /** A13: the socket is one on which the shared secret opens sessions and pairs. */
  readonly direct: boolean;
  /** The shared secret's grant now. */
  readonly secretScopes: readonly Scope[];
  readonly code: CodeFact | null;
  /** A8: the client waits for approval on this socket. */
  readonly waits: boolean;
  readonly askMode: 'open' | 'secret' | 'closed';
  readonly room: Room;
  readonly source: string;
  readonly label: Label;
  readonly comparison: Comparison | null;
}

/** `device.scopes.requestUpgrade`: an explicit ask by a session of the device itself. */
export interface Upgrade extends Common {
  readonly kind: 'upgrade';
  readonly role: Role;
  readonly scopes: readonly Scope[];
  readonly source: string;
  readonly label: Label;
}

interface Decision extends Common {
  readonly decider: Decider;
}

/** How a request ended; told to whoever names its id afterwards. */
export type Outcome = 'approved' | 'rejected' | 'superseded' | 'expired' | 'replaced' | 'ended';

export interface Approve extends Decision {
  readonly kind: 'approve';
  readonly id: RequestId;
  /** `null`: all that was asked. */
  readonly scopes: readonly Scope[] | null;
  readonly until: End;
  /** What the records say of an id that is no longer open. */
  readonly past: Outcome | null;
}

export interface Reject extends Decision {
  readonly kind: 'reject';
  readonly id: RequestId;
  readonly past: Outcome | null;
}

export interface Narrow extends Decision {
  readonly kind: 'narrow';
  readonly role: Role;
  readonly scopes: readonly Scope[];
}

export interface Rotate extends Decision {
  readonly kind: 'rotate';
  readonly role: Role;
  /** With scopes it narrows as well; `null`: the token alone. */
  readonly scopes: readonly Scope[] | null;
}

export interface Revoke extends Decision {
  readonly kind: 'revoke';
  readonly role: Role;
}

export interface Remove extends Decision {
  readonly kind: 'remove';
}

export interface Ensure extends Decision {
  readonly kind: 'ensure';
  readonly role: Role;
  readonly scopes: readonly Held[];
}

export interface Rename extends Decision {
  readonly kind: 'rename';
  readonly name: string | null;
}

/** Writes what time has ended. */
export interface Tick extends Common {
  readonly kind: 'tick';
}

/** A15: ends a request to make room for another key's. */
export interface Evict extends Common {
  readonly kind: 'evict';
  readonly role: Role;
  readonly id: RequestId;
}

export type Command =
  | Connect
  | Upgrade
  | Approve
  | Reject
  | Narrow
  | Rotate
  | Revoke
  | Remove
  | Ensure
  | Rename
  | Tick
  | Evict;

/** A16: the closed set of reasons for which access is refused. */
export const REFUSALS = [
  'origin',
  'secret_mismatch',
  'identity_required',
  'pairing_required',
  'rejected',
  'ask_closed',
  'ask_needs_secret',
  'ask_full',
  'not_found',
  'conflict',
  'missing_scope',
  'beyond_decider',
  'beyond_request',
  'beyond_grant',
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export interface Refusal {
  readonly code: RefusalCode;
  /** Whether trying again helps: never, from an instant on, or once somebody approved. */
  readonly retry: 'never' | 'onApproval' | { readonly at: Instant };
  readonly request?: Request;
  /** `rejected`: the id under which the no is listed. */
  readonly rejection?: RequestId;
  /** Scopes that were in the way. */
  readonly scopes?: readonly Scope[];
  /** `conflict`: what became of the thing that was named. */
  readonly outcome?: Outcome;
}

/** Something brought beside the key that counted as absent (A4); named in the reply. */
export type Ignored = 'secret' | 'code';

export type Reply =
  | {
      readonly kind: 'connected';
      readonly by: 'grant' | 'pairing' | 'code';
      /** A1: what the connection is told that it holds. */
      readonly held: readonly Scope[];
      /** Asked and not held. */
      readonly missing: readonly Scope[];
      /** The open request that covers `missing`, if one does. */
      readonly request: Request | null;
      /** The listed rejection because of which nothing was asked again. */
      readonly rejection: RequestId | null;
      readonly ignored: readonly Ignored[];
    }
  | { readonly kind: 'waiting'; readonly request: Request }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** A decision was made, or held already (`changed: false`). `given`: the scopes that were given. */
  | {
      readonly kind: 'done';
      readonly changed: boolean;
      readonly given: readonly Held[];
      readonly request: Request | null;
    };

/** A17: what is recorded in the truth, in the same transaction. */
export interface Change {
  readonly what:
    | Exclude<Command['kind'], 'connect' | 'upgrade' | 'tick' | 'evict'>
    | 'pair'
    | 'redeem'
    | 'expire'
    | 'ask';
  readonly device: DeviceId;
  readonly role: Role | null;
  /** `null`: time, or the device itself by asking. */
  readonly by: Giver | null;
  readonly at: Instant;
  readonly seq: number;
  readonly request: RequestId | null;
  readonly scopes: readonly Held[];
}

/** What is to be done, in this order: everything that is stored comes before anything that is told. */
export type Effect =
  | { readonly kind: 'store.change'; readonly change: Change }
  | { readonly kind: 'store.code.used'; readonly code: CodeId; readonly device: DeviceId }
  | { readonly kind: 'store.codes.ended'; readonly maker: DeviceId }
  | {
      readonly kind: 'store.evict';
      readonly device: DeviceId;
      readonly role: Role;
      readonly id: RequestId;
    }
  | {
      readonly kind: 'tell.request.opened';
      readonly device: DeviceId;
      readonly role: Role;
      readonly request: Request;
    }
  | {
      /** Stored with its outcome too, so that a decision that comes too late is told the winner's. */
      readonly kind: 'tell.request.closed';
      readonly device: DeviceId;
      readonly role: Role;
      readonly request: Request;
      readonly outcome: Outcome;
    }
  | { readonly kind: 'tell.grant'; readonly device: DeviceId; readonly role: Role };

export interface Step {
  /** The same object when nothing changed: then there is nothing to save. */
  readonly state: DeviceState;
  readonly reply: Reply;
  readonly effects: readonly Effect[];
}

/** The making of a setup code (A14), judged by `decide.ts`. */
export interface MakeCode {
  readonly at: Instant;
  readonly seq: number;
  readonly decider: Decider;
  readonly id: CodeId;
  readonly role: Role;
  readonly scopes: readonly Scope[];
}
