import type { DeviceId, Principal, RequestId } from '../../src/core/authz/principal.ts';
import { type Scope, scopeSet } from '../../src/core/authz/scope.ts';
import { deviceBlock, type Identity, namedIdentity } from '../partner/identity.ts';
import type { Payload } from '../partner/peer.ts';
import type { Random } from '../random.ts';
import { type Asked, type Knock, NEVER, type Operation, type Reply } from './history.ts';
import { type House, KEYS, SECRET } from './house.ts';
import { type Frame, type Line, OWNER_DOOR, tcpFrom } from './line.ts';
import { turn } from './schedule.ts';

const identities = new Map<string, Identity>();
function identityOf(name: string): Identity {
  const identity = identities.get(name) ?? namedIdentity(`race ${name}`);
  identities.set(name, identity);
  return identity;
}

export interface Person {
  readonly device: DeviceId;
  readonly key: string;
  readonly identity: Identity;
  readonly address: string;
}

/** A connection on which somebody may call, and as whom. */
export interface Voice {
  readonly line: Line;
  readonly as: Principal;
}

/** What somebody does beside the others, one thing after the other. */
export interface Hand {
  /** Lets up to so many turns pass. */
  pause(turnsMax?: number): Promise<void>;
  call(voice: Voice, method: string, params: Readonly<Record<string, unknown>>): Promise<Reply | null>;
  connect(person: Person, more?: Partial<Knock>): Promise<{ readonly reply: Reply | null; readonly voice: Voice }>;
}

/** One round: who is there, what was done before it, and what was seen of it. */
export class Stage {
  readonly house: House;
  readonly random: Random;
  readonly operations: Operation[] = [];
  readonly people: Person[] = [];
  readonly voices: Voice[] = [];
  readonly codes: string[] = [];
  /** Sockets that were told to wait. */
  readonly lines: { readonly line: Line; readonly request: string; readonly device: DeviceId }[] = [];
  /** Sets what this round names apart from what others do in the same house. */
  readonly prefix: string;

  constructor(house: House, random: Random, prefix: string) {
    this.house = house;
    this.random = random;
    this.prefix = prefix;
  }

  /** Somebody with a key of its own. `direct`: comes from this host (A13). */
  person(name: string, where: 'direct' | 'elsewhere' = 'elsewhere'): Person {
    const identity = identityOf(`${this.prefix}${name}`);
    const nth = this.people.length + 1;
    const person: Person = {
      identity,
      device: identity.id as DeviceId,
      key: identity.publicKey,
      address: where === 'direct' ? `127.0.0.${nth}` : `192.0.2.${nth}`,
    };
    this.people.push(person);
    return person;
  }

  owner(): Voice {
    return this.#voice(this.house.line(OWNER_DOOR), { kind: 'owner' });
  }

  /** A device with exactly this grant, and a session of it. */
  async granted(
    name: string,
    scopes: readonly Scope[],
    asked: readonly Scope[] | null = null,
  ): Promise<Person & Voice> {
    const person = this.person(name);
    await this.house.ensure(person.device, person.key, scopes);
    return { ...person, ...(await this.session(person, asked)) };
  }

  async session(person: Person, asked: readonly Scope[] | null = null): Promise<Voice> {
    const { frame, line } = await this.#knock(knockOf(person, { asked }), person).done;
    if (frame?.ok !== true) throw new Error(`no session: ${JSON.stringify(frame?.error)}`);
    return this.#voice(line, { kind: 'device', device: person.device, role: 'operator', asked });
  }

  /** Asks, as it was before the round; its socket waits or is gone. */
  async asks(person: Person, scopes: readonly Scope[], more: Partial<Knock> = {}): Promise<RequestId> {
    const knock = knockOf(person, { asked: scopes, ...more });
    const reply = await this.#connect('before', knock, person, this.operations);
    const id = reply?.ids.request;
    if (id == null) throw new Error(`nothing was asked: ${JSON.stringify(reply)}`);
    return id as RequestId;
  }

  /** A setup code, made before the round. */
  async code(maker: Principal, scopes: readonly Scope[]): Promise<string> {
    const code = `code ${this.codes.length} ${this.prefix}`;
    const made = await this.house.authority.makeCode(maker, KEYS.codeId(code), 'operator', scopeSet(scopes));
    if (!made.ok) throw new Error(`no code: ${made.error.code}`);
    this.codes.push(code);
    return code;
  }

