import type { Authority } from '../authority/authority.ts';
import type { Principal } from '../core/authz/principal.ts';
import { coversAll } from '../core/authz/scope.ts';
import type { HelloAuth } from '../core/protocol/hello.ts';
import type { ConnectFacts, Verdict } from './connect.ts';
import type { Session } from './session.ts';

export type LetIn = Extract<Verdict, { readonly kind: 'session' }>;

/** What a session is told of its authority: held, missing, asked for, and what of its credentials did not count (A1, A4). */
export function authOf(authority: Authority, session: Session, facts: ConnectFacts, verdict: LetIn): HelloAuth {
  const { reply, state } = verdict;
  const held = authority.reportedTo(session.principal);
  const grant = state?.roles[facts.role].grant ?? null;
  const granted = grant === null ? held : authority.reportedTo({ ...session.principal, asked: null } as Principal);
  return {
    method: verdict.method,
    role: facts.role,
    held,
    granted,
    coversGrant: coversAll(held, granted),
    deviceToken: verdict.deviceToken,
    issuedAtMs: grant?.at ?? session.since,
    broughtStale: verdict.ignored.some((i) => i === 'token' || i === 'deviceToken'),
    missing: reply?.missing ?? [],
    requestId: reply?.request?.id ?? reply?.rejection ?? null,
    rejected: reply?.rejection != null,
    unknown: facts.unknown,
    ignored: verdict.ignored,
    notStored: !verdict.stored,
  };
}
