import type { RunAsk, RunEnd, RunState } from '../../core/conversation/run.ts';
import { agentOf, type SessionId, type SessionKey } from '../../core/conversation/session.ts';
import { MODES, type RunId } from '../../core/lane/lane.ts';
import { type Cell, giverAlone, integer, integerOrNull, oneOf, string, wrong } from './decode.ts';
import { attachmentsOf, objectOf, senderOf, textOf } from './said.ts';
import { type UsageColumns, usageColumns } from './sessionrows.ts';

export interface RunRow extends UsageColumns {
  readonly id: string;
  readonly key: string;
  readonly session: string;
  readonly agent: string;
  readonly giver: string;
  readonly ask: string;
  readonly fingerprint: string;
  readonly accepted_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly ending: string | null;
  readonly cost_micros: number | null;
  readonly revision: number;
}

/** @throws Inconsistent where the row can't mean a run */
export function runOf(row: RunRow): RunState {
  const cell = (column: string) => ({ table: 'run', column, row: row.id });
  const key = textOf(cell('key'), row.key) as SessionKey;
  if (row.agent !== agentOf(key)) throw wrong(cell('agent'), `is ${row.agent}, not the one of the key`);
  const end = row.ending === null ? null : endOf(cell('ending'), row.ending);
  const endedAt = integerOrNull(cell('ended_at'), row.ended_at);
  if ((end === null) !== (endedAt === null))
    throw wrong(cell('ended_at'), 'is set without an end, or missing beside it');
  return {
    id: textOf(cell('id'), row.id) as RunId,
    key,
    session: row.session as SessionId,
    giver: giverAlone(cell('giver'), row.giver),
    ask: askOf(cell('ask'), row.ask),
    fingerprint: row.fingerprint,
    acceptedAt: integer(cell('accepted_at'), row.accepted_at),
    startedAt: integerOrNull(cell('started_at'), row.started_at),
    endedAt,
    end,
    usage: usageColumns(cell, row),
    costMicros: integerOrNull(cell('cost_micros'), row.cost_micros, 0),
    revision: integer(cell('revision'), row.revision, 1),
  };
}

function askOf(cell: Cell, json: string): RunAsk {
  const { text, from, attachments, mode, model, thinking, timeoutMs } = objectOf(cell, json);
  return {
    text: string(cell, text, 'text'),
    from: senderOf(cell, from),
    attachments: attachmentsOf(cell, attachments),
    ...(mode === undefined ? {} : { mode: oneOf(cell, mode, MODES) }),
    ...(model === undefined ? {} : { model: string(cell, model, 'model') }),
    ...(thinking === undefined ? {} : { thinking: string(cell, thinking, 'thinking') }),
    ...(timeoutMs === undefined ? {} : { timeoutMs: integer(cell, timeoutMs, 1) }),
  };
}

type EndKind = RunEnd['kind'];
type Fields = Readonly<Record<string, unknown>>;

/** Every kind of end, once: a kind that is missing here does not compile. */
const READ: { readonly [K in EndKind]: (cell: Cell, end: Fields) => Extract<RunEnd, { kind: K }> } = {
  ok: () => ({ kind: 'ok' }),
  aborted: () => ({ kind: 'aborted' }),
  interrupted: () => ({ kind: 'interrupted' }),
  joined: (cell, { into }) => ({ kind: 'joined', into: string(cell, into, 'into') as RunId }),
  error: (cell, { code, text, remedy }) => ({
    kind: 'error',
    code: string(cell, code, 'code'),
    text: string(cell, text, 'text'),
    ...(remedy === undefined ? {} : { remedy: string(cell, remedy, 'remedy') }),
  }),
};
const ENDS = Object.keys(READ) as EndKind[];

/** Of the run whose id is stored as `row`. */
export function endAt(row: string, json: string): RunEnd {
  return endOf({ table: 'run', column: 'ending', row }, json);
}

function endOf(cell: Cell, json: string): RunEnd {
  const end = objectOf(cell, json);
  return READ[oneOf(cell, end.kind, ENDS)](cell, end);
}
