// Who implies whom, written from the words of DESIGN.md §2 alone.
import { ADMIN, APPROVALS, PAIRING, READ, WRITE } from '../scenario/act.ts';

const TALK = 'operator.talk';
const SESSIONS_READ = 'operator.sessions.read';
const SESSIONS_WRITE = 'operator.sessions.write';

/** The eight that all of them know. */
export const EIGHT: readonly string[] = [
  ADMIN,
  APPROVALS,
  PAIRING,
  'operator.questions',
  READ,
  TALK,
  'operator.talk.secrets',
  WRITE,
];
export const TEN: readonly string[] = [...EIGHT, SESSIONS_READ, SESSIONS_WRITE];

const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  [ADMIN]: TEN,
  [WRITE]: [READ, TALK, SESSIONS_READ, SESSIONS_WRITE],
  [READ]: [SESSIONS_READ],
  [SESSIONS_WRITE]: [SESSIONS_READ],
};

/** Everything that these hold. */
export function closure(scopes: Iterable<string>): ReadonlySet<string> {
  return new Set([...scopes].flatMap((scope) => [scope, ...(IMPLIED[scope] ?? [])]));
}

export function covers(have: Iterable<string>, want: Iterable<string>): boolean {
  const held = closure(have);
  return [...want].every((scope) => held.has(scope));
}

/** Every subset, the empty one first. */
export function subsets(scopes: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: 2 ** scopes.length }, (_, bits) => scopes.filter((_scope, i) => (bits >> i) & 1));
}

export const names = (scopes: Iterable<string>): string =>
  [...scopes].map((scope) => scope.slice(9)).join('+') || 'none';
