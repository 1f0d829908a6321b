// Replays what real commands of OpenClaw said (fixture/conversations.json, made by convert.mjs) on a gateway of ours, and
// says where it was told something else.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Gateway } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type ConnectParams, namedIdentity, type SignatureVersion } from '../partner/identity.ts';
import type { Answer, Event } from '../partner/peer.ts';
import { strangers } from './envelope.ts';
import { devices, type PairedDevices } from './seed.ts';
import { differences, type Shape, shapeOf } from './shape.ts';

export const RELEASES = ['2026.9.6', '2026.3.13', '2026.2.19'] as const;
export type Release = (typeof RELEASES)[number];

interface Told {
  readonly ok: boolean;
  /** Of the payload or the error, by its number; absent: the recorded answer was no gateway's. */
  readonly shape?: number;
  readonly code?: string;
  readonly detail?: string;
}

interface Call {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>> | null;
  /** Absent: the client didn't wait for it. */
  readonly answer?: Told;
}

interface RecordedEvent {
  readonly event: string;
  /** Beside `type`, `event` and `payload`. */
  readonly members: readonly string[];
  readonly shape: number;
}

interface SocketStep {
  readonly connect: number;
  /** How often it was done in a row, once when absent. */
  readonly times?: number;
  /** Absent: the recorded gateway closed the socket before it answered. */
  readonly answer?: Told;
  readonly closed?: number;
  /** What was sent together stands together. */
  readonly calls: readonly (readonly Call[])[];
  readonly events: readonly RecordedEvent[];
}

interface HttpStep {
  readonly http: string;
  readonly times?: number;
  readonly status: number | null;
  readonly shape?: number;
}

export interface Conversation {
  readonly release: Release;
  readonly command: string;
  /** Which of the recorded gateways it was: they had each their own state. */
  readonly at: 'main' | 'fresh' | 'foreign';
  readonly steps: readonly (SocketStep | HttpStep)[];
}

interface Fixture {
  readonly connects: readonly {
    readonly identity: string | null;
    readonly signature: SignatureVersion | null;
    readonly params: ConnectParams;
  }[];
  readonly shapes: readonly Shape[];
  readonly conversations: readonly Conversation[];
}

const fixture: Fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'fixture', 'conversations.json'), 'utf8'));
export const conversations = fixture.conversations;

/** Something that a recorded client was told and isn't told here. */
export interface Finding {
  readonly release: Release;
  readonly command: string;
  /** A method, `event NAME`, or an HTTP request. */
  readonly of: string;
  /** A key path; `refused`, `answered`: other than recorded. */
  readonly path: string;
  readonly how: string;
}

/** Events that were recorded, by release: those that come by themselves can't be replayed in a conversation. */
export function recordedEvents(name: string): { release: Release; members: readonly string[]; shape: Shape }[] {
  return conversations.flatMap(({ release, steps }) =>
    steps
      .flatMap((step) => ('http' in step ? [] : step.events))
      .filter((event) => event.event === name)
      .map(({ members, shape }) => ({ release, members, shape: shapeNumber(shape) })),
  );
}

function shapeNumber(n: number): Shape {
  const shape = fixture.shapes[n];
  if (shape === undefined) throw new Error(`the fixture has no shape ${n}`);
  return shape;
}

/** These are sent because of a call, before its answer. */
const PROMPT = /^(connect\.challenge|device\.pair\.)/;

export class Replay {
  readonly findings: Finding[] = [];
  /** Members of frames on v3 sockets that those clients know nothing of. */
  readonly strangers: string[] = [];
  /** Answers that were compared. */
  compared = 0;
  readonly #gateway: Gateway;
  readonly #paired: PairedDevices;
  #of: Conversation | null = null;
  #cursor = 0;

  private constructor(gateway: Gateway, paired: PairedDevices) {
    this.#gateway = gateway;
    this.#paired = paired;
  }

  static async on(gateway: Gateway): Promise<Replay> {
    return new Replay(gateway, await devices(gateway));
  }

  async run(conversation: Conversation): Promise<void> {
    this.#of = conversation;
    for (const step of conversation.steps) {
      for (let time = 0; time < (step.times ?? 1); time += 1) {
        if ('http' in step) await this.#http(step);
        else await this.#socket(step);
      }
    }
    await this.#paired.again();
  }

  #found(of: string, path: string, how: string): void {
    if (this.#of === null) return;
    const { release, command } = this.#of;
    this.findings.push({ release, command, of, path, how: `${release} ${command}: ${of} ${how}` });
  }

