import { ADMIN, APPROVALS, PAIRING, READ, type Scope, scopeSet } from '../../src/core/authz/scope.ts';
import {
  type Bring,
  connect,
  crash,
  type Decision,
  decide,
  endCode,
  evict,
  FULL,
  look,
  makeCode,
  type Name,
  passTime,
  type Step,
  setSecret,
  tick,
  upgrade,
  type Who,
} from './action.ts';
import type { Core } from './core.ts';
import type { Setup } from './system.ts';
import { initial, START } from './world.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Every subset, the empty one first. */
export function subsets(scopes: readonly Scope[]): readonly (readonly Scope[])[] {
  const [first, ...rest] = scopes;
  if (first === undefined) return [[]];
  return subsets(rest).flatMap((set) => [set, scopeSet([first, ...set])]);
}

export const plain = (asks: readonly (readonly Scope[] | null)[]): readonly Bring[] => asks.map((asked) => ({ asked }));

/** Decisions about one device by one principal. */
export function decisions(core: Core, who: Who, device: number, list: readonly Decision[]): readonly Step[] {
  return list.map((d) => decide(core, who, device, d));
}

export const approve = (by: Name, scopes: readonly Scope[] | null = null, until: number | null = null): Decision => ({
  kind: 'approve',
  by,
  scopes,
  until,
});
export const reject = (by: Name = 'request'): Decision => ({ kind: 'reject', by });
export const narrow = (scopes: readonly Scope[]): Decision => ({ kind: 'narrow', role: 'operator', scopes });
export const rotate = (scopes: readonly Scope[] | null = null): Decision => ({
  kind: 'rotate',
  role: 'operator',
  scopes,
});
export const revoke: Decision = { kind: 'revoke', role: 'operator' };
export const remove: Decision = { kind: 'remove' };
export const ensure = (scopes: readonly Scope[], until: number | null = null): Decision => ({
  kind: 'ensure',
  role: 'operator',
  scopes: scopes.map((scope) => ({ scope, until })),
});

/** One device, three scopes of which two are incomparable; its client's cache, lost replies, crashes. */
export function oneDevice(core: Core): Setup {
  const scopes = [READ, PAIRING, ADMIN];
  const sets = subsets(scopes);
  const both = scopeSet([READ, PAIRING]);
  const few = [[], [READ], both, [ADMIN]];
  return {
    name: 'W1 one device',
    initial: initial(1, [ADMIN]),
    brings: plain([null, ...sets]),
    actions: [
      ...[null, [], both].map((asked) => connect(core, 0, { asked })),
      connect(core, 0, { asked: [READ], waits: true }),
      ...[[READ], [PAIRING], [ADMIN], scopes].map((asked) => connect(core, 0, { asked }, 'lost')),
      connect(core, 0, { asked: null, origin: 'foreign' }),
      connect(core, 0, { asked: [ADMIN], origin: 'allowed' }, 'lost'),
      ...[[READ], [ADMIN]].map((set) => upgrade(core, 0, set)),
      ...decisions(core, 'owner', 0, [
        ...[null, [], [READ], both].map((set) => approve('request', set)),
        ...[null, [READ]].map((set) => approve('rejection', set)),
        approve('screen'),
        reject('request'),
        reject('rejection'),
        reject('screen'),
        ...[[], [PAIRING], both].map((set) => narrow(set)),
        rotate(),
        rotate([READ]),
        revoke,
        remove,
        ...few.map((set) => ensure(set)),
      ]),
      ...decisions(core, 0, 0, [
        approve('request'),
        reject('request'),
        narrow([READ]),
        rotate(),
        revoke,
        remove,
        ensure([ADMIN]),
      ]),
      decide(core, 'owner', 0, approve('request'), 'crash'),
      decide(core, 'owner', 0, revoke, 'crash'),
      decide(core, 0, 0, rotate(), 'lost'),
      look(0),
      evict(core, 0),
      crash,
    ],
  };
}

