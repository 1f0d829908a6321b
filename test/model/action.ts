import type { Command, Connect, Step as CoreStep, Decider, Room } from '../../src/core/authz/command.ts';
import type { Principal, RequestId } from '../../src/core/authz/principal.ts';
import type { Held, Role, Scope } from '../../src/core/authz/scope.ts';
import type { CodeState, DeviceState, Label } from '../../src/core/authz/state.ts';
import type { Core } from './core.ts';
import type { Action } from './explore.ts';
import { letters } from './key.ts';
import {
  apply,
  type Client,
  codeId,
  crashed,
  type Fate,
  freshId,
  type Made,
  type Screen,
  type World,
  withCode,
} from './world.ts';

export type Step = Action<World, Made>;

export const LABEL: Label = {
  name: null,
  platform: null,
  family: null,
  clientId: 'cli',
  clientMode: 'cli',
  version: '1',
  remote: '127.0.0.1',
};

export const ROOMY: Room = { fromSource: 0, total: 0, recent: 0, oldest: null, freeAt: 0 };
export const FULL: Room = { fromSource: 3, total: 3, recent: 0, oldest: null, freeAt: 0 };

/** Who decides: the owner, the shared secret, or the live session of a device. */
export type Who = 'owner' | 'secret' | number;

export function principalOf(w: World, who: Who): Principal | null {
  if (who === 'owner') return { kind: 'owner' };
  if (who === 'secret') return { kind: 'secret', asked: null };
  const session = (w.clients[who] as Client).session;
  if (session === undefined) return null;
  return { kind: 'device', device: (w.devices[who] as DeviceState).device, role: 'operator', asked: session };
}

export function deciderOf(core: Core, w: World, who: Who, kind: Command['kind']): Decider | null {
  const principal = principalOf(w, who);
  if (principal === null) return null;
  const self = typeof who === 'number' ? (w.devices[who] as DeviceState) : null;
  return core.decide.deciderOf(kind, principal, { self, secretScopes: w.secret }, w.at);
}

const short = (scopes: readonly Scope[] | null): string =>
  scopes === null ? 'all' : `{${scopes.map((s) => s.replace('operator.', '')).join(' ')}}`;

export type Bring = Partial<Pick<Connect, 'secret' | 'direct' | 'askMode' | 'room' | 'waits' | 'origin' | 'role'>> & {
  readonly asked: readonly Scope[] | null;
  /** The place of the code in the world. */
  readonly code?: number;
};

/** The command of a connect, as the world around it makes it. */
export function connectCommand(core: Core, w: World, bring: Bring): Connect {
  const code = bring.code === undefined ? undefined : w.codes[bring.code];
  return {
    kind: 'connect',
    at: w.at,
    seq: w.seq + 1,
    fresh: freshId(w),
    role: bring.role ?? 'operator',
    asked: bring.asked,
    origin: bring.origin ?? 'none',
    secret: bring.secret ?? 'none',
    direct: bring.direct ?? false,
    secretScopes: w.secret,
    code: code === undefined ? null : { state: code, maker: makerHolds(core, w, code) },
    waits: bring.waits ?? false,
    askMode: bring.askMode ?? 'open',
    room: bring.room ?? ROOMY,
    source: 'loopback',
    label: LABEL,
    comparison: null,
  };
}

/** A14: what a code's maker holds now. */
export function makerHolds(core: Core, w: World, code: CodeState): readonly Held[] {
  const { maker } = code;
  const self = maker.kind === 'device' ? (w.devices.find((d) => d.device === maker.device) ?? null) : null;
  const facts = { self, secretScopes: w.secret };
  if (maker.kind === 'owner') return core.decide.heldBy({ kind: 'owner' }, facts, w.at);
  if (maker.kind === 'secret') return core.decide.heldBy({ kind: 'secret', asked: null }, facts, w.at);
  if (maker.kind !== 'device') return [];
  return core.decide.heldBy({ kind: 'device', device: maker.device, role: 'operator', asked: null }, facts, w.at);
}

const words = (bring: Bring): string =>
  Object.entries(bring)
    .map(([name, value]) => (name === 'asked' ? short(value as readonly Scope[] | null) : `${name}=${value}`))
    .join(' ');

