import type { Authority } from '../authority/authority.ts';
import { effective } from '../core/authz/decide.ts';
import { coversAll } from '../core/authz/scope.ts';
import type { HelloAuth } from '../core/protocol/hello.ts';
import type { Verdict } from './connect.ts';
import type { Asked } from './connection.ts';
import type { Session } from './session.ts';

export type LetIn = Extract<Verdict, { readonly kind: 'session' }>;

/** What a session is told of its authority: held, missing, asked for, and what of its credentials did not count (A1, A4). */
export function authOf(
  authority: Authority,
  session: Session,
  { facts, verdict, decision }: Asked & { readonly verdict: LetIn },
): HelloAuth {
  const { reply, state } = verdict;
  // All of one moment, the decision's: what another changed since would fit no other part of the answer.
  const held = reply?.held ?? authority.reportedTo(session.principal);
  const role = state?.roles[facts.role];
  const grant = role?.grant ?? null;
  const granted = role === undefined || grant === null ? held : effective(role, null, session.since);
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
    decision,
  };
}