/** The shared secret: right, wrong, at and off its door; its grant changes; its sessions decide. */
export function secretWorld(core: Core): Setup {
  const all = scopeSet([READ, PAIRING, APPROVALS]);
  const right = { secret: 'right', direct: true } as const;
  return {
    name: 'W2 secret',
    initial: initial(1, all),
    brings: [...plain([[READ], all]), ...[null, [READ]].map((asked) => ({ ...right, asked }))],
    actions: [
      ...[null, [READ], all].flatMap((asked) => [
        connect(core, 0, { asked }, asked === all ? 'lost' : 'told'),
        connect(core, 0, { asked, ...right }, 'lost'),
      ]),
      connect(core, 0, { asked: [READ], secret: 'right', direct: false }, 'lost'),
      connect(core, 0, { asked: [READ], secret: 'wrong', direct: true }, 'lost'),
      connect(core, 0, { asked: all, askMode: 'secret' }, 'lost'),
      connect(core, 0, { asked: all, askMode: 'secret', secret: 'right', waits: true }),
      connect(core, 0, { asked: all, askMode: 'closed', secret: 'right' }, 'lost'),
      connect(core, 0, { asked: all, askMode: 'closed', ...right }, 'lost'),
      connect(core, 0, { asked: all, room: FULL, secret: 'right' }, 'lost'),
      connect(core, 0, { asked: all, room: FULL, ...right }, 'lost'),
      connect(core, 0, { asked: all, origin: 'foreign', ...right }),
      ...decisions(core, 'secret', 0, [
        approve('request'),
        approve('request', [READ]),
        approve('rejection'),
        reject(),
        narrow([READ]),
        remove,
      ]),
      ...decisions(core, 'owner', 0, [
        approve('request'),
        approve('request', []),
        reject(),
        narrow([PAIRING]),
        revoke,
        ensure([READ]),
      ]),
      ...decisions(core, 0, 0, [narrow([]), approve('request')]),
      upgrade(core, 0, all),
      setSecret([READ]),
      setSecret([ADMIN]),
      evict(core, 0),
    ],
  };
}

/** A light second device connects only while it has a grant: what it would ask is for other worlds. */
export function decider(core: Core, asked: readonly Scope[] | null): Step {
  const action = connect(core, 1, { asked }, 'bare');
  return { ...action, run: (w) => (w.devices[1]?.roles.operator.grant ? action.run(w) : null) };
}

/** Time boxes: few instants, ends between them, and a second device that holds what it gives for a while only. */
export function timeWorld(core: Core): Setup {
  const soon = START + 30_000;
  const later = START + 20 * MINUTE;
  return {
    name: 'W3 time boxes',
    initial: initial(2, [ADMIN]),
    isTimed: true,
    brings: plain([null, [READ], [ADMIN]]),
    actions: [
      connect(core, 0, { asked: [READ], waits: true }, 'bare'),
      connect(core, 0, { asked: [ADMIN] }, 'lost'),
      ...decisions(core, 'owner', 0, [
        approve('request'),
        approve('request', [READ], soon),
        approve('request', null, later),
        approve('rejection', [READ]),
        reject(),
        narrow([READ]),
        ensure([READ], soon),
        ensure([ADMIN], later),
        revoke,
      ]),
      decide(core, 'owner', 1, ensure([ADMIN], later)),
      decide(core, 'owner', 1, ensure(scopeSet([PAIRING, READ]), soon)),
      decider(core, null),
      ...decisions(core, 1, 0, [approve('request'), narrow([READ]), revoke, ensure([READ])]),
      passTime([START + MINUTE, START + 11 * MINUTE, START + 25 * HOUR]),
      tick(core, 0),
    ],
  };
}

