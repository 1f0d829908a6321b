import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { coversAll, ROLES, type Role, type Scope } from '../../core/authz/scope.ts';
import type { DeviceState, Label, Rejection, Request } from '../../core/authz/state.ts';
import { isLive } from '../../core/base/instant.ts';
import { ERRORS, type ErrorCode, type ErrorContext, remedyFor } from '../../core/protocol/error.ts';
import type { MethodOutput } from '../../core/protocol/registry.ts';
import type { StoredChange, StoredTrace } from '../../store/store.ts';
import type { Context } from '../method/handler.ts';
import { BESIDE, type Rule } from './rule.ts';
import { Sight } from './sight.ts';

export type Story = MethodOutput<'decision.explain'>;
type Related = Story['related'][number];

/** Rows of one kind that stand beside an answer, and of all kinds together. */
const RELATED_EACH = 10;
const RELATED_MAX = 15;

/** One question by one caller: what it may see, and where the answer's parts come from. */
export interface Desk {
  readonly context: Omit<Context, 'ask'>;
  readonly sight: Sight;
  readonly at: number;
}

export function deskOf(context: Omit<Context, 'ask'>): Desk {
  const { services, principal, session } = context;
  return { context, sight: new Sight(services.authority, principal, session?.id ?? null), at: services.now() };
}

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/** A2: what the client says of itself. */
export function claimedOf(label: unknown): Readonly<Record<string, string>> {
  if (typeof label !== 'object' || label === null) return {};
  const { name, platform, family, clientId, clientMode, version } = label as Partial<Label>;
  const all = { name, platform, family, clientId, clientMode, version };
  return Object.fromEntries(
    Object.entries(all).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

export function besides(facts: Readonly<Record<string, unknown>>): readonly Rule[] {
  return (Object.keys(BESIDE) as (keyof typeof BESIDE)[])
    .filter((key) => facts[key] !== undefined)
    .map((k) => BESIDE[k]);
}

export interface Listed {
  readonly role: Role;
  readonly kind: 'request' | 'rejection';
  readonly row: Request | Rejection;
}

/** What of a device waits for somebody, or was rejected and can still be approved; only what the caller may see. */
export function listedOf({ sight, at }: Desk, state: DeviceState | null): readonly Listed[] {
  if (state === null) return [];
  return ROLES.flatMap((role): Listed[] => {
    const { request, rejection } = state.roles[role];
    const open =
      request !== null && isLive(request.expiresAt, at) ? [{ role, kind: 'request' as const, row: request }] : [];
    const no =
      rejection !== null && isLive(rejection.until, at) ? [{ role, kind: 'rejection' as const, row: rejection }] : [];
    return [...open, ...no];
  }).filter(({ role, row }) => sight.device(state.device, role, row.scopes));
}

/** A16: the command that mends it, from the one table; an id that no longer acts is left out of it. */
export function remedyOf(desk: Desk, code: string, row: StoredTrace): string | null {
  const state = row.device === null ? null : desk.context.services.authority.peek(row.device);
  const listed = listedOf(desk, state).filter((l) => l.role === row.role);
  const missing = row.facts.missing;
  const covering = listed.find(
    ({ row: l }) =>
      l.id === row.request || (Array.isArray(missing) && missing.length > 0 && coversAll(l.scopes, missing)),
  );
  const context: ErrorContext = {
    ...(covering === undefined ? {} : { requestId: covering.row.id }),
    ...(Array.isArray(missing) ? { scopes: missing } : {}),
    ...(typeof row.facts.method === 'string' ? { method: row.facts.method } : {}),
    authMode: desk.context.services.facts().authMode,
  };
  return remedyFor(code, context)?.remedy ?? null;
}

/** What the caller's own device asked and was not given, where that is what it misses now. */
export function askedFor(desk: Desk, scope: Scope): Pick<ErrorContext, 'requestId'> {
  const { services, principal } = desk.context;
  if (principal.kind !== 'device') return {};
  const listed = listedOf(desk, services.authority.peek(principal.device));
  const asked = listed.find(({ role, row }) => role === principal.role && coversAll(row.scopes, [scope]));
  return asked === undefined ? {} : { requestId: asked.row.id };
}

export function approveCommand(id: RequestId): string {
  return `latchkey devices approve ${id}`;
}

/** What else is known of a device, newest first; only what the caller may see. */
export async function relatedTo(desk: Desk, device: DeviceId | null, except: string): Promise<readonly Related[]> {
  if (device === null) return [];
  const { authority, trace } = desk.context.services;
  const changes = (await authority.changes(RELATED_EACH, device)).filter((c) => desk.sight.change(c));
  const traced = trace.list(RELATED_EACH, { device }).filter((t) => desk.sight.trace(t));
  const rows: Related[] = [
    ...listedOf(desk, authority.peek(device)).map(({ kind, row }) => ({
      id: row.id,
      kind,
      at: 'openedAt' in row ? row.openedAt : row.at,
      code: kind === 'request' ? 'open' : 'rejected',
    })),
    ...changes.map(relatedChange),
    ...traced.map(relatedTrace),
  ];
  return rows
    .filter((row) => row.id !== except)
    .sort((a, b) => b.at - a.at)
    .slice(0, RELATED_MAX);
}

function relatedChange({ id, at, what }: StoredChange): Related {
  return { id, kind: 'change', at, code: what };
}

export function relatedTrace({ id, kind, lastAt, code }: StoredTrace): Related {
  return { id, kind: kindOf(kind), at: lastAt, code: code ?? kind };
}

/** In the words of the answer. */
export function kindOf(kind: StoredTrace['kind']): 'connect' | 'call' | 'session' {
  if (kind === 'denied') return 'call';
  return kind === 'ended' ? 'session' : 'connect';
}
