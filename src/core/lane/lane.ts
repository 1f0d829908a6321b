import type { Brand } from '../base/brand.ts';
import { unreachable } from '../base/never.ts';

/** The name of a run: the idempotency key that it was asked for with (PROTOCOL.md §5.2). */
export type RunId = Brand<string, 'RunId'>;

/**
 * What becomes of a message that comes while the session's agent is busy. `steer`: it joins the running run between two
 * of its steps. `followup`: it waits and gets a run of its own. `collect`: it waits, and goes into one run with those
 * that wait beside it. `interrupt`: the running run is aborted for it.
 */
export const MODES = ['steer', 'followup', 'collect', 'interrupt'] as const;
export type Mode = (typeof MODES)[number];

/** Runs that may wait in one lane; one more is refused, not dropped: what was accepted is never lost. */
export const WAITING_MAX = 50;

/** One session's line of runs: one at a time, so what two of them write can't cross. */
export interface LaneState {
  readonly running: {
    readonly run: RunId;
    /** It was told to stop and has not ended yet. */
    readonly aborting: boolean;
  } | null;
  /** In the order in which they will run. */
  readonly waiting: readonly { readonly run: RunId; readonly mode: Mode }[];
}

export type LaneCommand =
  | { readonly kind: 'accept'; readonly run: RunId; readonly mode: Mode }
  /** The running run stands between two of its steps. */
  | { readonly kind: 'boundary' }
  /** The running run ended, however it did. */
  | { readonly kind: 'ended' }
  /** The running run did not begin, and another one that was to be said in it begins in its place. */
  | { readonly kind: 'lead'; readonly run: RunId }
  /** A run, or with `null` all of them. */
  | { readonly kind: 'abort'; readonly run: RunId | null };

export type LaneEffect =
  /** Begins `run`; what was said in `with` is said in it too, before its own. Those never begin: they end with it. */
  | { readonly kind: 'start'; readonly run: RunId; readonly with: readonly RunId[] }
  /** What was said in `run` joins `into`, which goes on. It never begins: it ends with that one. */
  | { readonly kind: 'join'; readonly run: RunId; readonly into: RunId }
  | { readonly kind: 'stop'; readonly run: RunId }
  /** It was aborted before it began. */
  | { readonly kind: 'drop'; readonly run: RunId };

export interface LaneStep {
  readonly state: LaneState;
  readonly effects: readonly LaneEffect[];
  /** `accept` alone: there is no room, and nothing changed. */
  readonly full: boolean;
}

export const IDLE: LaneState = { running: null, waiting: [] };

function to(state: LaneState, effects: readonly LaneEffect[] = []): LaneStep {
  return { state, effects, full: false };
}

/** Begins what waits in front. Neighbours that are to be collected go into one run, which is the last one's. */
function next({ waiting }: LaneState): LaneStep {
  const [first] = waiting;
  if (first === undefined) return to(IDLE);
  const others = waiting.findIndex(({ mode }) => mode !== 'collect');
  const collected = first.mode === 'collect' ? waiting.slice(0, others === -1 ? waiting.length : others) : [first];
  const run = collected.at(-1)?.run ?? first.run;
  const rest = waiting.slice(collected.length);
  return to({ running: { run, aborting: false }, waiting: rest }, [
    { kind: 'start', run, with: collected.slice(0, -1).map((one) => one.run) },
  ]);
}

function accept(state: LaneState, run: RunId, mode: Mode): LaneStep {
  const { running, waiting } = state;
  if (running === null) return next({ running, waiting: [...waiting, { run, mode }] });
  if (waiting.length >= WAITING_MAX) return { state, effects: [], full: true };
  if (mode !== 'interrupt') return to({ running, waiting: [...waiting, { run, mode }] });
  // In front of what waits, behind those that interrupted before it: they were said first.
  const place = waiting.filter((one) => one.mode === 'interrupt').length;
  const after = waiting.toSpliced(place, 0, { run, mode });
  const effects: readonly LaneEffect[] = running.aborting ? [] : [{ kind: 'stop', run: running.run }];
  return to({ running: { ...running, aborting: true }, waiting: after }, effects);
}

/** Takes in what steers, as long as nothing that was said before it waits for a run of its own. */
function boundary(state: LaneState): LaneStep {
  const { running, waiting } = state;
  if (running === null || running.aborting) return to(state);
  const others = waiting.findIndex(({ mode }) => mode !== 'steer');
  const joining = others === -1 ? waiting : waiting.slice(0, others);
  return to(
    { running, waiting: waiting.slice(joining.length) },
    joining.map(({ run }) => ({ kind: 'join', run, into: running.run })),
  );
}

function abort({ running, waiting }: LaneState, run: RunId | null): LaneStep {
  const dropped = waiting.filter((one) => run === null || one.run === run);
  const isStopping = running !== null && !running.aborting && (run === null || running.run === run);
  return to(
    {
      running: running === null ? null : { ...running, aborting: running.aborting || isStopping },
      waiting: waiting.filter((one) => !dropped.includes(one)),
    },
    [
      ...dropped.map((one): LaneEffect => ({ kind: 'drop', run: one.run })),
      ...(isStopping ? [{ kind: 'stop', run: running.run } as const] : []),
    ],
  );
}

/** What the command makes of the lane, and what is to be done, in order. Total: no command is an error. */
export function step(state: LaneState, command: LaneCommand): LaneStep {
  switch (command.kind) {
    case 'accept':
      return accept(state, command.run, command.mode);
    case 'boundary':
      return boundary(state);
    case 'ended':
      return state.running === null ? to(state) : next({ ...state, running: null });
    case 'lead':
      return to(state.running === null ? state : { ...state, running: { ...state.running, run: command.run } });
    case 'abort':
      return abort(state, command.run);
    default:
      return unreachable(command);
  }
}
