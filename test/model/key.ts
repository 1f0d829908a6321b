import type { Giver, RequestId } from '../../src/core/authz/principal.ts';
import { ROLES, type Role, type Scope } from '../../src/core/authz/scope.ts';
import type { CodeState, DeviceState } from '../../src/core/authz/state.ts';
import { type Client, codeId, START, type World } from './world.ts';

const LETTERS = new Map<Scope, string>();

export function letters(scopes: readonly Scope[] | null | undefined): string {
  if (scopes === null) return '*';
  if (scopes === undefined) return '-';
  let text = '';
  for (const scope of scopes) {
    let letter = LETTERS.get(scope);
    if (letter === undefined) {
      letter = String.fromCharCode(97 + LETTERS.size);
      LETTERS.set(scope, letter);
    }
    text += letter;
  }
  return text;
}

/** What a state is called doesn't matter: an id is the place where it stands, an order number its rank. */
function placeOf(w: World, id: RequestId): string {
  for (let i = 0; i < w.devices.length; i++) {
    for (const role of ROLES) {
      const { request, rejection } = (w.devices[i] as DeviceState).roles[role];
      if (request?.id === id) return `${i}${role}?`;
      if (rejection?.id === id) return `${i}${role}^`;
    }
  }
  return 'x';
}

function roleKey(d: DeviceState, role: Role, isTimed: boolean): string {
  const { grant, request, rejection, epoch } = d.roles[role];
  let text = role === 'node' ? '/' : '';
  if (grant === null) text += '!';
  else for (const e of grant.entries) text += e.until === null ? letters([e.scope]) : `${letters([e.scope])}${e.until}`;
  if (request !== null) text += `?${letters(request.scopes)}${isTimed ? request.expiresAt : ''}`;
  if (rejection !== null) text += `^${letters(rejection.scopes)}${isTimed ? rejection.until : ''}`;
  return epoch === 0 ? text : `${text};`;
}

const TEXTS = new WeakMap<DeviceState, string>();

/** All of a device but its marks. */
function deviceText(d: DeviceState, isTimed: boolean): string {
  let text = TEXTS.get(d);
  if (text === undefined) {
    text = roleKey(d, 'operator', isTimed) + roleKey(d, 'node', isTimed);
    TEXTS.set(d, text);
  }
  return text;
}

function giverKey(giver: Giver): string {
  return giver.kind === 'device' ? giver.device : giver.kind;
}

function marksOf(d: DeviceState): readonly (number | null)[] {
  const { operator, node } = d.roles;
  return [operator.decided, operator.gone, node.decided, node.gone];
}

/** The order of some numbers: how many are smaller; `-` where there is none. */
function ranks(seqs: readonly (number | null)[]): string {
  let text = '';
  for (const s of seqs) {
    let smaller = 0;
    if (s !== null) for (const o of seqs) if (o !== null && o < s) smaller++;
    text += s === null ? '-' : smaller;
  }
  return text;
}

/** What the future of a device alone depends on, the order of its marks among themselves included. */
export function deviceKey(d: DeviceState, isTimed: boolean): string {
  return deviceText(d, isTimed) + ranks(marksOf(d));
}

function clientKey(c: Client, d: DeviceState, w: World): string {
  const token = c.cached === null ? 'n' : c.cached === d.roles.operator.epoch ? 'c' : 'o';
  const waits = c.waits === null ? '' : `~${placeOf(w, c.waits.id)}${letters(c.waits.asked)}`;
  return `@${letters(c.session)}${token}${c.isValid ? 'v' : ''}${waits}`;
}

export function keyOf(w: World, isTimed: boolean): string {
  let key = isTimed ? `${w.at}` : '';
  const made = w.codes.map((c) => c.made);
  for (let i = 0; i < w.devices.length; i++) {
    const d = w.devices[i] as DeviceState;
    // The order of marks matters within a device, and between it and the codes.
    const order = ranks([w.no[i] ?? null, ...marksOf(d), ...made]);
    key += `${deviceText(d, isTimed)}${clientKey(w.clients[i] as Client, d, w)}${order}|`;
  }
  for (const c of w.codes) {
    const life = `${c.usedBy === null ? '' : 'u'}${c.ended ? 'e' : ''}${isTimed ? c.expiresAt : c.expiresAt > w.at ? '' : 'x'}`;
    key += `$${c.role === 'node' ? '/' : ''}${letters(c.scopes)}${giverKey(c.maker)}${life}`;
  }
  if (w.screen !== null) key += `[${placeOf(w, w.screen.id)}${letters(w.screen.scopes)}`;
  if (w.pending !== null) {
    const { name, id, isFresh, decider } = w.pending;
    const held = isFresh ? '' : letters(decider.held.map((h) => h.scope));
    key += `]${name}${id === undefined ? '' : placeOf(w, id)}${isFresh}${held}`;
  }
  return `${key}=${letters(w.secret)}`;
}

