import type { RequestId } from '../authz/principal.ts';
import { unreachable } from '../base/never.ts';

/**
 * The life of one socket: awaiting-connect → judging → waiting-approval | connected → closing. Pure: clocks, parsing,
 * proof and payloads are outside; what comes in is what happened, what goes out is what is to be done, in order.
 * Names of refusals are those of the protocol's closed set (core/protocol/error.ts), whose texts are not needed here.
 */
export type ConnectionState =
  | { readonly kind: 'awaiting-connect'; readonly door: Door }
  | {
      readonly kind: 'judging';
      readonly door: Door;
      /** The id of the `connect` that is judged: its answer goes out under it. */
      readonly id: string;
      /** What came meanwhile, in order; at most QUEUE_MAX. */
      readonly queued: readonly Call[];
    }
  | { readonly kind: 'waiting-approval'; readonly id: string; readonly request: RequestId }
  | Connected
  | { readonly kind: 'closing' };

interface Connected {
  readonly kind: 'connected';
  readonly door: Door;
  /** Events flow: `connect` was answered with `hello-ok`. On the owner socket calls are answered before that too. */
  readonly listening: boolean;
  /** Owner socket: the `connect` that is being judged. */
  readonly connecting: string | null;
  /** Ids of the calls that are being answered. */
  readonly calls: ReadonlySet<string>;
  /** Calls refused one after the other. */
  readonly refused: number;
}

export type Door = 'owner' | 'tcp';

/** A message that is a request in a valid envelope. */
export interface Call {
  readonly id: string;
  readonly method: string;
  /** The shell's own, handed back with the call: what was refused is kept nowhere. */
  readonly carried?: unknown;
}

export type Message =
  | { readonly kind: 'call'; readonly call: Call }
  /** JSON, but no request; `id`: the one it names, if that is a usable one. */
  | { readonly kind: 'invalid'; readonly id: string | null }
  | { readonly kind: 'not-json' };

/** Why this side ends a connection that is past its `connect`. */
export type EndCode =
  | 'grant_ended'
  | 'secret_rotated'
  /** A4: the page's origin was taken off the list. */
  | 'origin'
  | 'slow_consumer'
  | 'stopping'
  | 'rejected'
  | 'ask_elsewhere'
  | 'ask_superseded'
  | 'ask_expired'
  | 'ask_replaced'
  | 'ask_ended';

export type CloseCause =
  | EndCode
  | 'not_json'
  | 'handshake_timeout'
  | 'frame_invalid'
  | 'not_connect'
  | 'spoke_while_waiting'
  | 'flood'
  /** The refusal of the `connect` itself, known to the shell. */
  | 'verdict';

export type Input =
  | { readonly kind: 'message'; readonly message: Message }
  /** The handshake deadline, by the monotonic clock. */
  | { readonly kind: 'deadline' }
  /** What became of the `connect`, also of one that waited for approval. */
  | { readonly kind: 'let-in' }
  | { readonly kind: 'wait'; readonly request: RequestId }
  | { readonly kind: 'refused' }
  /** A call is done. `refused`: for want of authority. `more`: it is not, another answer comes under the same id. */
  | { readonly kind: 'answered'; readonly id: string; readonly refused: boolean; readonly more?: boolean }
  | { readonly kind: 'end'; readonly code: EndCode }
  /** The pipe is gone. */
  | { readonly kind: 'gone' };

export type Action =
  | { readonly kind: 'judge'; readonly call: Call }
  /** Answer `connect` with hello-ok; from here on events flow. */
  | { readonly kind: 'hello'; readonly id: string }
  | { readonly kind: 'tell-waiting'; readonly id: string; readonly request: RequestId }
  | { readonly kind: 'call'; readonly call: Call }
  /** Send the answer of a call. */
  | { readonly kind: 'reply'; readonly id: string }
  | {
      readonly kind: 'refuse';
      readonly id: string;
      readonly code: CloseCause | 'already_connected' | 'call_frame' | 'id_in_use' | 'busy';
    }
  /** Messages may be as large as the policy says. */
  | { readonly kind: 'raise-limit' }
  | { readonly kind: 'close'; readonly cause: CloseCause };

export interface Step {
  readonly state: ConnectionState;
  readonly actions: readonly Action[];
}

/** Requests that may come in before the `connect` before them is answered; clients wait for it. */
export const QUEUE_MAX = 16;
/** See `CALLS_IN_FLIGHT_MAX`, `UNAUTHORIZED_MAX` in core/protocol/limit.ts. */
export interface Bounds {
  readonly callsMax: number;
  readonly refusedMax: number;
}

const CLOSING: ConnectionState = { kind: 'closing' };
const NO_CALLS: ReadonlySet<string> = new Set();

/**
 * A11, DESIGN §3: on the owner socket there is no challenge, no deadline, and the first line may be any request.
 * `proof`: an owner proof has to be given first, where file permissions can't speak.
 */
export function opened(door: Door, proof: 'none' | 'owner-proof' = 'none'): ConnectionState {
  return door === 'owner' && proof === 'none' ? connected('owner', false) : { kind: 'awaiting-connect', door };
}

function connected(door: Door, listening: boolean): Connected {
  return { kind: 'connected', door, listening, connecting: null, calls: NO_CALLS, refused: 0 };
}

function stay(state: ConnectionState, ...actions: readonly Action[]): Step {
  return { state, actions };
}

function close(cause: CloseCause, ...before: readonly Action[]): Step {
  return { state: CLOSING, actions: [...before, { kind: 'close', cause }] };
}

