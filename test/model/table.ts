import { deepEqual, equal } from 'node:assert/strict';
import type { Command, Connect, Decider, Effect, Outcome, Reply, Room, Step } from '../../src/core/authz/command.ts';
import type { Facts } from '../../src/core/authz/decide.ts';
import type { CodeId, DeviceId, Principal, RequestId } from '../../src/core/authz/principal.ts';
import type { Held, Role, Scope } from '../../src/core/authz/scope.ts';
import { blankDevice, type CodeState, type DeviceState, type RoleState } from '../../src/core/authz/state.ts';
import { LABEL, ROOMY } from './action.ts';
import type { Core } from './core.ts';

export const OWNER: Principal = { kind: 'owner' };
export const SECRET: Principal = { kind: 'secret', asked: null };

/** `r p a ap w t`: the scopes that transcripts are about, by a letter or two. */
const SHORT: Readonly<Record<string, Scope>> = {
  a: 'operator.admin',
  ap: 'operator.approvals',
  p: 'operator.pairing',
  r: 'operator.read',
  w: 'operator.write',
};

/** `'p r'` → the scopes, sorted; other words stand for themselves. `''`: none. */
export function scopes(text: string): readonly Scope[] {
  const words = text.split(' ').filter(Boolean);
  return words.map((word) => SHORT[word] ?? word).sort();
}

/** `'p r<5'`: read ends at 5 ms after the start. */
export function held(text: string): readonly Held[] {
  return text
    .split(' ')
    .filter(Boolean)
    .map((word) => {
      const [name = '', end] = word.split('<');
      return { scope: SHORT[name] ?? name, until: end === undefined ? null : T0 + Number(end) };
    });
}

const LETTER = new Map(Object.entries(SHORT).map(([letter, scope]) => [scope, letter]));

/** The other way round. */
export function words(list: readonly (Scope | Held)[]): string {
  return list
    .map((s) => (typeof s === 'string' ? { scope: s, until: null } : s))
    .map(({ scope, until }) => `${LETTER.get(scope) ?? scope}${until === null ? '' : `<${until - T0}`}`)
    .join(' ');
}

export const T0 = 1_000_000;

/** One device on a table, with all that is round it played by hand. */
export class Table {
  readonly core: Core;
  state: DeviceState;
  at = T0;
  seq = 0;
  secret: readonly Scope[] = scopes('a');
  effects: readonly Effect[] = [];
  readonly others = new Map<DeviceId, DeviceState>();

  constructor(core: Core, device = 'device0') {
    this.core = core;
    this.state = blankDevice(device as DeviceId, 'key');
  }

  role(role: Role = 'operator'): RoleState {
    return this.state.roles[role];
  }

  common() {
    return { at: this.at, seq: this.seq + 1, fresh: `r${this.seq + 1}` as RequestId };
  }

  /** Does a command, and keeps what it left and did. */
  do(command: Command): Reply {
    const { state, reply, effects } = this.step(command);
    if (state !== this.state) this.seq = command.seq;
    this.state = state;
    this.effects = effects;
    return reply;
  }

  step(command: Command): Step {
    return this.core.step(this.state, command);
  }

  connectCommand(asked: string | null, bring: Partial<Connect> = {}): Connect {
    return {
      ...this.common(),
      kind: 'connect',
      role: 'operator',
      asked: asked === null ? null : scopes(asked),
      origin: 'none',
      secret: 'none',
      direct: false,
      secretScopes: this.secret,
      code: null,
      waits: false,
      askMode: 'open',
      room: ROOMY,
      source: 'loopback',
      label: LABEL,
      comparison: null,
      ...bring,
    };
  }

  /** `'in r p'`, `'waiting'`, or the code of the refusal. */
  connect(asked: string | null, bring: Partial<Connect> = {}): string {
    const reply = this.do(this.connectCommand(asked, bring));
    if (reply.kind === 'connected') return `in ${words(reply.held)}`.trim();
    return reply.kind === 'refused' ? reply.refusal.code : reply.kind;
  }

  upgrade(asked: string, role: Role = 'operator'): string {
    return this.told(
      this.do({ ...this.common(), kind: 'upgrade', role, scopes: scopes(asked), source: 'x', label: LABEL }),
    );
  }

  /** A decider with exactly these scopes: `'p r<5'`. */
  by(text: string, device = 'device9'): Decider {
    const all = held(text);
    const expanded = all.flatMap((h) => this.core.scope.closure([h.scope]).map((scope) => ({ scope, until: h.until })));
    return { principal: { kind: 'device', device: device as DeviceId, role: 'operator', asked: null }, held: expanded };
  }