/** What was met before: a device or code that is equal is the same object, with a revision of its own. */
export class Met {
  readonly #devices = new Map<string, DeviceState>();
  readonly #codes = new Map<string, CodeState>();

  device(key: string, make: () => DeviceState): DeviceState {
    const known = this.#devices.get(key) ?? { ...make(), revision: this.#devices.size + 1 };
    this.#devices.set(key, known);
    return known;
  }

  code(code: CodeState): CodeState {
    const key = JSON.stringify({ ...code, revision: 0 });
    const known = this.#codes.get(key) ?? { ...code, revision: this.#codes.size + 1 };
    this.#codes.set(key, known);
    return known;
  }
}

/**
 * The one world that stands for all with its key: ids are called by their places, order numbers by their ranks, and a
 * device that was met before, in whatever world, is the same object.
 */
export function normal(w: World, isTimed: boolean, met: Met): World {
  const made = w.codes.map((c) => c.made);
  const seqs = [...new Set([...w.devices.flatMap(marksOf), ...w.no, ...made])].filter((s) => s !== null);
  seqs.sort((a, b) => a - b);
  const rankOf = (seq: number | null): number | null => (seq === null ? null : seqs.indexOf(seq) + 1);
  const idFor = (id: RequestId): RequestId => placeOf(w, id) as RequestId;
  const devices = w.devices.map((d, i) => {
    const key = `${i}${deviceText(d, isTimed)} ${marksOf(d).map(rankOf).join()}`;
    return met.device(key, () => renamed(d, rankOf, idFor));
  });
  return {
    ...w,
    seq: seqs.length,
    devices,
    clients: w.clients.map((c, i) => {
      const isCurrent = c.cached === w.devices[i]?.roles.operator.epoch;
      const cached = c.cached === null ? null : isCurrent ? (devices[i]?.roles.operator.epoch ?? null) : -1;
      return { ...c, cached, waits: c.waits === null ? null : { ...c.waits, id: idFor(c.waits.id) } };
    }),
    codes: w.codes.map((c, i) => met.code({ ...c, id: codeId(i), made: rankOf(c.made) ?? 0 })),
    screen: w.screen === null ? null : { ...w.screen, id: idFor(w.screen.id) },
    no: w.no.map(rankOf),
    pending: w.pending?.id === undefined ? w.pending : { ...w.pending, id: idFor(w.pending.id) },
  };
}

function renamed(
  d: DeviceState,
  rankOf: (seq: number | null) => number | null,
  idFor: (id: RequestId) => RequestId,
): DeviceState {
  const role = (r: DeviceState['roles'][Role]) => ({
    grant: r.grant,
    request: r.request === null ? null : { ...r.request, id: idFor(r.request.id) },
    rejection: r.rejection === null ? null : { ...r.rejection, id: idFor(r.rejection.id) },
    decided: rankOf(r.decided),
    gone: rankOf(r.gone),
    epoch: Math.min(r.epoch, 1),
  });
  return { ...d, roles: { operator: role(d.roles.operator), node: role(d.roles.node) } };
}

const END = (until: number | null): string => (until === null ? '' : `<${until - START}`);

/** For a person who reads a trace. */
export function render(w: World): string {
  const short = (scopes: readonly Scope[] | null | undefined): string =>
    scopes === undefined
      ? '-'
      : scopes === null
        ? 'grant'
        : `{${scopes.map((s) => s.replace('operator.', '')).join(' ')}}`;
  const devices = w.devices.flatMap((d, i) =>
    ROLES.flatMap((role) => {
      const r = d.roles[role];
      const c = w.clients[i];
      if (role === 'node' && r.grant === null && r.request === null && r.decided === null) return [];
      const grant =
        r.grant === null ? 'none' : r.grant.entries.map((e) => short([e.scope]) + END(e.until)).join('') || '{}';
      return [
        `${d.device}${role === 'node' ? '/node' : ''} grant ${grant}`,
        r.request === null ? '' : ` asks ${short(r.request.scopes)}#${r.request.id}`,
        r.rejection === null ? '' : ` rejected ${short(r.rejection.scopes)}#${r.rejection.id}`,
        r.decided === null ? '' : ` no@${r.decided}`,
        r.gone === null ? '' : ` gone@${r.gone}`,
        ` epoch ${r.epoch}`,
        c?.session === undefined ? '' : ` session ${short(c.session)}`,
        c?.waits == null ? '' : ` waits#${c.waits.id}`,
      ].join('');
    }),
  );
  const codes = w.codes.map(
    (c) =>
      `code ${short(c.scopes)} by ${giverKey(c.maker)}@${c.made}${c.usedBy ? ' used' : ''}${c.ended ? ' ended' : ''}`,
  );
  const screen = w.screen === null ? [] : [`screen #${w.screen.id} ${short(w.screen.scopes)}`];
  const time = w.at === START ? [] : [`at +${w.at - START}`];
  return [...time, ...devices, ...codes, ...screen, `secret ${short(w.secret)}`].join('; ');
}
