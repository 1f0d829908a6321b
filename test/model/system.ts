import type { Connect, Ensure, Reply } from '../../src/core/authz/command.ts';
import { heldBy } from '../../src/core/authz/decide.ts';
import { codeFindings, findings } from '../../src/core/authz/invariant.ts';
import { beyond, closure, coversAll, liveScopes, type Scope } from '../../src/core/authz/scope.ts';
import type { DeviceState } from '../../src/core/authz/state.ts';
import { type Bring, connectCommand, type Step } from './action.ts';
import type { Core } from './core.ts';
import type { System } from './explore.ts';
import { deviceKey, keyOf, Met, normal, render } from './key.ts';
import { wrongClient, wrongEdge } from './predicate.ts';
import type { Client, Made, World } from './world.ts';

export interface Setup {
  readonly name: string;
  readonly initial: World;
  readonly actions: readonly Step[];
  /** True where more than one instant is met, so that ends matter. */
  readonly isTimed?: boolean;
  /** The connects that are tried in every state: twice, and in both orders. */
  readonly brings: readonly Bring[];
}

/** A world as something to explore: its actions, and everything that has to hold. */
export function system(core: Core, setup: Setup): System<World, Made> {
  const isTimed = setup.isTimed ?? false;
  // What depends on a device alone is judged once for each state that the device can be in.
  const judged = new Set<string>();
  const met = new Met();
  const once = (key: string, judge: () => string | null): string | null => {
    if (judged.has(key)) return null;
    judged.add(key);
    return judge();
  };
  const inState = (w: World): string | null => {
    for (let i = 0; i < w.devices.length; i++) {
      const device = w.devices[i] as DeviceState;
      const client = w.clients[i] as Client;
      const key = `${deviceKey(device, isTimed)}${isTimed ? w.at : ''}=${w.secret}`;
      const wrong =
        once(key, () => wrongDevice(core, w, i, setup.brings)) ??
        once(`${key}@${client.session}`, () => wrongSession(core, w, i)) ??
        wrongClient(device, client);
      if (wrong !== null) return wrong;
    }
    for (const code of w.codes) {
      const found = codeFindings(code, w.seq);
      if (found[0]) return `${found[0].code}: ${found[0].text}`;
    }
    return null;
  };
  return {
    name: setup.name,
    initial: normal(setup.initial, isTimed, met),
    actions: setup.actions,
    key: (w) => keyOf(w, isTimed),
    normal: (w) => normal(w, isTimed, met),
    inState,
    onEdge: wrongEdge,
    render,
  };
}

/** A1: what a session holds is exactly closure(asked) ∩ closure(grant). */
function wrongSession(core: Core, w: World, index: number): string | null {
  const device = w.devices[index] as DeviceState;
  const { session } = w.clients[index] as Client;
  if (session === undefined) return null;
  const may = closure(liveScopes(device.roles.operator.grant?.entries ?? [], w.at));
  const should = session === null ? may : may.filter((s) => closure(session).includes(s));
  const principal = { kind: 'device', device: device.device, role: 'operator', asked: session } as const;
  const facts = { self: device, secretScopes: w.secret };
  const holds = core.scope.OPERATOR_SCOPES.filter((s) => core.decide.holds(principal, facts, s, w.at) !== undefined);
  return holds.join() === should.join() ? null : `A1: the session holds ${holds} and should hold ${should}`;
}

function wrongDevice(core: Core, w: World, index: number, brings: readonly Bring[]): string | null {
  const device = w.devices[index] as DeviceState;
  const found = findings(device, w.at, w.seq)[0];
  if (found) return `${found.code}: ${found.text}`;
  const firsts = brings.map((bring) => {
    const command = connectCommand(core, w, bring);
    return { command, step: core.step(device, command) };
  });
  for (const { command, step } of firsts) {
    if (step.state !== device && core.step(step.state, again(command)).state !== step.state)
      return `A6: the same connect twice wrote twice (asked ${command.asked})`;
  }
  return (
    wrongMore(firsts.map(({ command, step }) => ({ asked: command.asked, reply: step.reply }))) ??
    wrongOrder(core, device, firsts) ??
    wrongReturn(core, w, device)
  );
}

function again(command: Connect): Connect {
  return { ...command, seq: command.seq + 1, fresh: `${command.fresh}+` as Connect['fresh'] };
}

/** A1: asking for more never yields less. */
function wrongMore(asks: readonly { readonly asked: readonly Scope[] | null; readonly reply: Reply }[]): string | null {
  for (const less of asks) {
    for (const more of asks) {
      if (less.asked === null || more.asked === null || !coversAll(more.asked, less.asked)) continue;
      if (less.reply.kind !== 'connected' || more.reply.kind !== 'connected' || less.reply.by !== 'grant') continue;
      if (!coversAll(more.reply.held, less.reply.held))
        return `A1: asking ${more.asked} yields less than asking ${less.asked}`;
    }
  }
  return null;
}

/** The order of connects doesn't matter to closure(grant) and to closure of what is open beyond it. */
function wrongOrder(
  core: Core,
  device: DeviceState,
  firsts: readonly { readonly command: Connect; readonly step: { readonly state: DeviceState } }[],
): string | null {
  for (let i = 0; i < firsts.length; i++) {
    for (let j = 0; j < i; j++) {
      const x = firsts[i];
      const y = firsts[j];
      if (!x || !y || (x.step.state === device && y.step.state === device)) continue;
      const xy = summary(core.step(x.step.state, again(y.command)).state, y.command.at);
      const yx = summary(core.step(y.step.state, again(x.command)).state, y.command.at);
      if (xy !== yx)
        return `A5: connects asking ${x.command.asked} and ${y.command.asked} end by order in ${xy} or ${yx}`;
    }
  }
  return null;
}

function summary(d: DeviceState, at: number): string {
  const { grant, request } = d.roles.operator;
  const have = closure(liveScopes(grant?.entries ?? [], at));
  const open = request === null ? 'none' : beyond(closure(request.scopes), have).join(' ');
  return `${grant === null ? 'none' : have.join(' ')} / ${open}`;
}

/** A7, A11: `ensure` by the owner and one connect, even with a wrong secret beside it, restore any key. */
function wrongReturn(core: Core, w: World, device: DeviceState): string | null {
  const scopes = w.secret.map((scope) => ({ scope, until: null }));
  const held = heldBy({ kind: 'owner' }, { self: null, secretScopes: w.secret }, w.at);
  const decider = { principal: { kind: 'owner' }, held } as const;
  const command: Ensure = { ...again(connectCommand(core, w, { asked: null })), kind: 'ensure', decider, scopes };
  const ensured = core.step(device, command);
  const { reply } = core.step(
    ensured.state,
    connectCommand(core, w, { asked: null, secret: 'wrong', askMode: 'closed' }),
  );
  if (reply.kind !== 'connected') return 'A7: ensure and one connect do not bring a key back';
  return coversAll(reply.held, w.secret) ? null : 'A7: ensured, connected, and without what was ensured';
}
