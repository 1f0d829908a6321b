import { MINUTE_MS } from '../../core/base/instant.ts';
import { NO_USAGE, plus, type SessionState } from '../../core/conversation/session.ts';
import { effective, LEVELS, thinkingOf } from '../../core/conversation/thinking.ts';
import { sessionsCompact } from '../../core/protocol/method/sessions.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { messagesOf, textOf, usageOf } from '../chat/message.ts';
import { backwards, pause, short, sizeOf } from '../chat/page.ts';
import {
  declined,
  declinedFor,
  keyFor,
  pastAgentFor,
  pastKeyFor,
  quoted,
  sessionAt,
  speakerOf,
} from '../chat/place.ts';
import { defaultsOf, type SessionRow, sessionRowOf } from '../chat/row.ts';
import { thinkingIn } from '../chat/thinking.ts';
import { Busy, type Context, Declined, Passed, WrongParams } from './handler.ts';

const LIMIT = 200;
/** Sessions that are looked through for those that fit. */
const LOOKED_MAX = 1_000;
/** The same for the one that is meant: what bears the same label must not hide behind newer ones. */
const RESOLVED_AMONG = 4_000;
/** Rows that are made before others are served. */
const ROWS_AT_ONCE = 20;
/** Conversations that were reset and are told of one session. */
const EARLIER_MAX = 50;
const TITLE_MAX = 60;
const PREVIEW_MAX = 240;
/** Read of transcripts for one call, in characters; beyond it there is less to see of the sessions that are left. */
const READ_MAX = 16 * 1024 * 1024;
/** Rows at the beginning in which a person's words are looked for. */
const FIRST_ROWS = 3;

type ListInput = MethodInput<'sessions.list'>;
type List = MethodOutput<'sessions.list'>;

export async function list(c: Context, input: ListInput): Promise<List> {
  const { conversations, now } = c.services;
  const agent = input.agentId === undefined ? undefined : await pastAgentFor(c, input.agentId);
  const agents = await conversations.agents();
  const limit = input.limit ?? LIMIT;
  const isFiltered = input.search !== undefined || input.activeMinutes !== undefined;
  const filter = { limit: isFiltered ? LOOKED_MAX : limit + 1, ...(agent === undefined ? {} : { agent }) };
  const since = input.activeMinutes === undefined ? 0 : now() - input.activeMinutes * MINUTE_MS;
  const wanted = input.search?.trim().toLowerCase() ?? '';
  const fitting = (await conversations.sessions(filter)).filter(
    ({ key, settings, updatedAt }) =>
      updatedAt >= since && (key.includes(wanted) || (settings.label ?? '').toLowerCase().includes(wanted)),
  );
  const sessions: SessionRow[] = [];
  const budget: Budget = { left: READ_MAX };
  for (const session of fitting.slice(0, limit)) {
    if (sessions.length % ROWS_AT_ONCE === 0) await pause();
    sessions.push(await sessionRowOf(conversations, session, agents, await glimpse(c, session, input, budget)));
  }
  return {
    ts: now(),
    path: 'state/latchkey.sqlite',
    count: sessions.length,
    totalCount: fitting.length,
    limitApplied: limit,
    nextOffset: null,
    hasMore: fitting.length > limit,
    owners: [],
    defaults: defaultsOf(agents, agent),
    sessions,
    maintenance: maintenanceOf(c),
  };
}

function maintenanceOf(c: Context): List['maintenance'] {
  const { rules, last } = c.services.conversations.books.kept();
  return {
    mode: rules.mode,
    pruneAfterMs: rules.idleMs,
    resetArchiveRetentionMs: rules.resetsMs,
    runRetentionMs: rules.runsMs,
    maxEntries: rules.entries,
    maxDiskBytes: rules.bytes,
    maxTranscriptRows: rules.rows,
    maxTranscriptBytes: rules.rowBytes,
    maxAttachmentBytes: rules.attachmentBytes,
    last,
  };
}

/** What one call may still read of transcripts, in characters. */
interface Budget {
  left: number;
}

/** What a person recognises a session by, where it was asked for and as long as there is something left to read it with. */
async function glimpse(c: Context, session: SessionState, input: ListInput, budget: Budget) {
  const title = input.includeDerivedTitles === true ? await firstWords(c, session, budget) : undefined;
  const last = input.includeLastMessage === true ? await lastWords(c, session, budget) : undefined;
  return {
    ...(title === undefined ? {} : { derivedTitle: title }),
    ...(last === undefined ? {} : { lastMessagePreview: last }),
  };
}

