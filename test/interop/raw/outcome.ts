// What the rules make of a row, worked out here from their text and from what the row proves: its labels don't come in.
import type { Dialect, Observed } from './observe.ts';
import type { Proof, Row } from './row.ts';

/** In words, with the rule that it comes from. */
export const OUTCOMES = {
  'session of the secret': 'A13',
  'paired by the secret': 'A13',
  'pending, PAIRING_REQUIRED not-paired': 'A13',
  'pending, PAIRING_REQUIRED role-upgrade': 'A13',
  'connected by its grant': 'A4',
  'connected by its grant, the rest is asked': 'A4',
  'connected as a node': 'A4',
  'refused, AUTH_TOKEN_MISMATCH': 'A13',
  'refused, DEVICE_IDENTITY_REQUIRED': 'A13',
  'refused, CONTROL_UI_ORIGIN_NOT_ALLOWED': 'A4',
} as const;
export type Outcome = keyof typeof OUTCOMES;

/** The secret's grant where the configuration says nothing: every scope of an operator. */
const EVERY: readonly string[] = [
  ...['admin', 'approvals', 'pairing', 'questions', 'read', 'sessions.read', 'sessions.write', 'talk'],
  ...['talk.secrets', 'write'],
];

/** DESIGN §2, "closure". */
function covers(held: readonly string[], scope: string): boolean {
  if (held.includes(scope) || held.includes('admin')) return true;
  if (held.includes('write') && /^(read|talk|sessions\.(read|write))$/.test(scope)) return true;
  return scope === 'sessions.read' && (held.includes('read') || held.includes('sessions.write'));
}

const NOTHING: Observed = {
  answer: '',
  told: null,
  missing: [],
  ignored: [],
  calls: {},
  paired: null,
  opened: 0,
};

/** A1: what is both asked and granted, by the names of either. */
function heldOf(asks: readonly string[], grant: readonly string[]): readonly string[] {
  const names = [...new Set([...asks, ...grant])];
  return names.filter((scope) => covers(asks, scope) && covers(grant, scope)).sort();
}

function connected({ asks, secret }: Proof, grant: readonly string[]): Observed & { readonly told: readonly string[] } {
  const held = heldOf(asks, grant);
  const need = (scope: string) => (covers(held, scope) ? 'ok' : 'missing_scope');
  return {
    ...NOTHING,
    answer: 'connected',
    told: held,
    missing: asks.filter((scope) => !covers(grant, scope)).sort(),
    ignored: secret.startsWith('wrong') ? ['secret'] : [],
    calls: { health: 'ok', status: need('read'), 'device.pair.list': need('pairing') },
  };
}

/** Everything that is to be seen of that row. */
export function meaningOf({ proof, expected }: Row, { protocol }: Dialect): Observed {
  const grant = proof.key === 'read' ? ['read'] : null;
  // PROTOCOL §9: clients of protocol 3 are told the grant, beside their token; those of protocol 4 what they hold.
  const told = (held: readonly string[], granted: readonly string[]) => (protocol === 4 ? held : granted);
  switch (expected) {
    case 'session of the secret': {
      const seen = connected(proof, EVERY);
      return { ...seen, told: protocol === 4 ? seen.told : null };
    }
    case 'paired by the secret': {
      const seen = connected(proof, EVERY);
      return { ...seen, told: told(seen.told, EVERY), paired: EVERY };
    }
    case 'connected by its grant':
    case 'connected by its grant, the rest is asked': {
      const seen = connected(proof, grant ?? []);
      const opened = expected === 'connected by its grant' ? 0 : 1;
      return { ...seen, told: told(seen.told, grant ?? []), paired: grant, opened };
    }
    case 'connected as a node': {
      const calls = { health: 'ok', status: 'wrong_role', 'device.pair.list': 'wrong_role' };
      return { ...NOTHING, answer: 'connected', told: [...proof.asks].sort(), calls };
    }
    case 'pending, PAIRING_REQUIRED not-paired':
      return { ...NOTHING, answer: 'NOT_PAIRED PAIRING_REQUIRED not-paired, close 1008', opened: 1 };
    case 'pending, PAIRING_REQUIRED role-upgrade':
      return { ...NOTHING, answer: 'NOT_PAIRED PAIRING_REQUIRED role-upgrade, close 1008', opened: 1 };
    case 'refused, AUTH_TOKEN_MISMATCH':
      return { ...NOTHING, answer: 'INVALID_REQUEST AUTH_TOKEN_MISMATCH, close 1008', paired: grant };
    case 'refused, DEVICE_IDENTITY_REQUIRED':
      return { ...NOTHING, answer: 'NOT_PAIRED DEVICE_IDENTITY_REQUIRED, close 1008' };
    case 'refused, CONTROL_UI_ORIGIN_NOT_ALLOWED': {
      const answer = 'INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED origin not allowed, close 1008';
      return { ...NOTHING, answer, paired: grant };
    }
  }
}

/** What is otherwise, by name; empty: nothing. */
export function differences(seen: Observed, meant: Observed): readonly string[] {
  return (Object.keys(meant) as (keyof Observed)[]).flatMap((name) => {
    const [is, should] = [JSON.stringify(seen[name]), JSON.stringify(meant[name])];
    return is === should ? [] : [`${name} is ${is}, not ${should}`];
  });
}
