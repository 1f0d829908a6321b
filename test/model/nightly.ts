import { ADMIN, APPROVALS, PAIRING, READ, scopeSet, WRITE } from '../../src/core/authz/scope.ts';
import {
  around,
  connect,
  type Decision,
  decide,
  deciderOf,
  endCode,
  freshCommand,
  look,
  makeCode,
  passTime,
  type Step,
  setSecret,
  tick,
  upgrade,
} from './action.ts';
import type { Core } from './core.ts';
import {
  approve,
  decider,
  decisions,
  ensure,
  HOUR,
  MINUTE,
  narrow,
  oneDevice,
  plain,
  reject,
  revoke,
  rotate,
  subsets,
} from './fast.ts';
import type { Setup } from './system.ts';
import { apply, initial, type Made, START, type World } from './world.ts';

/** What a commit compares. The authority compares everything; leaving something out has to be found. */
export interface Judged {
  readonly decider: boolean;
}

/** A decision is judged now and committed later: another's commit may come between (S: compare-and-set). */
function begin(
  core: Core,
  by: number,
  d: Decision & { readonly kind: 'approve' | 'narrow' | 'reject' | 'revoke' },
): Step {
  const name = `${d.kind}${'by' in d ? d.by : ''}`;
  return {
    name: `device${by} begins to ${name}`,
    run: (w) => {
      if (w.pending !== null) return null;
      const decider = deciderOf(core, w, by, d.kind);
      const id = w.devices[0]?.roles.operator.request?.id;
      if (decider === null || ((d.kind === 'approve' || d.kind === 'reject') && id === undefined)) return null;
      return around({ ...w, pending: { name, by, decider, id, isFresh: true } });
    },
  };
}

function commit(
  core: Core,
  d: Decision & { readonly kind: 'approve' | 'narrow' | 'reject' | 'revoke' },
  judged: Judged,
): Step {
  const name = `${d.kind}${'by' in d ? d.by : ''}`;
  return {
    name: `the ${name} is committed`,
    run: (w) => {
      const { pending } = w;
      if (pending?.name !== name) return null;
      const free = { ...w, pending: null };
      // Somebody else changed what it was judged by: it is judged again, or given up.
      if (judged.decider && !pending.isFresh) return around(free);
      const command = freshCommand(free, pending.decider, d, pending.id);
      return apply(core, free, 0, command, 'bare');
    },
  };
}

/** Whatever is done meanwhile makes a judgement stale when it touches what that was judged by. */
function racing(action: Step): Step {
  return {
    name: action.name,
    run: (w) => {
      const made = action.run(w);
      const pending = made?.to.pending;
      if (!made || !pending || made.to === w || w.pending === null) return made;
      if (made.to.devices[pending.by] === w.devices[pending.by]) return made;
      const to: World = { ...made.to, pending: { ...pending, isFresh: false } };
      return { ...made, to } satisfies Made;
    },
  };
}

export function raceWorld(core: Core, judged: Judged = { decider: true }): Setup {
  const lower = scopeSet([PAIRING, READ]);
  const raced = [approve('request'), reject(), narrow([READ]), revoke] as const;
  const others: Step[] = [
    ...[[READ], [APPROVALS], scopeSet([READ, APPROVALS])].map((asked) => connect(core, 0, { asked }, 'lost')),
    connect(core, 0, { asked: [READ], waits: true }, 'bare'),
    ...decisions(core, 'owner', 0, [
      approve('request'),
      approve('request', []),
      approve('rejection'),
      reject(),
      narrow([]),
      revoke,
    ]),
    ...[lower, [ADMIN], [READ]].map((set) => decide(core, 'owner', 1, ensure(set))),
    decide(core, 1, 1, narrow([PAIRING])),
    decide(core, 'owner', 1, revoke),
    ...decisions(core, 1, 0, [approve('request'), ensure([READ])]),
    decider(core, null),
    decider(core, lower),
  ];
  return {
    name: 'N1 races between decision and commit',
    initial: initial(2, [ADMIN]),
    brings: plain([null, [READ], [APPROVALS]]),
    actions: [
      ...others.map(racing),
      ...raced.flatMap((d) => [begin(core, 1, d as never), commit(core, d as never, judged)]),
    ],
  };
}

