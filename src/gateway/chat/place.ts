import { giverOf } from '../../core/authz/principal.ts';
import type { Sender } from '../../core/conversation/row.ts';
import {
  agentOf,
  isAgentId,
  isNewKey,
  type SessionKey,
  type SessionState,
  sessionKey,
} from '../../core/conversation/session.ts';
import type { Agent, RefusedSend } from '../../runtime/runtime.ts';
import { claimText } from '../../system/text.ts';
import { type Context, Declined } from '../method/handler.ts';

/** Quoted from the caller. */
const QUOTED_MAX = 80;

/** The agent that is meant. @throws Declined `unknown_agent` */
export async function agentFor(c: Context, id: string | undefined): Promise<Agent> {
  const agents = await c.services.conversations.agents();
  const found = agents.find((agent) => (id === undefined ? agent.isDefault : agent.id === id.trim().toLowerCase()));
  if (found === undefined) throw new Declined('unknown_agent', quoted(id ?? ''));
  return found;
}

/**
 * The session that is meant by a key, with the agent that was named beside it or the default one.
 * @throws Declined `session_key` where it is none, is another agent's than the one that was named, or has characters with
 * which none is begun; `unknown_agent`
 */
export async function keyFor(c: Context, text: string | undefined, agentId: string | undefined): Promise<SessionKey> {
  const agent = await agentFor(c, agentId);
  const key = sessionKey(text ?? '', agent.id);
  if (key === null || (agentId !== undefined && agentOf(key) !== agent.id))
    throw new Declined('session_key', quoted(text ?? ''));
  await agentFor(c, agentOf(key));
  if (!isNewKey(key) && (await c.services.conversations.session(key)) === null)
    throw new Declined('session_key', quoted(key));
  return key;
}

/**
 * The same where what was said is read or forgotten: also of an agent that is no more, as long as there is a session of it.
 * @throws Declined as keyFor
 */
export async function pastKeyFor(
  c: Context,
  text: string | undefined,
  agentId: string | undefined,
): Promise<SessionKey> {
  const agent = await pastAgentFor(c, agentId);
  const key = sessionKey(text ?? '', agent);
  if (key === null || (agentId !== undefined && agentOf(key) !== agent))
    throw new Declined('session_key', quoted(text ?? ''));
  if ((await c.services.conversations.session(key)) === null) await agentFor(c, agentOf(key));
  return key;
}

/** The id of an agent that is there, or of which a session is. @throws Declined `unknown_agent` */
export async function pastAgentFor(c: Context, id: string | undefined): Promise<string> {
  const agent = id?.trim().toLowerCase();
  const isPast =
    agent !== undefined &&
    isAgentId(agent) &&
    (await c.services.conversations.sessions({ agent, limit: 1 })).length > 0;
  return isPast ? agent : (await agentFor(c, id)).id;
}

/** @throws Declined `session_unknown` */
export async function sessionAt(c: Context, key: SessionKey): Promise<SessionState> {
  const session = await c.services.conversations.session(key);
  if (session === null) throw new Declined('session_unknown', visible(key));
  return session;
}

/** On whose behalf something is said, and by what name: for people, as it was claimed. */
export function speakerOf({ principal, session, services }: Context) {
  const giver = giverOf(principal);
  // A12: components speak with an authority of their own, which no call brings along.
  if (giver === null) throw new Error('nobody on whose behalf it could run');
  const known = principal.kind === 'device' ? (services.authority.peek(principal.device)?.name ?? null) : null;
  const name = known ?? session?.label.name ?? (principal.kind === 'owner' ? 'owner' : null);
  const from: Sender = { kind: 'person', name: name === null ? null : claimText(name) };
  return { giver, from };
}

/** The refusal of the runtime, on its way to the caller. */
export function declined(refused: RefusedSend): Declined {
  switch (refused.code) {
    case 'unknown_agent':
      return new Declined('unknown_agent', refused.agent);
    case 'unknown_model':
      return new Declined('unknown_model', quoted(refused.model));
    case 'too_large':
      return new Declined('message_too_large', refused.text);
    case 'bad_attachment':
      return new Declined('bad_attachment', refused.text);
    case 'stopping':
      return new Declined('run_stopping');
    case 'not_running':
      return new Declined('gateway_needed');
    case 'run_conflict':
    case 'lane_full':
    case 'too_many_sessions':
      return new Declined(refused.code);
  }
}

/** What the runtime threw, the same way. By name, not by class: what thinks is chosen by the composition root. */
export function declinedFor(error: unknown): never {
  const name = error instanceof Error ? error.name : '';
  if (name === 'TextTooLarge') throw new Declined('message_too_large', (error as Error).message);
  if (name === 'TooManySessions') throw new Declined('too_many_sessions');
  throw error;
}

/** What a caller sent, in a message. */
export function quoted(text: string): string {
  return visible(text).slice(0, QUOTED_MAX);
}

function visible(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