/** The first that a person said; where nobody is among the first rows, what stands first. */
async function firstWords(c: Context, session: SessionState, budget: Budget): Promise<string | undefined> {
  let first: string | undefined;
  for (let seq = 1; seq <= Math.min(FIRST_ROWS, session.rows) && budget.left > 0; seq += 1) {
    const said = await messagesAt(c, session, budget, seq + 1);
    const person = said.find(({ role }) => role === 'user');
    if (person !== undefined) return short(textOf(person), TITLE_MAX);
    if (said[0] !== undefined) first ??= short(textOf(said[0]), TITLE_MAX);
  }
  return first;
}

async function lastWords(c: Context, session: SessionState, budget: Budget): Promise<string | undefined> {
  if (session.rows === 0 || budget.left <= 0) return undefined;
  const last = (await messagesAt(c, session, budget)).at(-1);
  return last === undefined ? undefined : short(textOf(last), PREVIEW_MAX);
}

/** Of the row before `before`, or of the newest. */
async function messagesAt(c: Context, session: SessionState, budget: Budget, before?: number) {
  for await (const row of backwards(c, session, 1, before)) {
    budget.left -= sizeOf(row);
    return messagesOf(row);
  }
  return [];
}

export async function subscribe(
  c: Context,
  input: MethodInput<'sessions.subscribe'>,
): Promise<MethodOutput<'sessions.subscribe'>> {
  if (c.session !== null) c.services.chat.subscribe(c.session);
  return Object.keys(input).length === 0 ? { subscribed: true } : { subscribed: true, list: await list(c, input) };
}

export async function get(c: Context, input: MethodInput<'sessions.get'>): Promise<MethodOutput<'sessions.get'>> {
  const key = await pastKeyFor(c, input.key, input.agentId);
  await sessionAt(c, key);
  const answer = await c.ask('chat.history', { sessionKey: key, limit: input.limit ?? LIMIT });
  // An empty page would say that nothing was said there.
  if (!answer.ok) throw new Passed(answer);
  return { key, messages: (answer.payload as MethodOutput<'chat.history'>).messages };
}

export async function describe(
  c: Context,
  input: MethodInput<'sessions.describe'>,
): Promise<MethodOutput<'sessions.describe'>> {
  const { conversations } = c.services;
  const key = await pastKeyFor(c, input.key, input.agentId);
  const session = await conversations.session(key);
  if (session === null) return { session };
  const earlier = (await conversations.books.earlier(key, EARLIER_MAX)).map(({ id: sessionId, resetAt, bytes }) => ({
    sessionId,
    resetAt: resetAt ?? 0,
    bytes,
  }));
  return { session: await rowOf(c, session), earlier };
}

async function rowOf(c: Context, session: SessionState): Promise<SessionRow> {
  const { conversations } = c.services;
  return sessionRowOf(conversations, session, await conversations.agents());
}

type PreviewInput = MethodInput<'sessions.preview'>;
type Preview = MethodOutput<'sessions.preview'>['previews'][number];

/** Each key once. Of every session that there is the newest row is seen; how much more of it READ_MAX bounds. */
export async function preview(c: Context, input: PreviewInput): Promise<MethodOutput<'sessions.preview'>> {
  const budget: Budget = { left: READ_MAX };
  const previews: Preview[] = [];
  for (const text of new Set(input.keys)) previews.push(await previewOf(c, text, input, budget));
  return { ts: c.services.now(), previews };
}

async function previewOf(c: Context, text: string, input: PreviewInput, budget: Budget): Promise<Preview> {
  const { limit = 12, maxChars = PREVIEW_MAX } = input;
  const key = await pastKeyFor(c, text, undefined).catch(() => null);
  const session = key === null ? null : await c.services.conversations.session(key);
  if (session === null) return { key: text, status: 'missing', items: [] };
  const newestFirst: Preview['items'][number][] = [];
  for await (const row of backwards(c, session, limit)) {
    budget.left -= sizeOf(row);
    for (const one of messagesOf(row).toReversed())
      newestFirst.push({ role: one.role, text: short(textOf(one), maxChars) });
    if (newestFirst.length >= limit || budget.left <= 0) break;
  }
  const items = newestFirst.slice(0, limit).reverse();
  return { key: text, status: items.length === 0 ? 'empty' : 'ok', items };
}

export async function resolve(
  c: Context,
  input: MethodInput<'sessions.resolve'>,
): Promise<MethodOutput<'sessions.resolve'>> {
  const { key: text, sessionId, label, agentId } = input;
  if (text !== undefined) {
    const key = await pastKeyFor(c, text, agentId);
    await sessionAt(c, key);
    return { ok: true, key };
  }
  const agent = agentId === undefined ? {} : { agent: await pastAgentFor(c, agentId) };
  const all = await c.services.conversations.sessions({ ...agent, limit: RESOLVED_AMONG });
  const byId = sessionId === undefined ? undefined : all.find((one) => one.id === sessionId);
  const found = byId ?? labelled(all, label);
  if (found === undefined) throw new Declined('session_unknown', quoted(sessionId ?? label ?? ''));
  return { ok: true, key: found.key };
}

