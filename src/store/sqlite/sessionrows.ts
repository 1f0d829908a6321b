import type { SessionId, SessionKey, SessionSettings, SessionState, Usage } from '../../core/conversation/session.ts';
import { MODES, type RunId } from '../../core/lane/lane.ts';
import { type Cell, giverAlone, integer, oneOf, string, wrong } from './decode.ts';
import { objectOf, textOf } from './said.ts';

/** The columns of `session` and `run` that count tokens. */
export interface UsageColumns {
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
}

export interface SessionRow extends UsageColumns {
  readonly key: string;
  readonly id: string;
  readonly agent: string;
  readonly giver: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly settings: string;
  readonly row_count: number;
  readonly compacted: number;
  readonly context: number;
  readonly last_run: string | null;
  readonly revision: number;
}

/** @throws Inconsistent where the row can't mean a session */
export function sessionOf(row: SessionRow): SessionState {
  const cell = (column: string) => ({ table: 'session', column, row: row.key });
  const rows = integer(cell('row_count'), row.row_count, 0);
  const compacted = integer(cell('compacted'), row.compacted, 0);
  if (compacted > rows) throw wrong(cell('compacted'), `is ${compacted}, and there are ${rows} rows`);
  return {
    key: textOf(cell('key'), row.key) as SessionKey,
    id: row.id as SessionId,
    agent: row.agent,
    giver: giverAlone(cell('giver'), row.giver),
    createdAt: integer(cell('created_at'), row.created_at),
    updatedAt: integer(cell('updated_at'), row.updated_at),
    settings: settingsOf(cell('settings'), row.settings),
    rows,
    compacted,
    usage: usageColumns(cell, row),
    context: integer(cell('context'), row.context, 0),
    lastRun: row.last_run === null ? null : (textOf(cell('last_run'), row.last_run) as RunId),
    revision: integer(cell('revision'), row.revision, 1),
  };
}

export function usageColumns(cell: (column: string) => Cell, row: UsageColumns): Usage {
  return {
    input: integer(cell('input'), row.input, 0),
    output: integer(cell('output'), row.output, 0),
    cacheRead: integer(cell('cache_read'), row.cache_read, 0),
    cacheWrite: integer(cell('cache_write'), row.cache_write, 0),
  };
}

function settingsOf(cell: Cell, json: string): SessionSettings {
  const { label, model, queue, thinking } = objectOf(cell, json);
  return {
    ...(label === undefined ? {} : { label: string(cell, label, 'label') }),
    ...(model === undefined ? {} : { model: string(cell, model, 'model') }),
    ...(queue === undefined ? {} : { queue: oneOf(cell, queue, MODES) }),
    ...(thinking === undefined ? {} : { thinking: string(cell, thinking, 'thinking') }),
  };
}