/** Who approves is a device: it holds some of what is asked, is narrowed in between, and asked less for its session. */
export function approverWorld(core: Core): Setup {
  const all = scopeSet([READ, PAIRING, APPROVALS]);
  const lower = scopeSet([PAIRING, READ]);
  const asks = [null, [READ], [APPROVALS], all] as const;
  return {
    name: 'W4 approver',
    initial: initial(2, [ADMIN]),
    brings: plain(asks),
    actions: [
      ...asks.slice(1).map((asked) => connect(core, 0, { asked }, 'lost')),
      connect(core, 0, { asked: [READ], waits: true }, 'bare'),
      ...decisions(core, 1, 0, [
        approve('request'),
        approve('request', [READ]),
        approve('screen'),
        approve('rejection'),
        reject(),
        narrow([READ]),
        rotate([READ]),
        revoke,
        remove,
      ]),
      decide(core, 'owner', 0, approve('request')),
      // The light second device: it only pairs, narrows, approves.
      ...[lower, [ADMIN], [READ]].map((set) => decide(core, 'owner', 1, ensure(set))),
      decide(core, 1, 1, narrow([PAIRING])),
      decider(core, null),
      decider(core, lower),
      look(0),
    ],
  };
}

/** Setup codes, made by the owner, the secret, and a device that loses its grant; used before and after a no. */
export function codeWorld(core: Core): Setup {
  const both = scopeSet([READ, PAIRING]);
  const asks = [null, [READ], both] as const;
  return {
    name: 'W5 code',
    initial: initial(2, both),
    brings: plain(asks),
    actions: [
      ...asks.slice(1).map((asked) => connect(core, 0, { asked }, 'lost')),
      connect(core, 0, { asked: null, code: 0 }, 'lost'),
      connect(core, 0, { asked: [ADMIN], code: 0 }, 'lost'),
      connect(core, 0, { asked: [READ], code: 0, secret: 'right', direct: true }, 'lost'),
      connect(core, 0, { asked: null, code: 0, secret: 'wrong' }, 'lost'),
      connect(core, 0, { asked: null, code: 0, origin: 'foreign' }),
      makeCode(core, 'owner', [READ], 1),
      makeCode(core, 'secret', both, 1),
      makeCode(core, 1, [READ], 1),
      makeCode(core, 1, [APPROVALS], 1),
      ...decisions(core, 'owner', 0, [approve('request', []), reject(), narrow([]), ensure([]), revoke]),
      decide(core, 'owner', 1, ensure(both)),
      decide(core, 1, 1, narrow([READ])),
      decide(core, 'owner', 1, revoke),
      decider(core, null),
      endCode,
    ],
  };
}

/** Two roles of one key: nothing crosses, and only an admin decides for the node. */
export function roleWorld(core: Core): Setup {
  const commands = ['camera.snap', 'system.run'];
  const node = { role: 'node' } as const;
  const right = { secret: 'right', direct: true } as const;
  return {
    name: 'W6 roles',
    initial: initial(2, [ADMIN]),
    brings: plain([null, [READ]]),
    actions: [
      connect(core, 0, { asked: [READ] }, 'lost'),
      connect(core, 0, { asked: [READ], ...right }, 'lost'),
      connect(core, 0, { asked: commands, ...node }, 'lost'),
      connect(core, 0, { asked: commands, ...node, ...right }, 'lost'),
      connect(core, 0, { asked: null, ...node, code: 0 }, 'lost'),
      connect(core, 0, { asked: null, code: 0 }, 'lost'),
      ...(['owner', 1] as const).flatMap((who) =>
        decisions(core, who, 0, [
          approve('request'),
          { ...approve('request'), ...node },
          { ...approve('request', ['system.run']), ...node },
          { ...reject(), ...node },
          { ...revoke, ...node },
          revoke,
          remove,
        ]),
      ),
      decide(core, 1, 0, { ...narrow(['camera.snap']), ...node }),
      decide(core, 'owner', 0, { kind: 'ensure', ...node, scopes: [{ scope: 'camera.snap', until: null }] }),
      decide(core, 'owner', 1, ensure([PAIRING, READ])),
      decide(core, 'owner', 1, ensure([ADMIN])),
      decider(core, null),
      makeCode(core, 1, commands, 1, 'node'),
      evict(core, 0, 'node'),
    ],
  };
}

export const FAST = [oneDevice, secretWorld, timeWorld, approverWorld, codeWorld, roleWorld] as const;
