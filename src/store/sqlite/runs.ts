import type { Instant } from '../../core/base/instant.ts';
import type { RunEnd, RunState } from '../../core/conversation/run.ts';
import { added, agentOf, plus, type SessionKey } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import { checkRun } from '../sound.ts';
import { type RunReader, type RunWriter, type Saying, type Spending, StaleRevision } from '../store.ts';
import { agentsIn } from './kept.ts';
import { endAt, type RunRow, runOf } from './runrows.ts';
import { textOf } from './said.ts';
import type { Session } from './session.ts';
import type { UsageColumns } from './sessionrows.ts';

// A row holds at most 2^53 - 1 of each: four of them are no overflow yet, many are.
const TOKENS = 'input + output + cache_read + cache_write AS tokens, cost_micros AS cost';

/** A sum that never overflows and is never more than a whole number can be, whatever the rows hold. */
function sumOf(what: string, name: string): string {
  return `CAST(min(total(${what}), ${Number.MAX_SAFE_INTEGER}) AS INTEGER) AS ${name}`;
}

interface UsedRow extends UsageColumns {
  readonly runs: number;
  readonly cost: number;
  readonly unpriced: number;
  readonly idle: number;
}

/** `n` numbers the runs in the order in which they were first saved, whatever the clock said. */
export class SqliteRunReader implements RunReader {
  protected readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async load(id: RunId): Promise<RunState | null> {
    const row = this.session.get<RunRow>('SELECT * FROM run WHERE id = ?', JSON.stringify(id));
    return row === undefined ? null : runOf(row);
  }