export function step(state: ConnectionState, input: Input, bounds: Bounds): Step {
  if (input.kind === 'gone') return { state: CLOSING, actions: [] };
  switch (state.kind) {
    case 'awaiting-connect':
      return awaiting(state, input);
    case 'judging':
      return judging(state, input, bounds);
    case 'waiting-approval':
      return waiting(state, input);
    case 'connected':
      return live(state, input, bounds);
    case 'closing':
      return stay(state);
    default:
      return unreachable(state);
  }
}

/** PROTOCOL.md §1.1: how a first frame that is no `connect` is answered. */
function awaiting(state: Extract<ConnectionState, { kind: 'awaiting-connect' }>, input: Input): Step {
  if (input.kind === 'deadline') return close('handshake_timeout');
  if (input.kind === 'end') return close(input.code);
  if (input.kind !== 'message') return stay(state);
  const { message } = input;
  switch (message.kind) {
    case 'not-json':
      return close('not_json');
    case 'invalid':
      return close('frame_invalid');
    case 'call': {
      const { id, method } = message.call;
      if (method !== 'connect') return close('not_connect', { kind: 'refuse', id, code: 'not_connect' });
      return {
        state: { kind: 'judging', door: state.door, id, queued: [] },
        actions: [{ kind: 'judge', call: message.call }],
      };
    }
    default:
      return unreachable(message);
  }
}

function judging(state: Extract<ConnectionState, { kind: 'judging' }>, input: Input, bounds: Bounds): Step {
  const { id, queued } = state;
  switch (input.kind) {
    case 'let-in': {
      // What was sent too early is taken up in order, as if it had come now.
      let now: Step = {
        state: connected(state.door, true),
        actions: [{ kind: 'raise-limit' }, { kind: 'hello', id }],
      };
      for (const call of queued) {
        const next = step(now.state, { kind: 'message', message: { kind: 'call', call } }, bounds);
        now = { state: next.state, actions: [...now.actions, ...next.actions] };
      }
      return now;
    }
    case 'wait':
      if (queued.length > 0) return close('spoke_while_waiting', { kind: 'refuse', id, code: 'spoke_while_waiting' });
      return {
        state: { kind: 'waiting-approval', id, request: input.request },
        actions: [{ kind: 'tell-waiting', id, request: input.request }],
      };
    case 'refused':
      return close('verdict', { kind: 'refuse', id, code: 'verdict' });
    case 'end':
      return close(input.code, { kind: 'refuse', id, code: input.code });
    case 'message':
      if (input.message.kind !== 'call' || queued.length >= QUEUE_MAX) {
        return close('frame_invalid', { kind: 'refuse', id, code: 'frame_invalid' });
      }
      return stay({ ...state, queued: [...queued, input.message.call] });
    default:
      // The deadline too: once the client has spoken it is this side that takes its time.
      return stay(state);
  }
}

/** A8: a waiting socket may send nothing, and is answered however its request ends. */
function waiting(state: Extract<ConnectionState, { kind: 'waiting-approval' }>, input: Input): Step {
  const { id } = state;
  switch (input.kind) {
    case 'let-in':
      return { state: connected('tcp', true), actions: [{ kind: 'raise-limit' }, { kind: 'hello', id }] };
    case 'refused':
      return close('verdict', { kind: 'refuse', id, code: 'verdict' });
    case 'end':
      return close(input.code, { kind: 'refuse', id, code: input.code });
    case 'message':
      return close('spoke_while_waiting', { kind: 'refuse', id, code: 'spoke_while_waiting' });
    default:
      return stay(state);
  }
}

function live(state: Connected, input: Input, bounds: Bounds): Step {
  switch (input.kind) {
    case 'message':
      return received(state, input.message, bounds);
    case 'let-in':
      if (state.connecting === null) return stay(state);
      return stay(
        { ...state, listening: true, connecting: null },
        { kind: 'raise-limit' },
        { kind: 'hello', id: state.connecting },
      );
    case 'refused':
      if (state.connecting === null) return stay(state);
      return close('verdict', { kind: 'refuse', id: state.connecting, code: 'verdict' });
    case 'answered': {
      if (!state.calls.has(input.id)) return stay(state);
      if (input.more === true) return stay({ ...state, refused: 0 }, { kind: 'reply', id: input.id });
      const calls = new Set(state.calls);
      calls.delete(input.id);
      const refused = input.refused ? state.refused + 1 : 0;
      const reply: Action = { kind: 'reply', id: input.id };
      // The owner is never shut out for asking wrongly.
      if (refused >= bounds.refusedMax && state.door !== 'owner') return close('flood', reply);
      return stay({ ...state, calls, refused }, reply);
    }
    case 'end':
      // A9: answers to calls in flight are dropped with the state that knew their ids.
      return close(input.code);
    default:
      return stay(state);
  }
}

function received(state: Connected, message: Message, bounds: Bounds): Step {
  switch (message.kind) {
    case 'not-json':
      return close('frame_invalid');
    case 'invalid':
      return message.id === null
        ? close('frame_invalid')
        : stay(state, { kind: 'refuse', id: message.id, code: 'call_frame' });
    case 'call': {
      const { call } = message;
      if (call.method === 'connect') return again(state, call);
      if (state.calls.has(call.id)) return stay(state, { kind: 'refuse', id: call.id, code: 'id_in_use' });
      if (state.calls.size >= bounds.callsMax) return stay(state, { kind: 'refuse', id: call.id, code: 'busy' });
      return stay({ ...state, calls: new Set([...state.calls, call.id]) }, { kind: 'call', call });
    }
    default:
      return unreachable(message);
  }
}

/** A second `connect` changes nothing about who this is. */
function again(state: Connected, call: Call): Step {
  const { id } = call;
  if (state.listening || state.connecting !== null || state.door !== 'owner') {
    return stay(state, { kind: 'refuse', id, code: 'already_connected' });
  }
  return stay({ ...state, connecting: id }, { kind: 'judge', call });
}