  /** Who decides `kind`, by the rules of the core. */
  as(principal: Principal, kind: Command['kind'] = 'approve'): Decider {
    const facts: Facts = { self: principal.kind === 'device' ? this.state : null, secretScopes: this.secret };
    return this.core.decide.deciderOf(kind, principal, facts, this.at);
  }

  /** `'done'`, `'same'`, or the code of the refusal. */
  told(reply: Reply): string {
    if (reply.kind === 'done') return reply.changed ? 'done' : 'same';
    return reply.kind === 'refused' ? reply.refusal.code : reply.kind;
  }

  get owner(): Decider {
    return this.as(OWNER);
  }

  approve(
    id: RequestId | undefined,
    give: string | null = null,
    by: Decider = this.owner,
    more: { until?: number; past?: Outcome | null } = {},
  ): string {
    const list = give === null ? null : scopes(give);
    const until = more.until === undefined ? null : T0 + more.until;
    return this.told(
      this.do({
        ...this.common(),
        kind: 'approve',
        decider: by,
        id: id ?? ('?' as RequestId),
        scopes: list,
        until,
        past: more.past ?? null,
      }),
    );
  }

  reject(id: RequestId | undefined, by: Decider = this.owner, past: Outcome | null = null): string {
    return this.told(this.do({ ...this.common(), kind: 'reject', decider: by, id: id ?? ('?' as RequestId), past }));
  }

  narrow(to: string, by: Decider = this.owner, role: Role = 'operator'): string {
    return this.told(this.do({ ...this.common(), kind: 'narrow', decider: by, role, scopes: scopes(to) }));
  }

  rotate(to: string | null = null, by: Decider = this.owner): string {
    const list = to === null ? null : scopes(to);
    return this.told(this.do({ ...this.common(), kind: 'rotate', decider: by, role: 'operator', scopes: list }));
  }

  revoke(by: Decider = this.owner, role: Role = 'operator'): string {
    return this.told(this.do({ ...this.common(), kind: 'revoke', decider: by, role }));
  }

  remove(by: Decider = this.owner): string {
    return this.told(this.do({ ...this.common(), kind: 'remove', decider: by }));
  }

  ensure(to: string, by: Decider = this.owner, role: Role = 'operator'): string {
    return this.told(this.do({ ...this.common(), kind: 'ensure', decider: by, role, scopes: held(to) }));
  }

  rename(name: string | null, by: Decider = this.owner): string {
    return this.told(this.do({ ...this.common(), kind: 'rename', decider: by, name }));
  }

  tick(): string {
    return this.told(this.do({ ...this.common(), kind: 'tick' }));
  }

  code(give: string, by: Decider = this.owner, role: Role = 'operator'): CodeState | string {
    const { at, seq } = this.common();
    const made = this.core.decide.makeCode({
      at,
      seq,
      decider: by,
      id: `code${seq}` as CodeId,
      role,
      scopes: scopes(give),
    });
    if (!made.ok) return made.error.code;
    this.seq = seq;
    return made.value;
  }

  /** What a connect brings with a code whose maker holds that much now. */
  with(code: CodeState | string, maker: readonly Held[] = this.owner.held): Partial<Connect> {
    equal(typeof code, 'object', `no code was made: ${code}`);
    return { code: { state: code as CodeState, maker } };
  }

  grant(role: Role = 'operator'): string {
    const { grant } = this.role(role);
    return grant === null ? 'none' : words(grant.entries);
  }

  asks(role: Role = 'operator'): string {
    const { request } = this.role(role);
    return request === null ? 'none' : words(request.scopes);
  }

  refused(role: Role = 'operator'): string {
    const { rejection } = this.role(role);
    return rejection === null ? 'none' : words(rejection.scopes);
  }

  /** How requests ended by the last command: `'approved'`. */
  outcomes(): string {
    return this.effects.flatMap((e) => (e.kind === 'tell.request.closed' ? [e.outcome] : [])).join(' ');
  }

  /** The kinds of what the last command did. */
  did(): readonly string[] {
    return this.effects.map((e) => (e.kind === 'store.change' ? e.change.what : e.kind));
  }
}

export { deepEqual, equal };
export const FULL_ROOM = (more: Partial<Room>): { room: Room } => ({ room: { ...ROOMY, ...more } });
