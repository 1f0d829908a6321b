import type { Command, Decider, Effect, Step } from '../../src/core/authz/command.ts';
import type { CodeId, DeviceId, RequestId } from '../../src/core/authz/principal.ts';
import { ROLES, type Scope } from '../../src/core/authz/scope.ts';
import { blankDevice, type CodeState, type DeviceState } from '../../src/core/authz/state.ts';
import type { Core } from './core.ts';
import type { Edge } from './explore.ts';

/** What is outside the core, as far as access can depend on it: clients, sockets, the screen of who decides. */
export interface World {
  readonly at: number;
  /** Of the last command that changed something. Only its order matters. */
  readonly seq: number;
  readonly devices: readonly DeviceState[];
  readonly clients: readonly Client[];
  readonly codes: readonly CodeState[];
  /** A13: the shared secret's grant. */
  readonly secret: readonly Scope[];
  /** What somebody who decides last saw on a screen. */
  readonly screen: Screen | null;
  /** By the model's own book: the order number of a person's last no to each device. */
  readonly no: readonly (number | null)[];
  /** A decision that was judged and is not yet committed. */
  readonly pending: Pending | null;
}

export interface Client {
  /** What its live session asked for; `undefined`: it has none. */
  readonly session: readonly Scope[] | null | undefined;
  /** The epoch of the token in its cache. */
  readonly cached: number | null;
  /** By the model's own book: no rotation, revocation or removal came after the hello that cached it. */
  readonly isValid: boolean;
  readonly waits: { readonly id: RequestId; readonly asked: readonly Scope[] | null } | null;
}

export interface Screen {
  readonly id: RequestId;
  readonly scopes: readonly Scope[];
}

export interface Pending {
  readonly name: string;
  /** Which device's session decides, and what it held when that was looked up. */
  readonly by: number;
  readonly decider: Decider;
  readonly id: RequestId | undefined;
  /** What it was judged by has not changed since. */
  readonly isFresh: boolean;
}

/** A transition, with what is needed to judge it. `command` is null where only the world around the core moved. */
export interface Made extends Edge<World> {
  readonly device: number;
  readonly command: Command | null;
  readonly result: Step | null;
}

/**
 * Where the answer to a command gets to. `lost`: nobody. `crash`: the gateway dies between commit and effect. `bare`: a
 * client that keeps no token, for worlds that are about something else.
 */
export type Fate = 'told' | 'lost' | 'crash' | 'bare';

export const START = 1_000_000;
const NO_CLIENT: Client = { session: undefined, cached: null, isValid: false, waits: null };

export function idOf(index: number): DeviceId {
  return `device${index}` as DeviceId;
}

export function initial(devices: number, secret: readonly Scope[]): World {
  const indexes = Array.from({ length: devices }, (_, i) => i);
  return {
    at: START,
    seq: 0,
    devices: indexes.map((i) => blankDevice(idOf(i), `key${i}`)),
    clients: indexes.map(() => NO_CLIENT),
    codes: [],
    secret,
    screen: null,
    no: indexes.map(() => null),
    pending: null,
  };
}

function replace<T>(list: readonly T[], index: number, value: T): readonly T[] {
  return list[index] === value ? list : list.map((x, i) => (i === index ? value : x));
}

/** One command on one device, and all that follows from it. `result`: what it did, where that is known already. */
export function apply(
  core: Core,
  w: World,
  device: number,
  command: Command,
  fate: Fate = 'told',
  result: Step = core.step(w.devices[device] as DeviceState, command),
): Made {
  const before = w.devices[device] as DeviceState;
  const made = { device, command, result };
  const isStill = result.state === before && result.effects.length === 0;
  const client = afterwards(w.clients[device] as Client, command, result, fate);
  if (isStill && client === w.clients[device] && fate !== 'crash') return { ...made, to: w };
  let to: World = {
    ...w,
    devices: replace(w.devices, device, result.state),
    clients: replace(w.clients, device, client),
    no: isNo(command, result) ? replace(w.no, device, command.seq) : w.no,
    seq: result.state === before ? w.seq : command.seq,
  };
  for (const effect of result.effects) to = carry(core, to, effect, fate);
  if (fate === 'crash') to = crashed(to);
  return { ...made, to: isSame(w, to) ? w : to };
}

function isSame(a: World, b: World): boolean {
  return a.devices === b.devices && a.clients === b.clients && a.codes === b.codes && a.no === b.no;
}

/** Every socket is gone; nothing stored is. */
export function crashed(w: World): World {
  if (w.clients.every((c) => c.session === undefined && c.waits === null)) return w;
  return { ...w, clients: w.clients.map((c) => ({ ...c, session: undefined, waits: null })) };
}