/**
 * Anybody who may say something can give a session any label: one that several have means none of them.
 * @throws WrongParams with the keys of those that have it: whoever may ask may read all of them
 */
function labelled(all: readonly SessionState[], label: string | undefined): SessionState | undefined {
  const found = label === undefined ? [] : all.filter(({ settings }) => settings.label === label);
  if (found.length > 1) {
    const keys = found.slice(0, 5).map(({ key }) => quoted(key));
    throw new WrongParams(`at /label: ${found.length} sessions have it, name one by its key: ${keys.join(', ')}`);
  }
  if (found.length === 1 && all.length === RESOLVED_AMONG)
    throw new WrongParams('at /label: there are too many sessions to tell whether it is the only one: name its key');
  return found[0];
}

export async function patch(c: Context, input: MethodInput<'sessions.patch'>): Promise<MethodOutput<'sessions.patch'>> {
  const { conversations } = c.services;
  const key = await keyFor(c, input.key, input.agentId);
  const { label, model, thinkingLevel, queueMode } = input;
  const patched = await conversations.patch(key, speakerOf(c).giver, {
    ...(label === undefined ? {} : { label }),
    ...(model === undefined ? {} : { model }),
    ...(thinkingLevel === undefined ? {} : { thinking: thinkingLevel === null ? null : thinkingIn(thinkingLevel) }),
    ...(queueMode === undefined ? {} : { queue: queueMode }),
  });
  if ('code' in patched) throw declined(patched);
  const entry = await rowOf(c, patched);
  const { modelProvider = '', model: named = '', thinkingLevels } = entry;
  const thinking = doneOf(entry);
  const resolved = { modelProvider, model: named, thinkingLevel: thinking, thinkingLevels };
  return { ok: true, path: 'state/latchkey.sqlite', key, entry, resolved };
}

/** What the model of a session does of what is set for it. */
function doneOf({ thinkingLevel, thinkingLevels, thinkingDefault }: SessionRow): string {
  const levels = LEVELS.filter((level) => thinkingLevels.some(({ id }) => id === level));
  return effective(levels, thinkingOf(thinkingLevel ?? thinkingDefault));
}

export async function reset(c: Context, input: MethodInput<'sessions.reset'>): Promise<MethodOutput<'sessions.reset'>> {
  const key = await keyFor(c, input.key, input.agentId);
  const session = await c.services.conversations.reset(key, speakerOf(c).giver).catch(declinedFor);
  return { ok: true, key, entry: await rowOf(c, session) };
}

export async function remove(
  c: Context,
  input: MethodInput<'sessions.delete'>,
): Promise<MethodOutput<'sessions.delete'>> {
  const key = await pastKeyFor(c, input.key, input.agentId);
  const deleted = input.archivedOnly !== true && (await c.services.conversations.delete(key));
  return { ok: true, key, deleted, archived: [] };
}

export async function compact(
  c: Context,
  input: MethodInput<'sessions.compact'>,
): Promise<MethodOutput<'sessions.compact'>> {
  const key = await keyFor(c, input.key, input.agentId);
  await sessionAt(c, key);
  const { conversations, authority } = c.services;
  const { name: method, role, scope } = sessionsCompact;
  // A9: it may have waited for a model that others had.
  const stillMay = () => authority.mayCall(c.principal, { method, role, scope }).ok;
  const compacted = await conversations.compact(key, speakerOf(c).giver, stillMay);
  if (typeof compacted === 'boolean') return { ok: true, key, compacted };
  if (compacted.code !== 'not_allowed') throw declined(compacted);
  const refused = await c.ask(method, { key });
  throw refused.ok ? new Busy() : new Passed(refused);
}

export async function usage(c: Context, input: MethodInput<'sessions.usage'>): Promise<MethodOutput<'sessions.usage'>> {
  const { conversations, now } = c.services;
  const agent = input.agentId === undefined ? {} : { agent: await pastAgentFor(c, input.agentId) };
  const found =
    input.key === undefined
      ? await conversations.sessions({ ...agent, limit: input.limit ?? LIMIT })
      : [await sessionAt(c, await pastKeyFor(c, input.key, input.agentId))];
  return {
    updatedAt: now(),
    sessions: found.map((session) => ({
      key: session.key,
      sessionId: session.id,
      agentId: session.agent,
      updatedAt: session.updatedAt,
      usage: usageOf(session.usage),
    })),
    totals: usageOf(found.reduce((sum, session) => plus(sum, session.usage), NO_USAGE)),
  };
}
