import type { SessionKey, SessionState } from '../../core/conversation/session.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { sha256Hex } from '../../system/crypto.ts';
import { declined, keyFor, quoted, speakerOf } from '../chat/place.ts';
import { sessionRowOf } from '../chat/row.ts';
import { thinkingIn } from '../chat/thinking.ts';
import { type Context, WrongParams } from './handler.ts';

type Input = MethodInput<'sessions.create'>;
type Output = MethodOutput<'sessions.create'>;

/** What means something here, and what OpenClaw's programs say for their own lists: where it came from, how it is shown. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['key', 'agentId', 'label', 'model', 'thinkingLevel', 'message', 'task', 'attachments', 'idempotencyKey'],
  ...['parentSessionKey', 'succeedsParent', 'emitCommandHooks', 'displayName', 'titleSource', 'category'],
]);

/** `sessions.create`: how 9.6's clients begin a conversation beside the one that goes on. */
export async function create(c: Context, input: Input): Promise<Output> {
  refuseOthers(input);
  const { conversations, freshId } = c.services;
  const { idempotencyKey: id } = input;
  // The same one for the same id and caller, also after a restart; nobody else's can be met with it.
  const name = id === undefined ? freshId() : sha256Hex(JSON.stringify([speakerOf(c).giver, id])).slice(0, 32);
  const key = await keyFor(c, input.key ?? `new-${name}`, input.agentId);
  const session = (await conversations.session(key)) ?? (await begun(c, key, input));
  const said = await saidIn(c, key, `create-${name}`, input);
  const entry = await sessionRowOf(conversations, session, await conversations.agents());
  return { ok: true, key, sessionId: session.id, entry, ...said };
}

/** A session without memory, in another directory or on a node is none like the others: whoever asks for it is told. */
function refuseOthers(input: Input): void {
  const given = Object.entries<unknown>(input).filter(([, value]) => value != null && value !== false);
  const other = given.find(([name]) => !KNOWN.has(name));
  if (other !== undefined) throw new WrongParams(`${quoted(other[0])} is not offered here`);
}

async function begun(c: Context, key: SessionKey, { label, model, thinkingLevel }: Input): Promise<SessionState> {
  const session = await c.services.conversations.patch(key, speakerOf(c).giver, {
    ...(label === undefined ? {} : { label }),
    ...(model === undefined ? {} : { model }),
    ...(thinkingLevel === undefined ? {} : { thinking: thinkingIn(thinkingLevel) }),
  });
  if ('code' in session) throw declined(session);
  return session;
}

/** Decided and accepted as `chat.send` is. The session is there whatever becomes of it. */
async function saidIn(
  c: Context,
  sessionKey: SessionKey,
  idempotencyKey: string,
  { message, task, attachments = [] }: Input,
): Promise<Pick<Output, 'runStarted' | 'runId' | 'runError'>> {
  const text = message ?? task ?? '';
  if (text === '' && attachments.length === 0) return {};
  const answer = await c.ask('chat.send', { sessionKey, message: text, attachments, idempotencyKey });
  if (answer.ok) return { runStarted: true, runId: (answer.payload as MethodOutput<'chat.send'>).runId };
  const { code, message: why } = answer.refused.error;
  return { runStarted: false, runError: { code, message: why } };
}
