import type { Connect } from '../../../src/core/authz/command.ts';
import type { Role, Scope } from '../../../src/core/authz/scope.ts';
import { ADMIN, APPROVALS, PAIRING, READ, TALK, WRITE } from '../../../src/core/authz/scope.ts';
import { DAY_MS, MINUTE_MS } from '../../../src/core/base/instant.ts';
import type { Random } from '../../random.ts';

export const DEVICES = 6;
export const SOURCES = ['loopback', '192.0.2.1', '2001:db8::/64'] as const;
const OPERATOR = [ADMIN, PAIRING, READ, WRITE, APPROVALS, TALK];
const NODE = ['camera.snap', 'canvas.present', 'location.get'];

/** Who acts: the owner, the shared secret, a named token with an end, or the operator session of a device. */
export type Who = 'owner' | 'secret' | 'token' | number;

interface Step {
  /** Fixed when generated: names the request or rejection that it may open, however many steps are dropped. */
  readonly n: number;
  /** By how much the clock goes on first; may be negative. */
  readonly passMs: number;
  /** `abort`: fails after its last write. `crash`: the process ends after the commit, before anything is told. */
  readonly fate: 'done' | 'abort' | 'crash';
}

/** Places (`at`) are taken modulo what there is, so that a step still means something when others are dropped. */
export type Op = Step &
  (
    | ({
        readonly kind: 'connect';
        readonly device: number;
        readonly codeAt: number | null;
        readonly source: string;
        readonly waitedAt: readonly number[];
      } & Pick<Connect, 'role' | 'asked' | 'origin' | 'secret' | 'direct' | 'waits' | 'askMode'>)
    | { readonly kind: 'upgrade'; readonly device: number; readonly role: Role; readonly scopes: readonly Scope[] }
    | {
        readonly kind: 'approve';
        readonly who: Who;
        readonly listedAt: number;
        readonly scopes: readonly Scope[] | null;
        readonly forMs: number | null;
      }
    | { readonly kind: 'reject'; readonly who: Who; readonly listedAt: number }
    | {
        readonly kind: 'narrow';
        readonly who: Who;
        readonly device: number;
        readonly role: Role;
        readonly scopes: readonly Scope[];
      }
    | {
        readonly kind: 'rotate';
        readonly who: Who;
        readonly device: number;
        readonly role: Role;
        readonly scopes: readonly Scope[] | null;
      }
    | { readonly kind: 'revoke'; readonly who: Who; readonly device: number; readonly role: Role }
    | { readonly kind: 'remove'; readonly who: Who; readonly device: number }
    | {
        readonly kind: 'ensure';
        readonly who: Who;
        readonly device: number;
        readonly role: Role;
        readonly scopes: readonly Scope[];
        readonly forMs: number | null;
      }
    | { readonly kind: 'rename'; readonly who: Who; readonly device: number; readonly name: string | null }
    | { readonly kind: 'tick' }
    | { readonly kind: 'evict'; readonly listedAt: number }
    | { readonly kind: 'code'; readonly who: Who; readonly role: Role; readonly scopes: readonly Scope[] }
    | { readonly kind: 'forget' }
  );

const WEIGHTS: Readonly<Record<Op['kind'], number>> = {
  connect: 40,
  upgrade: 6,
  approve: 14,
  reject: 6,
  narrow: 5,
  rotate: 3,
  revoke: 3,
  remove: 2,
  ensure: 5,
  rename: 2,
  tick: 5,
  evict: 2,
  code: 6,
  forget: 3,
};

const pickRole = (random: Random): Role => (random.chance(0.8) ? 'operator' : 'node');
const pickScopes = (random: Random, role: Role): readonly Scope[] =>
  random.some(role === 'operator' ? OPERATOR : NODE, random.pick([0.15, 0.4, 0.8])).sort();
const pickWho = (random: Random): Who =>
  random.weighted({ owner: 5, secret: 2, token: 1, device: 6 }) === 'device'
    ? random.int(DEVICES)
    : random.pick(['owner', 'owner', 'secret', 'token'] as const);

function pass(random: Random): number {
  switch (random.weighted({ none: 55, little: 27, minutes: 12, day: 2, week: 1, back: 3 })) {
    case 'none':
      return 0;
    case 'little':
      return 1 + random.int(1_000);
    case 'minutes':
      return random.int(15) * MINUTE_MS;
    case 'day':
      return DAY_MS;
    case 'week':
      return 8 * DAY_MS;
    case 'back':
      return -random.int(30) * MINUTE_MS;
  }
}

function connectOf(random: Random, step: Step): Op {
  const role = pickRole(random);
  return {
    ...step,
    kind: 'connect',
    device: random.int(DEVICES),
    role,
    asked: random.chance(0.25) ? null : pickScopes(random, role),
    origin: random.pick(['none', 'none', 'none', 'allowed', 'foreign']),
    secret: random.pick(['none', 'none', 'none', 'right', 'wrong']),
    direct: random.chance(0.3),
    waits: random.chance(0.5),
    askMode: random.pick(['open', 'open', 'open', 'open', 'secret', 'closed']),
    codeAt: random.chance(0.25) ? random.int(100) : null,
    source: random.pick(SOURCES),
    waitedAt: random.some([0, 1, 2, 3], 0.3),
  };
}

export function generate(random: Random, count: number): readonly Op[] {
  return Array.from({ length: count }, (_, n) => {
    const fate = random.weighted({ done: 94, abort: 3, crash: 3 });
    return generateOne(random, { n, passMs: pass(random), fate });
  });
}

function generateOne(random: Random, step: Step): Op {
  const kind = random.weighted(WEIGHTS);
  const role = pickRole(random);
  const who = pickWho(random);
  const device = random.int(DEVICES);
  const scopes = pickScopes(random, role);
  const forMs = random.chance(0.3) ? random.pick([MINUTE_MS, 20 * MINUTE_MS, 3 * DAY_MS]) : null;
  const listedAt = random.int(100);
  switch (kind) {
    case 'connect':
      return connectOf(random, step);
    case 'upgrade':
      return { ...step, kind, device, role, scopes };
    case 'approve':
      return { ...step, kind, who, listedAt, scopes: random.chance(0.6) ? null : scopes, forMs };
    case 'reject':
      return { ...step, kind, who, listedAt };
    case 'narrow':
      return { ...step, kind, who, device, role, scopes };
    case 'rotate':
      return { ...step, kind, who, device, role, scopes: random.chance(0.6) ? null : scopes };
    case 'revoke':
      return { ...step, kind, who, device, role };
    case 'remove':
      return { ...step, kind, who, device };
    case 'ensure':
      return { ...step, kind, who, device, role, scopes, forMs };
    case 'rename':
      return { ...step, kind, who, device, name: random.pick([null, 'desk', 'a\0b', '\ud800 half', '\u{1f511}']) };
    case 'code':
      return { ...step, kind, who, role, scopes };
    case 'evict':
      return { ...step, kind, listedAt };
    case 'tick':
    case 'forget':
      return { ...step, kind };
  }
}