  async #http(step: HttpStep): Promise<void> {
    const { status, text } = await fetched(this.#gateway.port, step.http);
    if (step.status !== null && status !== step.status) this.#found(step.http, 'status', `is ${status}`);
    if (step.shape === undefined) return;
    this.compared += 1;
    this.#differs(step.http, step.shape, JSON.parse(text), 'body');
  }

  async #socket(step: SocketStep): Promise<void> {
    const recorded = fixture.connects[step.connect];
    if (recorded === undefined) throw new Error(`the fixture has no connect ${step.connect}`);
    const { identity, signature, params } = recorded;
    const partner = await Partner.open({ port: this.#gateway.port });
    try {
      const answer = await partner.connect(withSecret(params, this.#gateway.token), {
        ...(identity === null ? {} : { identity: namedIdentity(identity) }),
        ...(signature === null ? {} : { version: signature }),
      });
      this.#compare('connect', step.answer ?? { ok: true }, answer);
      if (!answer.ok) {
        const { close } = await partner.refusal(answer);
        if (close.code !== step.closed) this.#found('connect', 'closed', `closed ${close.code}, was ${step.closed}`);
        return;
      }
      for (const together of step.calls) await Promise.all(together.map((call) => this.#call(partner, call)));
      this.#events(step.events, partner.events);
    } finally {
      if (params.maxProtocol === 3) this.strangers.push(...partner.received.flatMap(strangers));
      partner.end();
    }
  }

  async #call(partner: Partner, { method, params, answer }: Call): Promise<void> {
    const own = params === undefined || params === null ? params : await this.#own(params);
    const ours = await partner.call(method, own);
    if (answer !== undefined) this.#compare(method, answer, ours);
    if (ours.ok && method === 'logs.tail') this.#cursor = ours.payload.cursor;
  }

  /** Ids of our own run in the place of those that the recorded gateway made. */
  async #own(params: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const out: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(params)) {
      if (value === '<request>') out[name] = (await this.#paired.asking()).requestId;
      else if (value === '<device>') out[name] = (await this.#paired.paired()).id;
      else out[name] = value === '<cursor>' ? this.#cursor : value;
    }
    return out;
  }

  #compare(of: string, was: Told, ours: Answer): void {
    this.compared += 1;
    if (was.ok && !ours.ok) return this.#found(of, 'refused', `is refused: ${ours.error.code} ${ours.error.message}`);
    if (!was.ok && ours.ok) return this.#found(of, 'answered', `is answered, was ${was.code} ${was.detail ?? ''}`);
    if (ours.ok) return this.#differs(of, was.shape, ours.payload, 'payload');
    const { code, details } = ours.error;
    if (code !== was.code) this.#found(of, 'error.code', `error.code is ${code}, was ${was.code}`);
    if (details?.code !== was.detail)
      this.#found(of, 'error.details.code', `error.details.code is ${String(details?.code)}, was ${was.detail}`);
    this.#differs(of, was.shape, ours.error, 'error');
  }

  #differs(of: string, shape: number | undefined, ours: unknown, root: string): void {
    if (shape === undefined) return;
    for (const { path, how } of differences(shapeNumber(shape), shapeOf(ours), root)) this.#found(of, path, how);
  }

  #events(recorded: readonly RecordedEvent[], ours: readonly Event[]): void {
    for (const { event, members, shape } of recorded.filter((e) => PROMPT.test(e.event))) {
      const of = `event ${event}`;
      const got = ours.find((o) => o.event === event);
      this.compared += 1;
      if (got === undefined) this.#found(of, 'missing', 'never came');
      else {
        for (const member of members.filter((m) => !(m in got))) this.#found(of, member, `has no ${member}`);
        this.#differs(of, shape, got.payload, 'payload');
      }
    }
  }
}

function withSecret({ auth, ...rest }: ConnectParams, token: string): ConnectParams {
  if (auth === undefined) return rest;
  const filled = Object.entries(auth).map(([name, value]) => [name, value === '<shared>' ? token : value]);
  return { ...rest, auth: Object.fromEntries(filled) };
}

/** @param line `GET /path` */
export function fetched(port: number, line: string): Promise<{ status: number; type: string; text: string }> {
  const [method = 'GET', path = '/'] = line.split(' ');
  return new Promise((done, fail) => {
    const sent = request({ host: '127.0.0.1', port, method, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      const { statusCode = 0, headers } = response;
      response.once('end', () => done({ status: statusCode, type: headers['content-type'] ?? '', text }));
    });
    sent.once('error', fail).end();
  });
}
