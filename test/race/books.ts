import type { Change, Outcome } from '../../src/core/authz/command.ts';
import type { CodeId, DeviceId, RequestId } from '../../src/core/authz/principal.ts';
import type { CodeState, DeviceState } from '../../src/core/authz/state.ts';
import type { Reply } from './history.ts';

/** What a run has left behind: the same view of the store that was raced on, and of a sequential run. */
export interface Books {
  readonly devices: ReadonlyMap<DeviceId, DeviceState>;
  readonly codes: ReadonlyMap<CodeId, CodeState>;
  readonly outcomes: ReadonlyMap<RequestId, Outcome>;
  /** Recorded since the round began, in order (A17). */
  readonly changes: readonly Change[];
  /** Requests and noes whose end was told, in order (A8, A9). */
  readonly told: readonly (readonly [RequestId, Outcome])[];
}

/** The books of a sequential run, and what it keeps beside them. */
export interface Run extends Books {
  readonly seq: number;
  readonly fresh: number;
  /** Ids of the raced run → the names that the sequential run gave them. */
  readonly names: ReadonlyMap<string, string>;
  /** Devices whose operator grant was ended: their connections with it. */
  readonly ended: ReadonlySet<DeviceId>;
  /** Answers by what a client named its call with. */
  readonly answers: ReadonlyMap<string, Reply>;
}

/** Order numbers mean nothing but their order. */
function ranks(books: Books): (seq: number | null) => number | null {
  const all = new Set(books.changes.map((c) => c.seq));
  for (const { roles } of books.devices.values()) {
    for (const { decided, gone } of Object.values(roles))
      for (const seq of [decided, gone]) if (seq !== null) all.add(seq);
  }
  for (const code of books.codes.values()) all.add(code.made);
  const sorted = [...all].sort((a, b) => a - b);
  return (seq) => (seq === null ? null : sorted.indexOf(seq));
}

const byKey = <T>([a]: readonly [string, T], [b]: readonly [string, T]): number => (a < b ? -1 : 1);

/**
 * The books as text that is the same for two runs which differ only by the ids they made and by how high they counted.
 * `nameOf`: the name of an id that is known elsewhere; others are named by where they first stand.
 */
export function plainText(books: Books, nameOf: (id: string) => string | null): string {
  const rank = ranks(books);
  const names = new Map<string, string>();
  const name = (id: string | null): string | null => {
    if (id === null) return null;
    const known = nameOf(id) ?? names.get(id) ?? `new ${names.size + 1}`;
    names.set(id, known);
    return known;
  };
  const devices = [...books.devices].sort(byKey).map(([, d]) => ({
    ...d,
    roles: Object.entries(d.roles).map(([role, r]) => ({
      role,
      ...r,
      request: r.request && { ...r.request, id: name(r.request.id) },
      rejection: r.rejection && { ...r.rejection, id: name(r.rejection.id) },
      decided: rank(r.decided),
      gone: rank(r.gone),
    })),
  }));
  const codes = [...books.codes].sort(byKey).map(([, c]) => ({ ...c, made: rank(c.made) }));
  const changes = books.changes.map(({ what, device, role, by, at, seq, request, scopes }) => {
    return { what, device, role, by, at, seq: rank(seq), request: name(request), scopes };
  });
  const told = books.told.map(([id, outcome]) => `${name(id)} ${outcome}`);
  const outcomes = [...books.outcomes]
    .map(([id, outcome]) => `${names.get(id) ?? nameOf(id) ?? 'new'} ${outcome}`)
    .sort();
  return [
    ...devices.map((d) => JSON.stringify(sorted(d))),
    ...codes.map((c) => JSON.stringify(sorted(c))),
    ...changes.map((c) => JSON.stringify(sorted(c))),
    `told ${told.join(', ')}`,
    `ended ${outcomes.join(', ')}`,
  ].join('\n');
}

/** The order in which a driver gives the fields of a row means nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byKey)
      .map(([k, v]) => [k, sorted(v)]),
  );
}
