import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { Instant } from './shape.ts';

const Rule = Type.Object({
  /** As in src/core/authz/README.md: `A13.5`. */
  clause: Type.String(),
  /** The clause in one plain sentence. */
  text: Type.String(),
});

const Related = Type.Object({
  /** Can be asked about in turn. */
  id: Type.String(),
  /** `change`, `connect`, `call`, `request`, `rejection`. */
  kind: Type.String(),
  at: Instant,
  /** What it was: `approve`, `pairing_required`, `open`. */
  code: Type.String(),
});

export const decisionExplain = {
  name: 'decision.explain',
  // A7: what is told goes by whose row it is, not by a scope: its own, those that it could decide, all for an admin.
  // Reading scopes would add nothing to that, and a device that holds none is the one that needs to know why.
  scope: 'none',
  role: 'any',
  inTurn: true,
  input: Type.Object({
    /**
     * A decision (`d_…`), a change (`ch_…`), a connection, a request, a device; of the last two also the beginning, from
     * 4 characters on, and of a device its name.
     */
    id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    /** Instead of an id: the newest refusal that the caller may see. */
    last: Type.Optional(Type.Boolean()),
  }),
  output: Type.Object({
    kind: Type.Enum(['change', 'connect', 'call', 'session', 'request', 'device']),
    id: Type.String(),
    at: Type.Union([Instant, Type.Null()]),
    /** How often the same happened within the minute, and when last. */
    count: Type.Optional(Type.Integer()),
    lastAt: Type.Optional(Instant),
    /** What was asked, held, by whom, from where, and what of it was proven. */
    facts: Type.Record(Type.String(), Type.Unknown()),
    /** What the client says of itself: for people, and no part of any decision (A2). */
    claimed: Type.Record(Type.String(), Type.String()),
    rule: Rule,
    /** Further clauses that shaped the answer. */
    also: Type.Array(Rule),
    outcome: Type.Object({
      /** A refusal's code, a change's kind, or `connected`, `waiting`, `open`, `paired`, … */
      code: Type.String(),
      /** Whether trying again helps (A16); absent where nothing was refused. */
      retry: Type.Optional(Type.Enum(['never', 'after', 'onApproval'])),
    }),
    /** What to run; `null`: nothing needs to be mended. */
    remedy: Type.Union([Type.String(), Type.Null()]),
    /** Newest first. */
    related: Type.Array(Related),
  }),
  errors: ['not_found'],
  summary: 'Explains a decision, connection, request or device: facts, rule, outcome, remedy.',
} as const satisfies Method;