interface Known {
  readonly command: Command;
  readonly result: CoreStep;
}

/**
 * What a command did, remembered by all that it depends on: worlds that differ only in what is round the device share
 * it, and it is judged once. Devices and codes are told apart by their revisions (see `normal`).
 */
function remembered(
  core: Core,
  device: number,
  depends: (w: World) => string | null,
  make: (w: World) => Command | null,
): (w: World, fate: Fate) => Made | null {
  const known = new Map<string, Known | null>();
  return (w, fate) => {
    const more = depends(w);
    if (more === null) return null;
    const before = w.devices[device] as DeviceState;
    const key = `${before.revision} ${w.seq} ${w.at} ${letters(w.secret)} ${more}`;
    let past = known.get(key);
    if (past === undefined) {
      const command = make(w);
      past = command === null ? null : { command, result: core.step(before, command) };
      known.set(key, past);
    }
    return past === null ? null : apply(core, w, device, past.command, fate, past.result);
  };
}

export function connect(core: Core, device: number, bring: Bring, fate: Fate = 'told'): Step {
  const dependsOn = (w: World): string | null => {
    if (bring.code === undefined) return '';
    const code = w.codes[bring.code];
    if (code === undefined) return null;
    const { maker } = code;
    const by = maker.kind === 'device' ? w.devices.find((d) => d.device === maker.device)?.revision : '';
    return `${code.revision} ${by}`;
  };
  const go = remembered(core, device, dependsOn, (w) => connectCommand(core, w, bring));
  return {
    name: `device${device} connects ${words(bring)}${fate === 'told' ? '' : ` (${fate})`}`,
    run: (w) => go(w, fate),
  };
}

export function upgrade(core: Core, device: number, scopes: readonly Scope[]): Step {
  const isIn = (w: World) => ((w.clients[device] as Client).session === undefined ? null : '');
  const go = remembered(core, device, isIn, (w) => ({
    kind: 'upgrade',
    at: w.at,
    seq: w.seq + 1,
    fresh: freshId(w),
    role: 'operator',
    scopes,
    source: 'loopback',
    label: LABEL,
  }));
  return { name: `device${device} asks by requestUpgrade ${short(scopes)}`, run: (w) => go(w, 'told') };
}

/** Which id a decision names. `screen`: what was looked at some time ago. */
export type Name = 'request' | 'rejection' | 'screen';

function idBy(w: World, device: number, name: Name, role: Role): RequestId | undefined {
  const r = (w.devices[device] as DeviceState).roles[role];
  return name === 'screen' ? w.screen?.id : r[name]?.id;
}

type Without<T> = T extends unknown ? Omit<T, 'at' | 'seq' | 'fresh' | 'decider' | 'id' | 'past'> : never;
export type Decision = Without<Extract<Command, { readonly decider: Decider }>> & {
  readonly role?: Role;
  /** How an approval or rejection names its id. */
  readonly by?: Name;
};

/** The command of a decision, as it is made now. */
export function freshCommand(w: World, decider: Decider, d: Decision, id: RequestId | undefined): Command {
  const { by: _by, ...rest } = d;
  const names = d.kind === 'approve' || d.kind === 'reject' ? { id, past: 'superseded' } : {};
  return { ...rest, ...names, at: w.at, seq: w.seq + 1, fresh: freshId(w), decider } as Command;
}

export function decide(core: Core, who: Who, device: number, d: Decision, fate: Fate = 'told'): Step {
  const { by } = d;
  const what = [
    by,
    'scopes' in d && d.scopes !== null ? shortAny(d.scopes) : '',
    'until' in d && d.until !== null ? `until ${d.until}` : '',
  ];
  const dependsOn = (w: World): string | null => {
    const screen = by === 'screen' ? (w.screen?.id ?? null) : '';
    if (screen === null || typeof who !== 'number') return screen;
    const session = w.clients[who]?.session;
    return session === undefined ? null : `${screen} ${w.devices[who]?.revision} ${letters(session)}`;
  };
  const go = remembered(core, device, dependsOn, (w) => {
    const decider = deciderOf(core, w, who, d.kind);
    if (decider === null) return null;
    const names = d.kind === 'approve' || d.kind === 'reject';
    const id = names ? idBy(w, device, by ?? 'request', d.role ?? 'operator') : undefined;
    return names && id === undefined ? null : freshCommand(w, decider, d, id);
  });
  return {
    name: `${typeof who === 'number' ? `device${who}'s session` : who} ${d.kind}s device${device} ${d.role === 'node' ? 'node ' : ''}${what.filter(Boolean).join(' ')}${fate === 'told' ? '' : ` (${fate})`}`,
    run: (w) => go(w, fate),
  };
}