/** What a person said no to, over the day that it counts: asked again, wider, by hand, approved by its new id. */
export function rejectionWorld(core: Core): Setup {
  const sets = subsets([READ, PAIRING, APPROVALS]).slice(1);
  const right = { secret: 'right', direct: true } as const;
  return {
    name: 'N2 rejections',
    initial: initial(1, [READ]),
    isTimed: true,
    brings: [...plain([null, ...sets]), { asked: null, ...right }],
    actions: [
      ...sets.map((asked) => connect(core, 0, { asked }, 'lost')),
      connect(core, 0, { asked: [READ] }, 'bare'),
      connect(core, 0, { asked: [WRITE], ...right }, 'lost'),
      upgrade(core, 0, [READ]),
      upgrade(core, 0, scopeSet([READ, PAIRING])),
      ...decisions(core, 'owner', 0, [
        ...[null, [], [READ]].map((set) => approve('request', set)),
        ...[null, [PAIRING]].map((set) => approve('rejection', set)),
        approve('screen'),
        reject(),
        reject('rejection'),
        reject('screen'),
        narrow([]),
        narrow([READ]),
        revoke,
      ]),
      look(0, 'rejection'),
      tick(core, 0),
      passTime([START + 11 * MINUTE, START + 25 * HOUR]),
    ],
  };
}

/** Two codes at once, of different makers and widths, and a maker that is narrowed and ended. */
export function twoCodes(core: Core): Setup {
  const both = scopeSet([READ, PAIRING]);
  return {
    name: 'N3 two codes',
    initial: initial(2, both),
    brings: plain([null, [READ], both]),
    actions: [
      connect(core, 0, { asked: both }, 'lost'),
      connect(core, 0, { asked: [READ], code: 0 }, 'lost'),
      connect(core, 0, { asked: [READ], code: 1, secret: 'right', direct: true }, 'lost'),
      makeCode(core, 'owner', [READ], 2),
      makeCode(core, 'secret', both, 2),
      makeCode(core, 1, [READ], 2),
      setSecret([READ]),
      setSecret(both),
      ...decisions(core, 'owner', 0, [approve('request', []), narrow([READ]), revoke]),
      decide(core, 'owner', 1, ensure(both)),
      decide(core, 1, 1, narrow([READ])),
      decide(core, 'owner', 1, revoke),
      decider(core, null),
      endCode,
    ],
  };
}

/** Two devices alike, each deciding about the other. */
export function pair(core: Core): Setup {
  const scopes = scopeSet([READ, PAIRING, APPROVALS]);
  const about = (device: number): Step[] => [
    connect(core, device, { asked: scopes }, 'lost'),
    connect(core, device, { asked: [READ] }, 'lost'),
    connect(core, device, { asked: null }, 'bare'),
    connect(core, device, { asked: scopeSet([READ, PAIRING]) }, 'bare'),
    upgrade(core, device, [READ]),
    ...decisions(core, 1 - device, device, [
      approve('request'),
      approve('request', [READ]),
      approve('rejection'),
      reject(),
      narrow([PAIRING]),
      revoke,
      rotate([READ]),
    ]),
    ...decisions(core, 'owner', device, [
      approve('request'),
      ensure(scopeSet([READ, PAIRING])),
      ensure([ADMIN]),
      revoke,
    ]),
  ];
  return {
    name: 'N4 three scopes on a pair',
    initial: initial(2, [ADMIN]),
    brings: plain([null, [READ], scopes]),
    actions: [...about(0), ...about(1)],
  };
}

/** W1 with every subset asked, approved, narrowed to and ensured, and kept by a client. */
export function wideDevice(core: Core): Setup {
  const few = oneDevice(core);
  const sets = subsets([READ, PAIRING, ADMIN]);
  return {
    ...few,
    name: 'N5 one device, every subset',
    actions: [
      ...few.actions,
      ...sets.map((asked) => connect(core, 0, { asked })),
      ...sets.slice(1).map((set) => upgrade(core, 0, set)),
      ...decisions(core, 'owner', 0, [
        ...sets.map((set) => approve('request', set)),
        ...sets.map((set) => narrow(set)),
        ...sets.map((set) => ensure(set)),
        { kind: 'rename', name: 'one' },
      ]),
      ...decisions(core, 0, 0, [narrow([]), approve('rejection')]),
    ],
  };
}

export const NIGHTLY = [raceWorld, rejectionWorld, twoCodes, pair, wideDevice] as const;