  /** One that does its work beside the others. */
  hand(by: string, work: (hand: Hand) => Promise<unknown>): () => Promise<unknown> {
    return async () => {
      const hand: Hand = {
        pause: async (turnsMax = 4) => {
          for (let left = 1 + this.random.int(turnsMax); left > 0; left -= 1) await turn();
        },
        call: async (voice, method, params) => {
          // What a socket brings comes in a turn of its own.
          await turn();
          return this.#call(by, voice, method, params);
        },
        connect: async (person, more = {}) => {
          await turn();
          const knock = knockOf(person, more);
          let line: Line | null = null;
          const reply = await this.#connect(by, knock, person, this.operations, (made) => {
            line = made;
          });
          if (line === null) throw new Error('no line');
          return { reply, voice: { line, as: deviceOf(knock) } };
        },
      };
      await hand.pause();
      await work(hand);
    };
  }

  /** Every session tells what it sees, once all is over: what it can do is what the books say. */
  async probe(): Promise<void> {
    for (const voice of this.voices) {
      if (voice.line.over === null) await this.#call('afterwards', voice, 'device.pair.list', {});
    }
  }

  #voice(line: Line, as: Principal): Voice {
    const voice = { line, as };
    this.voices.push(voice);
    return voice;
  }

  async #call(by: string, { line, as }: Voice, method: string, params: Readonly<Record<string, unknown>>) {
    const { sent, answer } = line.send(method, params);
    const frame = await answer;
    const source = line.facts.address?.startsWith('127.') ? 'loopback' : line.facts.address;
    const from = method === 'device.scopes.requestUpgrade' ? { from: line.facts.address, source } : {};
    const asked: Asked = { kind: 'call', as, method, params: { ...params, ...from } };
    const reply = frame === null ? null : answerOf(method, frame, new Set(this.people.map((p) => p.device)));
    this.operations.push({ by, asked, sent, seen: frame?.seen ?? NEVER, reply });
    return reply;
  }

  #knock(knock: Knock, person: Person) {
    const line = this.house.line(tcpFrom(knock.address));
    const nonce: string = line.events[0]?.payload.nonce;
    const { sent, answer } = line.send('connect', paramsOf(knock, person.identity, nonce));
    return { line, sent, done: answer.then((frame) => ({ frame, line })), answer };
  }

  async #connect(
    by: string,
    knock: Knock,
    person: Person,
    into: Operation[],
    made: (line: Line) => void = () => undefined,
  ): Promise<Reply | null> {
    const { line, sent, answer } = this.#knock(knock, person);
    made(line);
    const waiting = line.next('connect.waiting');
    const first = await Promise.race([answer, waiting]);
    const keep = (asked: Asked, from: number, frame: Frame | null): Reply | null => {
      const reply = frame === null ? null : letIn(frame);
      into.push({ by, asked, sent: from, seen: frame?.seen ?? NEVER, reply });
      if (reply?.kind === 'connected') this.#voice(line, deviceOf(knock));
      return reply;
    };
    if (first === null || !('event' in first)) return keep({ kind: 'connect', knock }, sent, first);
    const { requestId, asked: scopes } = first.payload;
    const reply: Reply = { kind: 'waiting', says: { scopes }, ids: { request: requestId } };
    into.push({ by, asked: { kind: 'connect', knock }, sent, seen: first.seen, reply });
    this.lines.push({ line, request: requestId, device: knock.device });
    void answer.then((frame) => keep({ kind: 'enter', knock, request: requestId }, first.seen, frame));
    return reply;
  }
}

function deviceOf(knock: Knock): Principal {
  return { kind: 'device', device: knock.device, role: 'operator', asked: knock.asked };
}

export function knockOf(person: Person, more: Partial<Knock> = {}): Knock {
  const { device, key, address } = person;
  return { device, key, address, asked: null, secret: 'none', code: null, token: null, waits: false, ...more };
}

function paramsOf(knock: Knock, identity: Identity, nonce: string): Record<string, unknown> {
  const { asked, secret, code, token, waits } = knock;
  const auth = {
    ...(secret === 'none' ? {} : { token: secret === 'right' ? SECRET : 'a wrong one' }),
    ...(code === null ? {} : { bootstrapToken: code }),
    ...(token === null ? {} : { deviceToken: token }),
  };
  const params = {
    minProtocol: 3,
    maxProtocol: 4,
    client: { id: 'cli', version: '1', platform: 'linux', mode: 'cli' },
    role: 'operator',
    caps: waits ? ['latchkey.wait'] : [],
    ...(asked === null ? {} : { scopes: asked }),
    auth,
  };
  return { ...params, device: deviceBlock(identity, params, { version: 'v3', nonce, signedAt: 0 }) };
}

function refusal({ error }: Frame): Reply {
  const details: Payload = error?.details ?? {};
  const { refusal: code, outcome, requestId, requiredScopes, scopes } = details;
  const named = requiredScopes ?? scopes;
  return {
    kind: 'refused',
    says: { code, ...(named === undefined ? {} : { scopes: named }), ...(outcome === undefined ? {} : { outcome }) },
    ids: { request: requestId ?? null },
  };
}

function letIn(frame: Frame): Reply | null {
  // A9: it was let in, and its grant was ended before it could be told so.
  if (frame.error?.details?.refusal === 'grant_ended') return null;
  if (!frame.ok) return refusal(frame);
  const { scopes, missing, rejected, ignored, deviceToken, requestId } = frame.payload.auth;
  const says = {
    held: scopes,
    missing: missing ?? [],
    rejected: rejected ?? false,
    ignored: [...(ignored ?? [])].sort(),
    token: deviceToken ?? null,
  };
  return { kind: 'connected', says, ids: { request: requestId ?? null } };
}

function answerOf(method: string, frame: Frame, people: ReadonlySet<string>): Reply {
  if (!frame.ok) return refusal(frame);
  const p = frame.payload;
  if (method === 'device.pair.list') return listOf(p, people);
  if (method === 'device.scopes.requestUpgrade')
    return { kind: 'asked', says: { scopes: p.scopes }, ids: { request: p.requestId } };
  if (p.changed === undefined) return { kind: 'fine', says: {}, ids: {} };
  const says = {
    changed: p.changed,
    given: p.given.map((g: { scope: string }) => g.scope),
    changes: p.changeIds.length,
    ...(method === 'device.token.rotate' ? { token: p.token ?? null } : {}),
    ...(p.secretHolderCanReturn === undefined ? {} : { bySecret: p.secretHolderCanReturn }),
  };
  return { kind: 'done', says, ids: {} };
}

function listOf(p: Payload, people: ReadonlySet<string>): Reply {
  const says: Record<string, unknown> = {};
  const ids: Record<string, string> = {};
  for (const row of p.pending) {
    if (!people.has(row.deviceId)) continue;
    says[`${row.state} ${row.deviceId}`] = row.scopes;
    ids[`${row.state} ${row.deviceId}`] = row.requestId;
  }
  for (const row of p.paired) if (people.has(row.deviceId)) says[`paired ${row.deviceId}`] = row.scopes;
  return { kind: 'listed', says, ids };
}
