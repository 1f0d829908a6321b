import type { Row } from '../../core/conversation/row.ts';
import type { RunEnd } from '../../core/conversation/run.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { endOf, endsOf, failureText } from '../chat/end.ts';
import { type Message, messagesOf, rowId } from '../chat/message.ts';
import { backwards, short } from '../chat/page.ts';
import { declinedFor, keyFor, pastKeyFor, speakerOf } from '../chat/place.ts';
import { defaultsOf, sessionRowOf } from '../chat/row.ts';
import { say } from '../chat/say.ts';
import type { Context } from './handler.ts';

const LIMIT = 200;
/** Shown of what waits. It is told in full once it is its turn; until then it may be as large as fifty messages. */
const WAITING_TEXT_MAX = 240;
/** Of one answer, in characters: the oldest messages of the page are left for the next one. */
const PAGE_MAX = 6 * 1024 * 1024;

/** `chat.history`: the size of the page decides what it costs, not the length of the transcript. */
export async function history(c: Context, input: MethodInput<'chat.history'>): Promise<MethodOutput<'chat.history'>> {
  const { conversations } = c.services;
  const key = await pastKeyFor(c, input.sessionKey, input.agentId);
  const [agents, session] = [await conversations.agents(), await conversations.session(key)];
  const info = session === null ? null : await sessionRowOf(conversations, session, agents);
  const open = conversations.open(key);
  const waiting = open.filter((run) => run.startedAt === null);
  const items = waiting.map(({ id, ask, acceptedAt }) => ({
    runId: id,
    text: short(ask.text, WAITING_TEXT_MAX),
    acceptedAt,
  }));
  const rows = session === null ? [] : backwards(c, session, input.limit ?? LIMIT, input.before);
  const messages = await fitting(rows, JSON.stringify(items).length);
  const agentId = key.split(':')[1];
  return {
    sessionKey: input.sessionKey,
    ...(session === null || info === null ? {} : { sessionId: session.id, sessionInfo: info }),
    messages,
    thinkingLevel: session?.settings.thinking ?? defaultsOf(agents, agentId).thinkingDefault,
    hasMore: (messages[0]?.__openclaw.seq ?? 1) > (info?.droppedRows ?? 0) + 1,
    totalMessages: session?.rows ?? 0,
    pendingInputs: { items, total: waiting.length },
    defaults: defaultsOf(agents, agentId),
    runEnds: await endsOf(
      c,
      messages.map(({ __openclaw }) => __openclaw.runId),
    ),
  };
}

/** Of the newest rows those that one answer holds beside what else is in it, in characters; the newest of all whatever its size. */
async function fitting(rows: AsyncIterable<Row> | readonly Row[], besides: number): Promise<readonly Message[]> {
  const kept: (readonly Message[])[] = [];
  let size = besides;
  for await (const row of rows) {
    const messages = messagesOf(row);
    for (const message of messages) size += JSON.stringify(message).length;
    if (size > PAGE_MAX && kept.length > 0) break;
    kept.push(messages);
  }
  return kept.reverse().flat();
}

export async function send(c: Context, input: MethodInput<'chat.send'>): Promise<MethodOutput<'chat.send'>> {
  const key = await keyFor(c, input.sessionKey, input.agentId);
  const { message: text, attachments, thinking, timeoutMs, deliver, idempotencyKey: id } = input;
  const { run, again } = await say(c, key, { id, text, attachments, thinking, timeoutMs, deliver });
  return { runId: run.id, ...(again ? repeated(await endOf(c, run)) : { status: 'started' }) };
}

/** How it stands with what was sent before. */
function repeated(end: RunEnd | null): Pick<MethodOutput<'chat.send'>, 'status' | 'summary'> {
  switch (end?.kind) {
    case undefined:
      return { status: 'in_flight' };
    case 'error':
      return { status: 'error', summary: failureText(end) };
    case 'interrupted':
      return { status: 'error', summary: 'interrupted' };
    case 'aborted':
      return { status: 'aborted' };
    default:
      return { status: 'ok' };
  }
}

export async function abort(c: Context, input: MethodInput<'chat.abort'>): Promise<MethodOutput<'chat.abort'>> {
  const key = await pastKeyFor(c, input.sessionKey, input.agentId);
  const runIds = await c.services.conversations.abort(key, (input.runId as RunId | undefined) ?? null);
  return { ok: true, aborted: runIds.length > 0, runIds };
}

export async function inject(c: Context, input: MethodInput<'chat.inject'>): Promise<MethodOutput<'chat.inject'>> {
  const key = await keyFor(c, input.sessionKey, input.agentId);
  const { giver } = speakerOf(c);
  const row = await c.services.conversations.inject(key, giver, input.message, input.label ?? null).catch(declinedFor);
  return { ok: true, messageId: rowId(row), seq: row.seq };
}