  async ends(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, RunEnd>> {
    const found = new Map<RunId, RunEnd>();
    for (const id of ids) {
      const row = this.session.get<{ ending: string | null }>(
        'SELECT ending FROM run WHERE id = ?',
        JSON.stringify(id),
      );
      if (row?.ending != null) found.set(id, endAt(JSON.stringify(id), row.ending));
    }
    return found;
  }

  async open(): Promise<readonly RunState[]> {
    return this.session.all<RunRow>('SELECT * FROM run WHERE ended_at IS NULL ORDER BY n').map(runOf);
  }

  async list(filter: { readonly key?: SessionKey; readonly limit: number }): Promise<readonly RunState[]> {
    const most = Math.max(0, filter.limit);
    const rows =
      filter.key === undefined
        ? this.session.all<RunRow>('SELECT * FROM run ORDER BY n DESC LIMIT ?', most)
        : this.session.all<RunRow>(
            'SELECT * FROM run WHERE key = ? ORDER BY n DESC LIMIT ?',
            JSON.stringify(filter.key),
            most,
          );
    return rows.map(runOf);
  }

  async spent(agent: string, since: Instant): Promise<{ readonly tokens: number; readonly costMicros: number }> {
    const row = this.session.get<{ tokens: number; cost: number }>(
      `SELECT ${sumOf('tokens', 'tokens')}, ${sumOf('cost', 'cost')} FROM
         (SELECT ${TOKENS} FROM run WHERE agent = ? AND ended_at >= ?
          UNION ALL SELECT ${TOKENS} FROM run WHERE agent = ? AND ended_at IS NULL)`,
      agent,
      since,
      agent,
    );
    return { tokens: row?.tokens ?? 0, costMicros: row?.cost ?? 0 };
  }

  async agents(): Promise<readonly string[]> {
    return agentsIn(this.session, 'run');
  }

  async used(agent: string, from: Instant, to: Instant | null): Promise<Spending> {
    const ended = this.#sum('ended_at >= ? AND ended_at < ?', agent, from, to ?? Number.MAX_SAFE_INTEGER);
    const open = to === null ? [this.#sum('ended_at IS NULL', agent)] : [];
    return [ended, ...open].reduce((a, b) => ({
      runs: a.runs + b.runs,
      usage: plus(a.usage, b.usage),
      costMicros: added(a.costMicros, b.costMicros),
      unpriced: a.unpriced + b.unpriced,
      idle: a.idle + b.idle,
    }));
  }

  #sum(when: string, agent: string, ...instants: readonly Instant[]): Spending {
    const row = this.session.get<UsedRow>(
      `SELECT count(*) AS runs, ${sumOf('input', 'input')}, ${sumOf('output', 'output')},
         ${sumOf('cache_read', 'cache_read')}, ${sumOf('cache_write', 'cache_write')},
         ${sumOf('cost_micros', 'cost')},
         coalesce(sum(cost_micros IS NULL AND input + output + cache_read + cache_write > 0), 0) AS unpriced,
         coalesce(sum(input + output + cache_read + cache_write = 0), 0) AS idle
       FROM run WHERE agent = ? AND ${when}`,
      agent,
      ...instants,
    );
    const {
      runs = 0,
      input = 0,
      output = 0,
      cache_read = 0,
      cache_write = 0,
      cost = 0,
      unpriced = 0,
      idle = 0,
    } = row ?? {};
    const usage = { input, output, cacheRead: cache_read, cacheWrite: cache_write };
    return { runs, usage, costMicros: cost, unpriced, idle };
  }

  async saying(id: RunId): Promise<Saying | null> {
    const pieces = this.session.all<Saying>(
      'SELECT model, text FROM saying WHERE run = ? ORDER BY n',
      JSON.stringify(id),
    );
    const cell = (column: string) => ({ table: 'saying', column, row: id });
    const last = pieces.at(-1);
    if (last === undefined) return null;
    const text = pieces.map((piece) => textOf(cell('text'), piece.text)).join('');
    return { model: textOf(cell('model'), last.model), text };
  }
}

export class SqliteRuns extends SqliteRunReader implements RunWriter {
  async save(run: RunState, expected: number): Promise<void> {
    const what = `run ${run.id}`;
    if (run.revision <= expected) throw new RangeError(`${what}: revision ${run.revision} does not follow ${expected}`);
    const id = JSON.stringify(run.id);
    const have = this.session.get<{ revision: number }>('SELECT revision FROM run WHERE id = ?', id)?.revision ?? 0;
    if (have !== expected) throw new StaleRevision(what);
    checkRun(run);
    const { usage } = run;
    this.session.run(
      `INSERT INTO run (key, session, agent, giver, ask, fingerprint, accepted_at, started_at, ended_at, ending, input,
         output, cache_read, cache_write, cost_micros, revision, id)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET key = excluded.key, session = excluded.session, agent = excluded.agent,
         giver = excluded.giver, ask = excluded.ask, fingerprint = excluded.fingerprint,
         accepted_at = excluded.accepted_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
         ending = excluded.ending, input = excluded.input, output = excluded.output, cache_read = excluded.cache_read,
         cache_write = excluded.cache_write, cost_micros = excluded.cost_micros, revision = excluded.revision`,
      JSON.stringify(run.key),
      run.session,
      agentOf(run.key),
      JSON.stringify(run.giver),
      JSON.stringify(run.ask),
      run.fingerprint,
      run.acceptedAt,
      run.startedAt,
      run.endedAt,
      run.end === null ? null : JSON.stringify(run.end),
      usage.input,
      usage.output,
      usage.cacheRead,
      usage.cacheWrite,
      run.costMicros,
      run.revision,
      id,
    );
    if (run.end !== null) await this.said(run.id);
  }

  async say(id: RunId, { model, text }: Saying): Promise<boolean> {
    const run = JSON.stringify(id);
    // Not by `load`: what was asked may be long, and this is done many times a second.
    const isOpen = this.session.get('SELECT 1 FROM run WHERE id = ? AND ended_at IS NULL', run) !== undefined;
    if (!isOpen) return false;
    const last = this.session.get<{ n: number }>('SELECT n FROM saying WHERE run = ? ORDER BY n DESC LIMIT 1', run);
    this.session.run(
      'INSERT INTO saying (run, n, model, text) VALUES (?, ?, ?, ?)',
      run,
      (last?.n ?? 0) + 1,
      JSON.stringify(model),
      JSON.stringify(text),
    );
    return true;
  }

  async said(id: RunId): Promise<void> {
    this.session.run('DELETE FROM saying WHERE run = ?', JSON.stringify(id));
  }

  async prune(at: Instant, limit: number): Promise<number> {
    return this.session.run(
      'DELETE FROM run WHERE n IN (SELECT n FROM run WHERE ended_at < ? ORDER BY ended_at, n LIMIT ?)',
      at,
      Math.max(0, limit),
    );
  }
}
