import type { Giver } from '../core/authz/principal.ts';
import type { Instant } from '../core/base/instant.ts';
import type { SessionId, SessionKey, SessionState } from '../core/conversation/session.ts';
import type { ReadTx, SessionPlace } from '../store/store.ts';
import type { Piece } from './shares.ts';

// What could go for room, in the order in which it would where all of it is one giver's.

export type Read = <T>(work: (tx: ReadTx) => Promise<T>) => Promise<T>;
/** A session as it was when it was looked at. */
export type Seen = Pick<SessionState, 'key' | 'id' | 'revision' | 'rows' | 'giver'>;
/** A conversation that was reset, or a session with the one that stands. */
export type Going = { readonly reset: SessionId } | { readonly session: Seen };
/** What came with the messages of one conversation; `key`: it stands there. */
export type Enclosed = { readonly id: SessionId; readonly key: SessionKey | null };

const PAGE = 50;
/** Conversations of one agent that were reset and are looked at in one pass. */
const RESETS_MAX = 100_000;
/** Of what may be kept, how much an agent's main session takes from the others: it never goes, and many may talk there. */
const MAINS = 1 / 2;

export function isMain({ key, agent }: Pick<SessionState, 'key' | 'agent'>): boolean {
  return key === mainOf(agent);
}

function mainOf(agent: string): SessionKey {
  return `agent:${agent}:main` as SessionKey;
}

/** Others are served in between. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Those of an agent that changed before, the longest unchanged first; never its main one. */
export async function* oldest(read: Read, agent: string, before: Instant): AsyncGenerator<SessionState> {
  let after: SessionPlace | undefined;
  for (;;) {
    const filter = { agent, before, limit: PAGE, ...(after === undefined ? {} : { after }) };
    const page = await read((tx) => tx.sessions.oldest(filter));
    for (const session of page) if (!isMain(session)) yield session;
    after = page.at(-1);
    if (page.length < PAGE) return;
    await pause();
  }
}

async function allOf(read: Read, agent: string): Promise<readonly Seen[]> {
  const all: Seen[] = [];
  for await (const { key, id, revision, rows, giver } of oldest(read, agent, Number.MAX_SAFE_INTEGER)) {
    all.push({ key, id, revision, rows, giver });
  }
  return all;
}

/** Sessions of an agent in which nothing was said, and the others; each counts as one. */
export async function entriesOf(read: Read, agent: string) {
  const all = (await allOf(read, agent)).map(
    (session): Piece<Seen> => ({ giver: session.giver, size: 1, item: session }),
  );
  return {
    empty: all.filter(({ item }) => item.rows === 0),
    said: all.filter(({ item }) => item.rows > 0),
  };
}

/** What an agent's conversations hold beyond `most`; that of its main one only as far as it may take from the others. */
export async function excessOf(read: Read, agent: string, most: number): Promise<number> {
  const main = await read(async (tx) => {
    const session = await tx.sessions.load(mainOf(agent));
    return session === null ? 0 : ((await tx.sessions.conversation(session.id))?.bytes ?? 0);
  });
  const all = await read((tx) => tx.sessions.bytes(agent));
  return all - Math.max(0, main - most * MAINS) - most;
}

/** By their bytes: conversations that were reset, the oldest reset first, whosever session it is by now; then the sessions. */
export async function conversationsOf(read: Read, agent: string): Promise<readonly Piece<Going>[]> {
  const givers = new Map<SessionKey, Giver>();
  const pieces: Piece<Going>[] = [];
  for (const { id, key, bytes } of await read((tx) => tx.sessions.resets({ agent, limit: RESETS_MAX }))) {
    const giver = givers.get(key) ?? (await read((tx) => tx.sessions.load(key)))?.giver;
    if (giver === undefined) continue;
    givers.set(key, giver);
    pieces.push({ giver, size: bytes, item: { reset: id } });
  }
  for (const [n, session] of (await allOf(read, agent)).entries()) {
    if (n % PAGE === 0) await pause();
    const size = (await read((tx) => tx.sessions.conversation(session.id)))?.bytes ?? 0;
    if (size > 0) pieces.push({ giver: session.giver, size, item: { session } });
  }
  return pieces;
}

/** By their bytes: of conversations that were reset, the oldest reset first; then of those that stand, the longest unchanged first. */
export async function enclosedOf(
  read: Read,
  there: readonly { readonly id: SessionId; readonly bytes: number }[],
): Promise<readonly Piece<Enclosed>[]> {
  const resets: { readonly at: Instant; readonly piece: Piece<Enclosed> }[] = [];
  const standing: typeof resets = [];
  for (const [n, { id, bytes: size }] of there.entries()) {
    if (n % PAGE === 0) await pause();
    const place = await read((tx) => tx.sessions.conversation(id));
    const session = place && (await read((tx) => tx.sessions.load(place.key)));
    if (!place || !session) continue;
    const { giver, updatedAt } = session;
    if (place.resetAt === null) standing.push({ at: updatedAt, piece: { giver, size, item: { id, key: place.key } } });
    else resets.push({ at: place.resetAt, piece: { giver, size, item: { id, key: null } } });
  }
  return [resets, standing].flatMap((some) => some.sort((a, b) => a.at - b.at).map(({ piece }) => piece));
}
