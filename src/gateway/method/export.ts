import type { Row } from '../../core/conversation/row.ts';
import type { SessionId } from '../../core/conversation/session.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { endsOf } from '../chat/end.ts';
import { STOP } from '../chat/message.ts';
import { pause } from '../chat/page.ts';
import { pastKeyFor, sessionAt } from '../chat/place.ts';
import { type Context, Declined } from './handler.ts';

const LIMIT = 200;
/** Of one answer, in characters: what is left begins the next one. */
const PAGE_MAX = 2 * 1024 * 1024;
/** Rows that are held at once while a page is made. A row may be large. */
const AT_ONCE = 16;

type RowsInput = MethodInput<'sessions.rows'>;
type Rows = MethodOutput<'sessions.rows'>;

/** From the beginning on: what a page costs is what it holds. */
export async function rows(c: Context, input: RowsInput): Promise<Rows> {
  const { conversation, last, key, agent } = await placeOf(c, input);
  const { id: sessionId, dropped: droppedRows } = conversation;
  const { limit = LIMIT, from = 1 } = input;
  const { books } = c.services.conversations;
  const page: Rows['rows'][number][] = [];
  const runs = new Set<string | null>();
  let size = 0;
  let pieces = 1;
  let next = Math.max(from, droppedRows + 1);
  while (page.length < limit && size < PAGE_MAX) {
    const found = await books.rows(sessionId, next, Math.min(pieces, limit - page.length));
    pieces = Math.min(pieces * 2, AT_ONCE);
    for (const row of found) {
      const shown = shownOf(row, books.clean);
      size += JSON.stringify(shown).length;
      // The first one whatever its size.
      if (size > PAGE_MAX && page.length > 0) break;
      page.push(shown);
      runs.add(row.run);
      next = row.seq + 1;
    }
    if (found.length === 0) break;
    await pause();
  }
  const isLast = page.length === 0 || next > last;
  const runEnds = (await endsOf(c, runs)).map((end) => cleaned(end, books.clean) as typeof end);
  return { key, sessionId, agentId: agent, rows: page, runEnds, next: isLast ? null : next, total: last, droppedRows };
}

type Clean = (text: string) => string;

/** Without secrets, wherever in it they stand. */
function shownOf({ seq, at, run, body }: Row, clean: Clean) {
  const stop = body.kind === 'assistant' ? { stop: STOP[body.stop] } : {};
  return { seq, at, ...(run === null ? {} : { run }), ...(cleaned(body, clean) as Row['body']), ...stop };
}

function cleaned(value: unknown, clean: Clean, name = ''): unknown {
  // A digest looks like a key, and is what its content is found by.
  if (typeof value === 'string') return name === 'sha256' ? value : clean(value);
  if (Array.isArray(value)) return value.map((inner) => cleaned(inner, clean));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cleaned(inner, clean, key)]));
}

/** The conversation that stands at the key, or an earlier one of it by its id. @throws Declined `session_unknown` */
async function placeOf(c: Context, input: Pick<RowsInput, 'key' | 'agentId' | 'sessionId'>) {
  const { books } = c.services.conversations;
  const key = await pastKeyFor(c, input.key, input.agentId);
  const session = await sessionAt(c, key);
  const id = (input.sessionId as SessionId | undefined) ?? session.id;
  const conversation = await books.conversation(id);
  if (conversation === null || conversation.key !== key) throw new Declined('session_unknown', key);
  // Of an earlier one no more than what is found is known.
  const last = id === session.id ? session.rows : Number.MAX_SAFE_INTEGER;
  return { key, agent: session.agent, conversation, last };
}

export async function attachment(
  c: Context,
  input: MethodInput<'sessions.attachment'>,
): Promise<MethodOutput<'sessions.attachment'>> {
  const { conversation } = await placeOf(c, input);
  const { sha256 } = input;
  return { sha256, content: c.services.conversations.books.content(conversation.id, sha256) };
}