/** Whether a person said no with this, read off what it did. */
function isNo(command: Command, result: Step): boolean {
  if (result.reply.kind !== 'done' || !result.reply.changed) return false;
  switch (command.kind) {
    case 'reject':
    case 'narrow':
    case 'ensure':
    case 'revoke':
    case 'remove':
      return true;
    case 'rotate':
      return result.effects.some((e) => e.kind === 'store.change' && e.change.what === 'narrow');
    case 'approve':
      return ROLES.some((role) => result.state.roles[role].rejection?.id === command.fresh);
    default:
      return false;
  }
}

/** The client of the device that a command is about, once the answer is there. */
function afterwards(client: Client, command: Command, { state, reply }: Step, fate: Fate): Client {
  if (command.kind === 'connect') {
    if (fate === 'lost' || fate === 'crash') return client;
    if (reply.kind === 'waiting') {
      return client.waits?.id === reply.request.id &&
        client.waits.asked === command.asked &&
        client.session === undefined
        ? client
        : { ...client, session: undefined, waits: { id: reply.request.id, asked: command.asked } };
    }
    if (reply.kind !== 'connected') return client;
    if (fate === 'bare')
      return client.session === command.asked ? client : { ...client, session: command.asked, waits: null };
    const { epoch } = state.roles[command.role];
    return client.session === command.asked && client.cached === epoch && client.isValid && client.waits === null
      ? client
      : { session: command.asked, cached: epoch, isValid: true, waits: null };
  }
  if (reply.kind !== 'done' || !reply.changed) return client;
  if (command.kind === 'revoke' || command.kind === 'remove') return { ...client, isValid: false };
  if (command.kind !== 'rotate') return client;
  // A10: the new value goes to the device itself only.
  const principal = command.decider.principal;
  const isOwn = principal.kind === 'device' && principal.device === state.device && fate === 'told';
  return isOwn ? { ...client, cached: state.roles[command.role].epoch, isValid: true } : { ...client, isValid: false };
}

function carry(core: Core, w: World, effect: Effect, fate: Fate): World {
  switch (effect.kind) {
    case 'store.change':
    case 'tell.request.opened':
      return w;
    case 'store.code.used': {
      const codes = w.codes.map((c) => (c.id === effect.code ? { ...c, usedBy: effect.device } : c));
      return { ...w, codes };
    }
    case 'store.codes.ended': {
      const ends = (c: CodeState) => c.maker.kind === 'device' && c.maker.device === effect.maker && c.usedBy === null;
      return w.codes.some((c) => ends(c) && !c.ended)
        ? { ...w, codes: w.codes.map((c) => (ends(c) ? { ...c, ended: true } : c)) }
        : w;
    }
    case 'store.evict': {
      const index = w.devices.findIndex((d) => d.device === effect.device);
      if (index < 0) return w;
      const evict: Command = {
        kind: 'evict',
        at: w.at,
        seq: w.seq,
        fresh: freshId(w),
        role: effect.role,
        id: effect.id,
      };
      return apply(core, w, index, evict, fate).to;
    }
    case 'tell.request.closed': {
      const index = w.devices.findIndex((d) => d.device === effect.device);
      const client = w.clients[index];
      if (client === undefined || client.waits?.id !== effect.request.id || fate === 'crash') return w;
      // A8: a waiting socket is answered however the request ends, and goes on to hello-ok once approved.
      const isIn = effect.outcome === 'approved';
      const session = isIn ? client.waits.asked : undefined;
      const epoch = w.devices[index]?.roles.operator.epoch ?? null;
      const hello = isIn ? { session, cached: epoch, isValid: true } : { session };
      return { ...w, clients: replace(w.clients, index, { ...client, ...hello, waits: null }) };
    }
    case 'tell.grant': {
      const index = w.devices.findIndex((d) => d.device === effect.device);
      const client = w.clients[index];
      if (client === undefined || fate === 'crash') return w;
      // A9: sessions of a grant that is gone are closed before the command's reply.
      if (w.devices[index]?.roles[effect.role].grant !== null || client.session === undefined) return w;
      return { ...w, clients: replace(w.clients, index, { ...client, session: undefined }) };
    }
  }
}

export function freshId(w: World): RequestId {
  return `r${w.seq + 1}` as RequestId;
}

/** Adds a code that was made, unless as many as a world has room for are there. */
export function withCode(w: World, code: CodeState, room: number): World | null {
  const dead = w.codes.findIndex((c) => c.usedBy !== null || c.ended || c.expiresAt <= w.at);
  if (w.codes.length < room) return { ...w, seq: code.made, codes: [...w.codes, code] };
  return dead < 0 ? null : { ...w, seq: code.made, codes: replace(w.codes, dead, code) };
}

export function codeId(index: number): CodeId {
  return `code${index}` as CodeId;
}
