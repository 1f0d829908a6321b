import type { Command, Effect, Outcome, Refusal, Step } from '../../src/core/authz/command.ts';
import * as decide from '../../src/core/authz/decide.ts';
import type { DeviceId, Giver, Principal, RequestId } from '../../src/core/authz/principal.ts';
import { OPERATOR_SCOPES, type Role, type Scope, scopeSet } from '../../src/core/authz/scope.ts';
import { blankDevice, type DeviceState, type Label } from '../../src/core/authz/state.ts';
import { step } from '../../src/core/authz/step.ts';
import type { Run } from './books.ts';
import type { Reply } from './history.ts';

/** What stands still while a round runs. */
export interface Fixed {
  readonly at: number;
  deviceToken(device: DeviceId, epoch: number): string;
  codeId(code: string): string;
  deviceId(key: string): DeviceId;
}

/**
 * The sequential run: one operation after the other, each judged by `step` and `decide` themselves on what the one
 * before it left. Written from core/authz alone; it shares no line with the authority that is judged by it.
 */
export interface Turned {
  readonly run: Run;
  readonly reply: Reply;
}

export const refused = (code: string, says: Record<string, unknown> = {}, request: string | null = null): Reply => ({
  kind: 'refused',
  says: { code, ...says },
  ids: { request },
});

export function stateOf(run: Run, device: DeviceId, key = ''): DeviceState {
  return run.devices.get(device) ?? blankDevice(device, key);
}

export function factsOf(run: Run, principal: Principal): decide.Facts {
  const self = principal.kind === 'device' ? (run.devices.get(principal.device) ?? null) : null;
  return { self, secretScopes: OPERATOR_SCOPES };
}

export function heldBy(run: Run, principal: Principal, at: number) {
  return { principal, held: decide.heldBy(principal, factsOf(run, principal), at) };
}

function makerOf(giver: Giver): DeviceId | null {
  if (giver.kind === 'code') return makerOf(giver.maker);
  return giver.kind === 'device' ? giver.device : null;
}

const isNothing = (d: DeviceState): boolean =>
  d.name === null &&
  Object.values(d.roles).every((r) => Object.values(r).every((field) => field === null || field === 0));

function carried(run: Run, effect: Effect): Run {
  switch (effect.kind) {
    case 'store.change':
      return { ...run, changes: [...run.changes, effect.change] };
    case 'store.code.used': {
      const code = run.codes.get(effect.code);
      if (code === undefined) throw new Error('a code was used that nobody made');
      const used = { ...code, usedBy: effect.device, revision: code.revision + 1 };
      return { ...run, codes: new Map(run.codes).set(effect.code, used) };
    }
    case 'store.codes.ended': {
      const codes = [...run.codes].map(([id, c]) => {
        const ends = makerOf(c.maker) === effect.maker && c.usedBy === null && !c.ended;
        return [id, ends ? { ...c, ended: true, revision: c.revision + 1 } : c] as const;
      });
      return { ...run, codes: new Map(codes) };
    }
    case 'store.evict':
      throw new Error('no round fills its room');
    case 'tell.request.closed': {
      const { request, outcome } = effect;
      const outcomes = new Map(run.outcomes).set(request.id, outcome);
      return { ...run, outcomes, told: [...run.told, [request.id, outcome] as const] };
    }
    default:
      return run;
  }
}

/** One step and what it brings about; what changes nothing takes no number and no id. */
export function advance(
  run: Run,
  device: DeviceId,
  key: string,
  make: (seq: number, fresh: RequestId) => Command,
): { readonly run: Run; readonly done: Step; readonly changes: number } {
  const before = stateOf(run, device, key);
  const seq = run.seq + 1;
  const done = step(before, make(seq, `~${run.fresh + 1}` as RequestId));
  if (done.state === before) return { run, done, changes: 0 };
  let next: Run = { ...run, seq, fresh: run.fresh + 1 };
  for (const effect of done.effects) next = carried(next, effect);
  const devices = new Map(next.devices).set(device, done.state);
  if (isNothing(done.state)) devices.delete(device);
  const ends = before.roles.operator.grant !== null && done.state.roles.operator.grant === null;
  const ended = ends ? new Set([...next.ended, device]) : next.ended;
  return { run: { ...next, devices, ended }, done, changes: next.changes.length - run.changes.length };
}

export function refusalOf(r: Refusal): Reply {
  const scopes = r.scopes === undefined ? {} : { scopes: r.scopes };
  const outcome = r.outcome === undefined ? {} : { outcome: r.outcome };
  return refused(r.code, { ...scopes, ...outcome }, r.request?.id ?? r.rejection ?? null);
}

export function outcomeOf(run: Run, id: RequestId): Outcome | null {
  return run.outcomes.get(id) ?? null;
}

/** Whose row has this id. */
export function listing(run: Run, id: RequestId): DeviceId | null {
  for (const { device, roles } of run.devices.values()) {
    for (const r of Object.values(roles)) if (r.request?.id === id || r.rejection?.id === id) return device;
  }
  return null;
}

export function labelFrom(address: string): Label {
  return {
    name: null,
    platform: 'linux',
    family: null,
    clientId: 'cli',
    clientMode: 'cli',
    version: '1',
    remote: address,
  };
}

export function roleIn(principal: Principal, role: unknown): Role {
  if (role === 'operator' || role === 'node') return role;
  return principal.kind === 'device' ? principal.role : 'operator';
}

export const setOf = (scopes: unknown): readonly Scope[] => scopeSet(scopes as readonly Scope[]);
