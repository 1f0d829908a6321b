import { type Instant, isLive } from '../base/instant.ts';
import { CODE_MS, REJECTION_MS, UPGRADE_MS } from './decide.ts';
import type { DeviceId } from './principal.ts';
import { beyond, isKnown, ROLES, type Role, type Scope, scopeSet } from './scope.ts';
import type { CodeState, DeviceState, Grant, RoleState } from './state.ts';

/** Something in stored state that no sequence of commands can have left there. */
export interface Finding {
  /** The clause of README.md that it breaks. */
  readonly code: `A${number}` | `A${number}.${number}`;
  readonly device: DeviceId | null;
  readonly role: Role | null;
  readonly text: string;
}

type Report = (code: Finding['code'], text: string) => void;

/**
 * What holds of one aggregate at all times, whatever came before. The model asks it of every state that it reaches,
 * the doctor of every row of a real store. `at` is now; `seq` the last order number given out.
 */
export function findings(state: DeviceState, at: Instant, seq: number): readonly Finding[] {
  const found: Finding[] = [];
  for (const role of ROLES) {
    const report: Report = (code, text) => found.push({ code, device: state.device, role, text });
    const r = state.roles[role];
    if (r.grant !== null) inGrant(report, role, r.grant);
    inAsks(report, role, r, at);
    inMarks(report, r, seq);
  }
  if (new Set(listedIds(state)).size !== listedIds(state).length)
    found.push({ code: 'A5.3', device: state.device, role: null, text: 'two open matters share one id' });
  return found;
}

/** What holds of a setup code. */
export function codeFindings(code: CodeState, seq: number): readonly Finding[] {
  const found: Finding[] = [];
  const report: Report = (id, text) => found.push({ code: id, device: code.usedBy, role: code.role, text });
  inScopes(report, code.role, code.scopes, 'a setup code');
  if (code.expiresAt - code.madeAt > CODE_MS) report('A14.1', 'a setup code lives longer than 10 minutes');
  if (code.made > seq) report('A14.5', 'a setup code was made by an order number not given out yet');
  return found;
}

function listedIds(state: DeviceState): readonly string[] {
  return ROLES.flatMap((role) => {
    const { request, rejection } = state.roles[role];
    return [request, rejection].flatMap((listed) => listed?.id ?? []);
  });
}

function isSorted(names: readonly Scope[]): boolean {
  const set = scopeSet(names);
  return set.length === names.length && set.every((s, i) => s === names[i]);
}

function inScopes(report: Report, role: Role, names: readonly Scope[], where: string): void {
  if (!isSorted(names)) report('A1.4', `the scopes of ${where} are not a sorted set: ${names.join(' ')}`);
  const unknown = names.filter((name) => !isKnown(role, name));
  if (unknown.length > 0) report('A1.5', `${where} has unknown scopes: ${unknown.join(' ')}`);
}

function inGrant(report: Report, role: Role, grant: Grant): void {
  inScopes(
    report,
    role,
    grant.entries.map((e) => e.scope),
    'the grant',
  );
  for (const e of grant.entries) {
    if (e.until !== null && !Number.isFinite(e.until)) report('A20.1', `${e.scope} ends at no instant`);
  }
}

function inAsks(report: Report, role: Role, r: RoleState, at: Instant): void {
  const { grant, request, rejection } = r;
  if (request !== null) {
    inScopes(report, role, request.scopes, 'the request');
    const have = (grant?.entries ?? []).filter((e) => isLive(e.until, at)).map((e) => e.scope);
    if (grant !== null && beyond(request.scopes, have).length === 0)
      report('A5.4', 'the grant holds all that the request asks');
    if (request.expiresAt - request.openedAt > UPGRADE_MS || request.expiresAt <= request.openedAt)
      report('A15.5', 'the request has no sane end');
  }
  if (rejection !== null) {
    inScopes(report, role, rejection.scopes, 'the rejection');
    if (rejection.until - rejection.at > REJECTION_MS || rejection.until <= rejection.at)
      report('A5.6', 'the rejection has no sane end');
    if (r.decided === null) report('A5.6', 'a rejection is listed of which no mark is kept');
  }
}

function inMarks(report: Report, r: RoleState, seq: number): void {
  if (r.gone !== null && r.grant !== null) report('A9.3', 'the role is marked gone and has a grant');
  if (r.gone !== null && (r.decided ?? -1) < r.gone) report('A9.3', 'the role is gone, but no no was marked since');
  if (r.gone !== null && r.epoch === 0) report('A10.2', 'the role is gone, but its epoch was never raised');
  if (Math.max(r.decided ?? 0, r.gone ?? 0) > seq) report('A9.3', 'a mark has an order number not given out yet');
  if (!Number.isSafeInteger(r.epoch) || r.epoch < 0) report('A10.2', 'the epoch is no count');
}
