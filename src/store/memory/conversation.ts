import type { Giver } from '../../core/authz/principal.ts';
import type { Instant } from '../../core/base/instant.ts';
import type { Row } from '../../core/conversation/row.ts';
import { isOver, type RunEnd, type RunState } from '../../core/conversation/run.ts';
import {
  added,
  agentOf,
  NO_USAGE,
  plus,
  type SessionId,
  type SessionKey,
  type SessionState,
} from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { Life } from '../life.ts';
import { checkBody, checkNext, checkRun, checkSession } from '../sound.ts';
import {
  type Conversation,
  type RunWriter,
  type Saying,
  type SessionPlace,
  type SessionWriter,
  type Spending,
  StaleRevision,
} from '../store.ts';
import { type Current, check } from './repositories.ts';
import { frozen, type Tables } from './tables.ts';

function isBefore(a: SessionPlace, b: SessionPlace): boolean {
  return a.updatedAt < b.updatedAt || (a.updatedAt === b.updatedAt && a.id < b.id);
}

export class MemorySessions implements SessionWriter {
  readonly #tables: Current;
  readonly #life: Life;

  constructor(tables: Current, life: Life) {
    this.#tables = tables;
    this.#life = life;
  }

  get #t(): Tables {
    this.#life.check();
    return this.#tables();
  }

  #rows(id: SessionId): readonly Row[] {
    return this.#t.rows.get(id) ?? [];
  }

  #last(id: SessionId): number {
    return this.#rows(id).at(-1)?.seq ?? 0;
  }

  async load(key: SessionKey): Promise<SessionState | null> {
    return this.#t.sessions.get(key) ?? null;
  }

  async keyOf(id: SessionId): Promise<SessionKey | null> {
    return this.#t.conversations.get(id)?.key ?? null;
  }

  async list(filter: {
    readonly agent?: string;
    readonly limit: number;
    readonly before?: SessionPlace;
  }): Promise<readonly SessionState[]> {
    const { agent, limit, before } = filter;
    return [...this.#t.sessions.values()]
      .filter((s) => (agent === undefined || s.agent === agent) && (before === undefined || isBefore(s, before)))
      .sort((a, b) => (isBefore(a, b) ? 1 : -1))
      .slice(0, Math.max(0, limit));
  }

  async oldest(filter: {
    readonly agent: string;
    readonly before: Instant;
    readonly limit: number;
    readonly after?: SessionPlace;
  }): Promise<readonly SessionState[]> {
    const { agent, before, after, limit } = filter;
    return [...this.#t.sessions.values()]
      .filter((s) => s.agent === agent && s.updatedAt < before && (after === undefined || isBefore(after, s)))
      .sort((a, b) => (isBefore(a, b) ? -1 : 1))
      .slice(0, Math.max(0, limit));
  }

  async agents(): Promise<readonly string[]> {
    return [...new Set([...this.#t.sessions.values()].map(({ agent }) => agent))].sort();
  }

  async begunSince(at: Instant): Promise<readonly Giver[]> {
    const resets = [...this.#t.conversations.values()];
    return [...this.#t.sessions.values()].flatMap(({ key, giver, createdAt }) => {
      if (createdAt < at) return [];
      const again = resets.filter(
        (one) => one.key === key && (one.resetAt ?? -1) >= at && (one.resetAt ?? 0) < createdAt,
      );
      return [giver, ...again.map(() => giver)];
    });
  }

  async conversation(id: SessionId): Promise<Conversation | null> {
    const found = this.#t.conversations.get(id);
    if (found === undefined) return null;
    const bytes = this.#rows(id).reduce((sum, { body }) => sum + Buffer.byteLength(JSON.stringify(body)), 0);
    return { id, ...found, bytes };
  }

  async #ofAgent(agent: string): Promise<readonly Conversation[]> {
    const own = [...this.#t.conversations].filter(([, { key }]) => agentOf(key) === agent);
    const all = await Promise.all(own.map(([id]) => this.conversation(id)));
    return all.filter((one) => one !== null);
  }

  async earlier(key: SessionKey, limit: number): Promise<readonly Conversation[]> {
    return (await this.#ofAgent(agentOf(key)))
      .filter((one) => one.key === key && one.resetAt !== null)
      .sort((a, b) => (b.resetAt ?? 0) - (a.resetAt ?? 0) || (a.id < b.id ? 1 : -1))
      .slice(0, Math.max(0, limit));
  }

  async resets({ agent, limit }: { readonly agent: string; readonly limit: number }): Promise<readonly Conversation[]> {
    return (await this.#ofAgent(agent))
      .filter(({ resetAt }) => resetAt !== null)
      .sort((a, b) => (a.resetAt ?? 0) - (b.resetAt ?? 0) || (a.id < b.id ? -1 : 1))
      .slice(0, Math.max(0, limit));
  }

  async bytes(agent: string): Promise<number> {
    return (await this.#ofAgent(agent)).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async count(agent?: string): Promise<number> {
    return [...this.#t.sessions.values()].filter((s) => agent === undefined || s.agent === agent).length;
  }

  async rows(id: SessionId, from: number, limit: number): Promise<readonly Row[]> {
    return this.#rows(id)
      .filter((row) => row.seq >= from)
      .slice(0, Math.max(0, limit));
  }

  async tail(id: SessionId, limit: number, before = Number.POSITIVE_INFINITY): Promise<readonly Row[]> {
    const earlier = this.#rows(id).filter((row) => row.seq < before);
    return earlier.slice(Math.max(0, earlier.length - Math.max(0, limit)));
  }

  async save(session: SessionState, expected: number): Promise<void> {
    const { sessions, conversations } = this.#t;
    const have = sessions.get(session.key);
    check(`session ${session.key}`, have?.revision ?? 0, expected, session.revision);
    checkSession(session, this.#last(session.id));
    if (have?.id !== session.id) {
      if (conversations.has(session.id)) {
        throw new RangeError(`session ${session.key}: conversation ${session.id} was begun before`);
      }
      const earlier = have === undefined ? undefined : conversations.get(have.id);
      if (have !== undefined && earlier !== undefined) {
        conversations.set(have.id, { ...earlier, resetAt: session.updatedAt });
      }
      conversations.set(session.id, { key: session.key, resetAt: null, dropped: 0 });
    }
    sessions.set(session.key, frozen(session));
  }

  async append(id: SessionId, row: Omit<Row, 'session'>): Promise<void> {
    const { conversations, rows } = this.#t;
    const have = this.#rows(id);
    if (!conversations.has(id)) throw new RangeError(`conversation ${id} is not known`);
    checkNext(id, row.seq, this.#last(id));
    checkBody(id, row.seq, row.body);
    rows.set(id, [...have, frozen({ session: id, seq: row.seq, at: row.at, run: row.run, body: row.body })]);
  }

  async drop(key: SessionKey, expected: number): Promise<void> {
    const { sessions, conversations } = this.#t;
    if (sessions.get(key)?.revision !== expected) throw new StaleRevision(`session ${key}`);
    sessions.delete(key);
    for (const [id, conversation] of conversations) if (conversation.key === key) this.#forget(id);
  }

  async forget(id: SessionId): Promise<void> {
    if (this.#t.conversations.get(id)?.resetAt == null) {
      throw new RangeError(`conversation ${id} is not known, or was not reset`);
    }
    this.#forget(id);
  }

  async cut(id: SessionId, through: number): Promise<number> {
    const { conversations, rows } = this.#t;
    const have = conversations.get(id);
    if (have === undefined || through >= this.#last(id)) {
      throw new RangeError(`conversation ${id} has no row behind ${through}`);
    }
    if (through <= have.dropped) return 0;
    const left = this.#rows(id).filter(({ seq }) => seq > through);
    const gone = this.#rows(id).length - left.length;
    rows.set(id, left);
    conversations.set(id, { ...have, dropped: through });
    return gone;
  }

  async prune(at: Instant, limit: number): Promise<number> {
    const reset = [...this.#t.conversations].flatMap(([id, { resetAt }]) =>
      resetAt !== null && resetAt < at ? [{ id, resetAt }] : [],
    );
    const oldest = reset.sort((a, b) => a.resetAt - b.resetAt || (a.id < b.id ? -1 : 1)).slice(0, Math.max(0, limit));
    for (const { id } of oldest) this.#forget(id);
    return oldest.length;
  }

  #forget(id: SessionId): void {
    this.#t.conversations.delete(id);
    this.#t.rows.delete(id);
  }
}

export class MemoryRuns implements RunWriter {
  readonly #tables: Current;
  readonly #life: Life;

  constructor(tables: Current, life: Life) {
    this.#tables = tables;
    this.#life = life;
  }

  /** In the order in which they were accepted: a map keeps it, and a save of what is there changes no place. */
  get #runs(): Map<RunId, RunState> {
    this.#life.check();
    return this.#tables().runs;
  }

  async load(id: RunId): Promise<RunState | null> {
    return this.#runs.get(id) ?? null;
  }

  async ends(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, RunEnd>> {
    return new Map(
      ids.flatMap((id) => {
        const end = this.#runs.get(id)?.end;
        return end == null ? [] : [[id, end] as const];
      }),
    );
  }

  async open(): Promise<readonly RunState[]> {
    return [...this.#runs.values()].filter((run) => !isOver(run));
  }

  async list(filter: { readonly key?: SessionKey; readonly limit: number }): Promise<readonly RunState[]> {
    return [...this.#runs.values()]
      .filter((run) => filter.key === undefined || run.key === filter.key)
      .reverse()
      .slice(0, Math.max(0, filter.limit));
  }

  async spent(agent: string, since: Instant): Promise<{ readonly tokens: number; readonly costMicros: number }> {
    let tokens = 0;
    let costMicros = 0;
    for (const run of this.#runs.values()) {
      if (agentOf(run.key) !== agent || (run.endedAt !== null && run.endedAt < since)) continue;
      const { input, output, cacheRead, cacheWrite } = run.usage;
      tokens = added(tokens, input, output, cacheRead, cacheWrite);
      costMicros = added(costMicros, run.costMicros ?? 0);
    }
    return { tokens, costMicros };
  }

  async agents(): Promise<readonly string[]> {
    return [...new Set([...this.#runs.values()].map(({ key }) => agentOf(key)))].sort();
  }

  async used(agent: string, from: Instant, to: Instant | null): Promise<Spending> {
    let sum: Spending = { runs: 0, usage: NO_USAGE, costMicros: 0, unpriced: 0, idle: 0 };
    for (const { key, endedAt, usage, costMicros } of this.#runs.values()) {
      const isIn = endedAt === null ? to === null : endedAt >= from && (to === null || endedAt < to);
      if (agentOf(key) !== agent || !isIn) continue;
      const tokens = usage.input + usage.output + usage.cacheRead + usage.cacheWrite;
      sum = {
        runs: sum.runs + 1,
        usage: plus(sum.usage, usage),
        costMicros: added(sum.costMicros, costMicros ?? 0),
        unpriced: sum.unpriced + (costMicros === null && tokens > 0 ? 1 : 0),
        idle: sum.idle + (tokens === 0 ? 1 : 0),
      };
    }
    return sum;
  }

  async save(run: RunState, expected: number): Promise<void> {
    const runs = this.#runs;
    check(`run ${run.id}`, runs.get(run.id)?.revision ?? 0, expected, run.revision);
    checkRun(run);
    runs.set(run.id, frozen(run));
    if (isOver(run)) this.#tables().sayings.delete(run.id);
  }

  async saying(id: RunId): Promise<Saying | null> {
    this.#life.check();
    return this.#tables().sayings.get(id) ?? null;
  }

  async say(id: RunId, { model, text }: Saying): Promise<boolean> {
    const run = this.#runs.get(id);
    if (run === undefined || isOver(run)) return false;
    const { sayings } = this.#tables();
    sayings.set(id, frozen({ model, text: (sayings.get(id)?.text ?? '') + text }));
    return true;
  }

  async said(id: RunId): Promise<void> {
    this.#life.check();
    this.#tables().sayings.delete(id);
  }

  async prune(at: Instant, limit: number): Promise<number> {
    const runs = this.#runs;
    const ended = [...runs.values()].flatMap(({ id, endedAt }) =>
      endedAt !== null && endedAt < at ? [{ id, endedAt }] : [],
    );
    const oldest = ended.sort((a, b) => a.endedAt - b.endedAt).slice(0, Math.max(0, limit));
    for (const { id } of oldest) runs.delete(id);
    return oldest.length;
  }
}
