import { SECOND_MS } from '../../core/base/instant.ts';
import type { RunEnd } from '../../core/conversation/run.ts';
import { agentOf, type SessionKey, sessionKey } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { MethodInput, MethodOutput, MethodReply } from '../../core/protocol/registry.ts';
import { endOf, failureText, INTERRUPTED } from '../chat/end.ts';
import { nameOf, usageOf } from '../chat/message.ts';
import { agentFor, keyFor } from '../chat/place.ts';
import { say, TIMEOUT_MAX_MS } from '../chat/say.ts';
import { type Context, Declined } from './handler.ts';

const WAIT_MS = 30_000;
/** Longer than any run: a run has no bound of its own, and whoever waits for it may go. */
const UNTIL_DONE_MS = 2 ** 31 - 1;
/** Sessions among which one is looked for by its id. */
const SESSIONS = 1_000;

type Ended = Pick<MethodOutput<'agent.wait'>, 'runId' | 'status' | 'outcome' | 'error' | 'code' | 'remedy'>;
type Final = Awaited<MethodReply<'agent'>['final']>;

/** `agent`: answered once it is stored, and again once it is over. */
export async function agent(c: Context, input: MethodInput<'agent'>): Promise<MethodReply<'agent'>> {
  const key = await keyOf(c, input);
  const { message: text, attachments, model, thinking, timeout = 0, deliver, idempotencyKey: id } = input;
  const timeoutMs = timeout * SECOND_MS;
  const { run } = await say(c, key, { id, text, attachments, model, thinking, timeoutMs, deliver });
  const first = {
    runId: run.id,
    sessionKey: key,
    agentId: agentOf(key),
    status: 'accepted',
    acceptedAt: run.acceptedAt,
  };
  return { first, final: finalOf(c, run.id) };
}

async function keyOf(c: Context, input: MethodInput<'agent'>): Promise<SessionKey> {
  const { sessionKey: text, sessionId, agentId } = input;
  if (text !== undefined || sessionId === undefined) return keyFor(c, text, agentId);
  const { id: agentName } = await agentFor(c, agentId);
  const sessions = await c.services.conversations.sessions({ agent: agentName, limit: SESSIONS });
  const found = sessions.find(({ id }) => id === sessionId);
  if (found === undefined) throw new Declined('session_unknown', sessionId);
  return found.key;
}

async function finalOf(c: Context, id: RunId): Promise<Final> {
  const { conversations, chat } = c.services;
  const run = await conversations.wait(id, UNTIL_DONE_MS, c.left?.signal);
  // The gateway ends: it begins after the restart, and is asked after then by agent.wait.
  if (run === null || run.end === null) throw new Declined('run_stopping');
  const said = await conversations.answer(id);
  // What the agent said comes before the answer that it is done.
  await chat.settled();
  const { acceptedAt, startedAt, endedAt, costMicros } = run;
  const end = await endOf(c, run);
  const ended = endedOf(run.id, end);
  const named = said === null ? null : nameOf(said.model);
  const { totalTokens: total, ...usage } = usageOf(run.usage);
  return {
    ...ended,
    summary: end?.kind === 'error' ? failureText(end) : (ended.error ?? 'completed'),
    result: {
      payloads: said === null || said.text === '' ? [] : [{ text: said.text, mediaUrl: null }],
      meta: {
        durationMs: Math.max(0, (endedAt ?? acceptedAt) - (startedAt ?? acceptedAt)),
        aborted: ended.outcome === 'aborted',
        agentMeta: {
          sessionId: run.session,
          provider: named?.provider ?? null,
          model: named?.model ?? null,
          usage: { ...usage, total },
          costUsd: costMicros === null ? null : costMicros / 1_000_000,
        },
      },
    },
  };
}

/** How a run ended, or that it has not. */
function endedOf(runId: RunId, end: RunEnd | null): Ended {
  switch (end?.kind) {
    case undefined:
      return { runId, status: 'timeout' };
    case 'ok':
    case 'joined':
      return { runId, status: 'ok', outcome: 'ok' };
    case 'aborted':
      return { runId, status: 'error', outcome: 'aborted', error: 'aborted' };
    case 'interrupted':
      return { runId, status: 'error', outcome: 'interrupted', error: INTERRUPTED };
    case 'error':
      return {
        runId,
        status: 'error',
        outcome: 'error',
        error: end.text,
        code: end.code,
        ...(end.remedy === undefined ? {} : { remedy: end.remedy }),
      };
  }
}

export async function wait(c: Context, input: MethodInput<'agent.wait'>): Promise<MethodOutput<'agent.wait'>> {
  const run = await c.services.conversations.wait(
    input.runId as RunId,
    Math.min(input.timeoutMs ?? WAIT_MS, TIMEOUT_MAX_MS),
    c.left?.signal,
  );
  if (run === null) throw new Declined('run_unknown', input.runId.replace(/\p{C}/gu, '?'));
  // Who is also told events has them all by now.
  if (run.end !== null) await c.services.chat.settled();
  const { startedAt, endedAt } = run;
  const end = await endOf(c, run);
  return {
    ...endedOf(run.id, end),
    ...(startedAt === null ? {} : { startedAt }),
    ...(endedAt === null ? {} : { endedAt }),
  };
}

export async function identity(
  c: Context,
  input: MethodInput<'agent.identity.get'>,
): Promise<MethodOutput<'agent.identity.get'>> {
  const { agentId, sessionKey: text } = input;
  const key = text === undefined ? null : sessionKey(text, agentId ?? (await agentFor(c, undefined)).id);
  if (text !== undefined && key === null) throw new Declined('session_key', text.replace(/\p{C}/gu, '?').slice(0, 80));
  const { id, name, identity: { emoji, avatar } = {} } = await agentFor(c, key === null ? agentId : agentOf(key));
  return { agentId: id, name, ...(emoji === undefined ? {} : { emoji }), ...(avatar === undefined ? {} : { avatar }) };
}