function shortAny(scopes: readonly (Scope | Held)[]): string {
  return short(scopes.map((s) => (typeof s === 'string' ? s : `${s.scope}${s.until === null ? '' : `<${s.until}`}`)));
}

/** Whoever decides looks at the list: what it names afterwards is what stood there. */
export function look(device: number, name: 'request' | 'rejection' = 'request'): Step {
  return {
    name: `somebody looks at device${device}'s ${name}`,
    run: (w) => {
      const listed = (w.devices[device] as DeviceState).roles.operator[name];
      if (listed === null || (w.screen?.id === listed.id && w.screen.scopes === listed.scopes)) return null;
      const screen: Screen = { id: listed.id, scopes: listed.scopes };
      return around({ ...w, screen });
    },
  };
}

export function around(to: World): Made {
  return { to, device: 0, command: null, result: null };
}

export const crash: Step = { name: 'the gateway dies and comes back', run: (w) => around(crashed(w)) };

export function leave(device: number): Step {
  return {
    name: `device${device} hangs up`,
    run: (w) => {
      const client = w.clients[device] as Client;
      if (client.session === undefined && client.waits === null) return null;
      const clients = w.clients.map((c, i) => (i === device ? { ...c, session: undefined, waits: null } : c));
      return around({ ...w, clients });
    },
  };
}

export function setSecret(scopes: readonly Scope[]): Step {
  return {
    name: `the secret's grant becomes ${short(scopes)}`,
    run: (w) => (w.secret === scopes ? null : around({ ...w, secret: scopes })),
  };
}

/** Time goes on to the next of a few instants; `tick` writes what it ended, or a command does. */
export function passTime(instants: readonly number[]): Step {
  return {
    name: 'time passes',
    run: (w) => {
      const at = instants.find((t) => t > w.at);
      return at === undefined ? null : around({ ...w, at });
    },
  };
}

export function tick(core: Core, device: number): Step {
  return {
    name: `the ticker writes device${device}`,
    run: (w) => apply(core, w, device, { kind: 'tick', at: w.at, seq: w.seq + 1, fresh: freshId(w) }),
  };
}

export function evict(core: Core, device: number, role: Role = 'operator'): Step {
  return {
    name: `another key's ask ends device${device}'s ${role} request`,
    run: (w) => {
      const id = idBy(w, device, 'request', role);
      if (id === undefined) return null;
      return apply(core, w, device, { kind: 'evict', at: w.at, seq: w.seq + 1, fresh: freshId(w), role, id });
    },
  };
}

export function makeCode(core: Core, who: Who, scopes: readonly Scope[], room: number, role: Role = 'operator'): Step {
  return {
    name: `${typeof who === 'number' ? `device${who}'s session` : who} makes a code for ${role === 'node' ? 'node ' : ''}${short(scopes)}`,
    run: (w) => {
      const decider = deciderOf(core, w, who, 'approve');
      if (decider === null) return null;
      const made = core.decide.makeCode({ at: w.at, seq: w.seq + 1, decider, id: codeId(w.seq + 1), role, scopes });
      const to = made.ok ? withCode(w, made.value, room) : w;
      return to === null ? null : around(to);
    },
  };
}

/** The ten minutes of the first code are over; nothing else ends by then. */
export const endCode: Step = {
  name: "the code's ten minutes are over",
  run: (w) => {
    const [code] = w.codes;
    if (code === undefined || code.expiresAt <= w.at) return null;
    return around({ ...w, codes: [{ ...code, expiresAt: w.at }, ...w.codes.slice(1)] });
  },
};
