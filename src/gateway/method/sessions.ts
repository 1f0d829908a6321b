import { MINUTE_MS } from '../../core/base/instant.ts';
import { NO_USAGE, plus, type SessionState } from '../../core/conversation/session.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { messagesOf, textOf, usageOf } from '../chat/message.ts';
import { agentFor, declined, keyFor, sessionAt, speakerOf } from '../chat/place.ts';
import { defaultsOf, type SessionRow, sessionRow } from '../chat/row.ts';
import { type Context, Declined } from './handler.ts';

const LIMIT = 200;
/** Sessions that are looked through for those that fit. */
const LOOKED_MAX = 1_000;
const TITLE_MAX = 60;
const PREVIEW_MAX = 240;

type ListInput = MethodInput<'sessions.list'>;
type List = MethodOutput<'sessions.list'>;

export async function list(c: Context, input: ListInput): Promise<List> {
  const { conversations, now } = c.services;
  const agent = input.agentId === undefined ? undefined : (await agentFor(c, input.agentId)).id;
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
  for (const session of fitting.slice(0, limit)) {
    sessions.push(sessionRow(session, agents, conversations.open(session.key), await glimpse(c, session, input)));
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
  };
}

/** What a person recognises a session by, where it was asked for. */
async function glimpse(c: Context, { key, rows }: SessionState, input: ListInput) {
  const { conversations } = c.services;
  const words = async (limit: number, before: number | undefined, max: number) => {
    if (rows === 0) return undefined;
    const said = (await conversations.tail(key, limit, before)).flatMap(messagesOf);
    const text = (before === undefined ? said.at(-1) : said.find(({ role }) => role === 'user')) ?? said[0];
    return text === undefined ? undefined : short(textOf(text), max);
  };
  const title = input.includeDerivedTitles === true ? await words(3, 4, TITLE_MAX) : undefined;
  const last = input.includeLastMessage === true ? await words(1, undefined, PREVIEW_MAX) : undefined;
  return {
    ...(title === undefined ? {} : { derivedTitle: title }),
    ...(last === undefined ? {} : { lastMessagePreview: last }),
  };
}

function short(text: string, max: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > max ? `${line.slice(0, max - 1)}…` : line;
}

export async function subscribe(
  c: Context,
  input: MethodInput<'sessions.subscribe'>,
): Promise<MethodOutput<'sessions.subscribe'>> {
  if (c.session !== null) c.services.chat.subscribe(c.session);
  return Object.keys(input).length === 0 ? { subscribed: true } : { subscribed: true, list: await list(c, input) };
}

export async function get(c: Context, input: MethodInput<'sessions.get'>): Promise<MethodOutput<'sessions.get'>> {
  const key = await keyFor(c, input.key, input.agentId);
  await sessionAt(c, key);
  const answer = await c.ask('chat.history', { sessionKey: key, limit: input.limit ?? LIMIT });
  const { messages } = answer.ok ? (answer.payload as MethodOutput<'chat.history'>) : { messages: [] };
  return { key, messages };
}

export async function describe(
  c: Context,
  input: MethodInput<'sessions.describe'>,
): Promise<MethodOutput<'sessions.describe'>> {
  const session = await c.services.conversations.session(await keyFor(c, input.key, input.agentId));
  return { session: session === null ? null : await rowOf(c, session) };
}

async function rowOf(c: Context, session: SessionState): Promise<SessionRow> {
  const { conversations } = c.services;
  return sessionRow(session, await conversations.agents(), conversations.open(session.key));
}

export async function preview(
  c: Context,
  input: MethodInput<'sessions.preview'>,
): Promise<MethodOutput<'sessions.preview'>> {
  const { conversations, now } = c.services;
  const { limit = 12, maxChars = PREVIEW_MAX } = input;
  const previews: MethodOutput<'sessions.preview'>['previews'][number][] = [];
  for (const text of input.keys) {
    const key = await keyFor(c, text, undefined).catch(() => null);
    const session = key === null ? null : await conversations.session(key);
    const rows = key === null || session === null ? [] : await conversations.tail(key, limit);
    const items = rows.flatMap(messagesOf).map((one) => ({ role: one.role, text: short(textOf(one), maxChars) }));
    const status = session === null ? 'missing' : items.length === 0 ? 'empty' : 'ok';
    previews.push({ key: text, status, items: items.slice(-limit) });
  }
  return { ts: now(), previews };
}

export async function resolve(
  c: Context,
  input: MethodInput<'sessions.resolve'>,
): Promise<MethodOutput<'sessions.resolve'>> {
  const { key: text, sessionId, label, agentId } = input;
  if (text !== undefined) {
    const key = await keyFor(c, text, agentId);
    await sessionAt(c, key);
    return { ok: true, key };
  }
  const agent = agentId === undefined ? {} : { agent: (await agentFor(c, agentId)).id };
  const all = await c.services.conversations.sessions({ ...agent, limit: LOOKED_MAX });
  const found = all.find(
    (one) => (sessionId !== undefined && one.id === sessionId) || (label !== undefined && one.settings.label === label),
  );
  if (found === undefined) throw new Declined('session_unknown', (sessionId ?? label ?? '').replace(/\p{C}/gu, '?'));
  return { ok: true, key: found.key };
}

export async function patch(c: Context, input: MethodInput<'sessions.patch'>): Promise<MethodOutput<'sessions.patch'>> {
  const { conversations } = c.services;
  const key = await keyFor(c, input.key, input.agentId);
  const { label, model, thinkingLevel, queueMode } = input;
  const patched = await conversations.patch(key, speakerOf(c).giver, {
    ...(label === undefined ? {} : { label }),
    ...(model === undefined ? {} : { model }),
    ...(thinkingLevel === undefined ? {} : { thinking: thinkingLevel }),
    ...(queueMode === undefined ? {} : { queue: queueMode }),
  });
  if ('code' in patched) throw declined(patched);
  const entry = await rowOf(c, patched);
  const resolved = { modelProvider: entry.modelProvider ?? '', model: entry.model ?? '' };
  return { ok: true, path: 'state/latchkey.sqlite', key, entry, resolved };
}

export async function reset(c: Context, input: MethodInput<'sessions.reset'>): Promise<MethodOutput<'sessions.reset'>> {
  const key = await keyFor(c, input.key, input.agentId);
  const session = await c.services.conversations.reset(key, speakerOf(c).giver);
  return { ok: true, key, entry: await rowOf(c, session) };
}

export async function remove(
  c: Context,
  input: MethodInput<'sessions.delete'>,
): Promise<MethodOutput<'sessions.delete'>> {
  const key = await keyFor(c, input.key, input.agentId);
  return { ok: true, key, deleted: await c.services.conversations.delete(key), archived: [] };
}

export async function compact(
  c: Context,
  input: MethodInput<'sessions.compact'>,
): Promise<MethodOutput<'sessions.compact'>> {
  const key = await keyFor(c, input.key, input.agentId);
  await sessionAt(c, key);
  const compacted = await c.services.conversations.compact(key);
  if (typeof compacted !== 'boolean') throw declined(compacted);
  return { ok: true, key, compacted };
}

export async function usage(c: Context, input: MethodInput<'sessions.usage'>): Promise<MethodOutput<'sessions.usage'>> {
  const { conversations, now } = c.services;
  const agent = input.agentId === undefined ? {} : { agent: (await agentFor(c, input.agentId)).id };
  const found =
    input.key === undefined
      ? await conversations.sessions({ ...agent, limit: input.limit ?? LIMIT })
      : [await sessionAt(c, await keyFor(c, input.key, input.agentId))];
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
