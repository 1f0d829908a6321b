// Replays what OpenClaw's terminal UI and its `agent` command said in a conversation (fixture/talks.json, made by
// convert.mjs) on a gateway of ours: what they were told then, key by key and type by type, and the order of its events.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Gateway, start } from '../gateway.ts';
import { Partner, plainParams } from '../partner/client.ts';
import type { Answer, Payload } from '../partner/peer.ts';
import { until } from '../partner/peer.ts';
import type { Finding, Release } from './conversation.ts';
import { strangers } from './envelope.ts';
import { differences, type Shape, shapeOf } from './shape.ts';

const LONG_MS = 60_000;

interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Of the payload or the error; a second one is the end of a run. */
  readonly answers: readonly { readonly ok: boolean; readonly shape: Shape }[];
}

export interface Talk {
  readonly release: Release;
  readonly program: 'tui' | 'agent';
  readonly connect: Readonly<Record<string, unknown>>;
  readonly calls: readonly Call[];
  /** Events of its runs in one word each, in the order in which each first came. */
  readonly order: readonly string[];
  readonly events: Readonly<Record<string, Shape>>;
}

export const talks: readonly Talk[] = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixture', 'talks.json'), 'utf8'),
);

/** As talk.mjs names it. */
function word({ event, payload: p }: { event: string; payload: Payload }): string {
  if (event === 'chat') return `chat ${p.state}`;
  if (event !== 'agent') return event;
  return `agent ${p.stream}${typeof p.data?.phase === 'string' ? ` ${p.data.phase}` : ''}`;
}

export interface TalkOutcome {
  readonly findings: readonly Finding[];
  /** Of the words that were recorded, those that came here, in their order. */
  readonly order: readonly string[];
  readonly strangers: readonly string[];
  /** Answers and kinds of events that were compared. */
  readonly compared: number;
}

const isOver = (runId: string) => (p: Payload) => p.runId === runId && /^(final|aborted|error)$/.test(p.state);

class Replay {
  readonly findings: Finding[] = [];
  compared = 0;
  readonly #talk: Talk;
  readonly #partner: Partner;
  #session = '';

  constructor(talk: Talk, partner: Partner) {
    this.#talk = talk;
    this.#partner = partner;
  }

  #found(of: string, path: string, how: string): void {
    const { release, program } = this.#talk;
    this.findings.push({ release, command: program, of, path, how: `${release} ${program}: ${of} ${how}` });
  }

  #compare(of: string, shape: Shape, ours: unknown, root: string): void {
    this.compared += 1;
    for (const { path, how } of differences(shape, shapeOf(ours), root)) this.#found(of, path, how);
  }

  #answered(of: string, was: Call['answers'][number], ours: Answer): void {
    if (was.ok && !ours.ok) this.#found(of, 'refused', `is refused: ${ours.error.code} ${ours.error.message}`);
    else if (!was.ok && ours.ok) this.#found(of, 'answered', 'is answered, and was refused');
    else this.#compare(of, was.shape, ours.ok ? ours.payload : ours.error, ours.ok ? 'payload' : 'error');
  }

  /** Waits for the end of what it began. */
  async call({ method, params, answers }: Call, nth: number): Promise<void> {
    const [first, second] = answers;
    const id = `replay-${nth}`;
    const own = params.sessionId === undefined ? params : { ...params, sessionId: this.#session };
    const ours = await this.#partner.call(method, own, { id, timeoutMs: LONG_MS });
    if (first !== undefined) this.#answered(method, first, ours);
    if (!ours.ok) return;
    if (method === 'chat.history') this.#session = String(ours.payload.sessionId);
    if (method === 'chat.send' || method === 'agent')
      await this.#partner.event('chat', { where: isOver(ours.payload.runId), timeoutMs: LONG_MS });
    if (second === undefined) return;
    const all = () => this.#partner.received.map((text) => JSON.parse(text)).filter((frame) => frame.id === id);
    await until('the second answer', () => all().length === 2, LONG_MS);
    this.#answered(`${method}, its end`, second, all()[1]);
  }

  events(): readonly string[] {
    const told = new Map<string, Payload[]>();
    for (const event of this.#partner.events) told.set(word(event), [...(told.get(word(event)) ?? []), event.payload]);
    const recorded = Object.entries(this.#talk.events);
    for (const [name, shape] of recorded) {
      const payloads = told.get(name);
      if (payloads === undefined) this.#found(`event ${name}`, 'missing', 'never came');
      else this.#compare(`event ${name}`, [shape], payloads, 'payload');
    }
    return [...told.keys()].filter((name) => name in this.#talk.events);
  }
}

/** On a gateway where something was said before, and answered. */
export async function replayTalk(talk: Talk): Promise<TalkOutcome> {
  const gateway: Gateway = await start({ config: { models: { local: { enabled: false } } } });
  const owner = await gateway.owner();
  await owner.ask('chat.send', { sessionKey: 'main', message: 'hello', deliver: false, idempotencyKey: 'before' });
  await owner.ask('agent.wait', { runId: 'before', timeoutMs: 10_000 });
  const partner = await Partner.open({ port: gateway.port });
  try {
    const params = { ...plainParams(), ...talk.connect, auth: { token: gateway.token } };
    const answer = await partner.connect(params);
    if (!answer.ok) throw new Error(`it was refused: ${answer.error.message}`);
    const replay = new Replay(talk, partner);
    for (const [nth, call] of talk.calls.entries()) await replay.call(call, nth);
    const order = replay.events();
    const known = talk.connect.maxProtocol === 3 ? partner.received.flatMap(strangers) : [];
    return { findings: replay.findings, order, strangers: known, compared: replay.compared };
  } finally {
    partner.end();
    await gateway.stop();
  }
}
