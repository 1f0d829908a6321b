import fc from 'fast-check';
import { expect } from 'vitest';
import { deviceId, type Giver } from '../src/core/authz/principal.ts';
import type { Row } from '../src/core/conversation/row.ts';
import type { RunState } from '../src/core/conversation/run.ts';
import { type SessionKey, sessionKey } from '../src/core/conversation/session.ts';
import { MODES, type Mode, type RunId } from '../src/core/lane/lane.ts';
import type { openConversations } from '../src/runtime/conversations.ts';
import type { Part, Step } from '../src/runtime/model/model.ts';
import type { Store } from '../src/store/store.ts';
import { wayTo } from './killable.ts';
import { MAIN, type Said, ScriptedModel, type Stage, soon, stage } from './talk.ts';

/**
 * The property of conversations: whatever is sent, aborted, steered, interrupted, collected, reset, summed up and killed, and
 * whoever may not talk for a while, each transcript is one sequence without a gap, each message is said once, each id has one result, and what anybody was told
 * stands there.
 */

type Opener = typeof openConversations;

/** More than there are seats. */
const KEYS = [MAIN, ...['second', 'third', 'fourth'].map((name) => sessionKey(name, 'main') as SessionKey)];
export const SEATS = 2;
/** Most ids are of one session, so that there is something to join, to collect and to interrupt. */
const keyOf = (n: number): SessionKey => (n < 12 ? MAIN : (KEYS[1 + (n % 3)] ?? MAIN));

/** Some is said by a device that comes and goes. */
const DEVICE: Giver = { kind: 'device', device: deviceId('d1') };
const giverOf = (n: number): Giver => (n % 4 === 3 ? DEVICE : { kind: 'owner' });

/** Counts runs that it is at work for; what is summed up for somebody who asked is none of them. */
class CountingModel extends ScriptedModel {
  atWork = 0;
  most = 0;

  override async *step(step: Step): AsyncGenerator<Part> {
    const more = step.system.startsWith('You sum up') ? 0 : 1;
    this.atWork += more;
    this.most = Math.max(this.most, this.atWork);
    try {
      yield* super.step(step);
    } finally {
      this.atWork -= more;
    }
  }
}

type Act =
  | { readonly kind: 'send'; readonly n: number; readonly mode: Mode }
  | { readonly kind: 'abort'; readonly n: number | null }
  | { readonly kind: 'let' }
  | { readonly kind: 'wait'; readonly turns: number }
  /** The process dies, and another one begins. `isGraceful`: it is told to go, and ends what runs. */
  | { readonly kind: 'restart'; readonly isGraceful: boolean }
  | { readonly kind: 'reset'; readonly n: number }
  /** The device may not talk from now on, or may again. */
  | { readonly kind: 'turn' }
  | { readonly kind: 'inject' }
  | { readonly kind: 'compact' };

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('send' as const), n: fc.nat(20), mode: fc.constantFrom(...MODES) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), n: fc.option(fc.nat(20)) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'let' as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), turns: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'restart' as const, isGraceful: false }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const, isGraceful: true }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), n: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'turn' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'inject' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'compact' as const }) },
);

/** What the model does, step by step: says something, calls a tool, waits, breaks off. */
const sayings: fc.Arbitrary<readonly Said[]> = fc.array(
  fc.oneof(
    fc.constant<Said>({ text: 'all is done' }),
    fc.constant<Said>({ text: 'let me look', call: 'look' }),
    fc.constant<Said>({ text: 'half of', fail: 'bad_request' }),
    fc.constant<Said>({ text: 'wait for it', call: 'hold' }),
  ),
  { minLength: 1, maxLength: 8 },
);

class World {
  readonly #disk: Store;
  readonly #sayings: readonly Said[];
  #way: ReturnType<typeof wayTo>;
  stage: Stage | null = null;
  readonly models: CountingModel[] = [];
  readonly violations: string[] = [];
  #gates: (() => void)[] = [];
  /** What the model said in each step, whole. */
  readonly said: string[] = [];
  #isOpen = false;
  isGone = false;
  /** What was told as accepted, with how it was sent; ends and words as they were told, whichever process told them. */
  readonly accepted = new Map<string, Mode>();
  readonly ends = new Map<string, RunState>();
  readonly words: { readonly run: string; readonly text: string }[] = [];
  readonly #open: Opener;
  /** Asked of this process and not answered yet; one that was killed answers nobody. */
  asked = new Set<Promise<unknown>>();

  constructor(disk: Store, given: readonly Said[], open: Opener) {
    this.#disk = disk;
    this.#way = wayTo(disk);
    this.#sayings = given;
    this.#open = open;
  }

  async begin(): Promise<void> {
    const model = new CountingModel((step) => {
      if (step.system.startsWith('You sum up')) return 'summed up';
      const given = this.#sayings[this.said.length % this.#sayings.length] ?? {};
      const isHeld = given.call === 'hold';
      // Each answer is known by its number.
      const text = `${this.said.length}: ${isHeld && this.#isOpen ? 'done' : (given.text ?? '')}`;
      this.said.push(text);
      if (!isHeld) return { ...given, text };
      if (this.#isOpen) return { text };
      const hold = new Promise<void>((resolve) => this.#gates.push(resolve));
      return { text, call: 'look', hold };
    });
    this.models.push(model);
    const mayTalk = (giver: Giver) => giver.kind === 'owner' || !this.isGone;
    const given = { store: this.#way.store, model, atWorkMax: SEATS, open: this.#open, mayTalk };
    // Told while it starts, too.
    this.stage = await stage(given);
    this.#hear(this.stage);
  }

  #heard = 0;
  /** What this process has begun and not ended, by session. */
  readonly #atWork = new Map<SessionKey, RunId>();
  #hear({ events }: Stage): void {
    for (; this.#heard < events.length; this.#heard += 1) {
      const event = events[this.#heard];
      if (event?.kind === 'text') this.words.push({ run: event.run, text: event.text });
      if (event?.kind === 'start') {
        expect(this.#atWork.get(event.key), `one run at a time in ${event.key}`).toBeUndefined();
        this.#atWork.set(event.key, event.run);
      }
      if (event === undefined || event.kind !== 'end') continue;
      if (this.#atWork.get(event.key) === event.run) this.#atWork.delete(event.key);
      expect(this.ends.has(event.run), `${event.run} ends once`).toBe(false);
      this.ends.set(event.run, event.state);
    }
  }

  hear(): void {
    if (this.stage !== null) this.#hear(this.stage);
  }

  async restart(isGraceful: boolean): Promise<void> {
    if (isGraceful) await this.stage?.talk.stop(60_000);
    this.hear();
    this.#way.kill();
    this.asked = new Set();
    this.#way = wayTo(this.#disk);
    this.#heard = 0;
    this.#atWork.clear();
    await this.begin();
  }

  let(): void {
    for (const open of this.#gates.splice(0)) open();
  }

  openAll(): void {
    this.#isOpen = true;
    this.let();
  }

  /** Goes on meanwhile. */
  ask<T>(answer: Promise<T>, told: (answer: T) => void = () => {}): void {
    const { asked } = this;
    asked.add(answer);
    answer.then(told, () => {}).finally(() => asked.delete(answer));
  }

  get disk(): Store {
    return this.#disk;
  }
}

const sendOf = (now: Stage, n: number, mode: Mode) =>
  now.send(`r${n}`, `said in r${n}`, { mode, key: keyOf(n), giver: giverOf(n) });

async function act(world: World, one: Act): Promise<void> {
  const { stage: now } = world;
  if (now === null) return;
  switch (one.kind) {
    case 'send': {
      const id = `r${one.n}`;
      const told = (answer: Awaited<ReturnType<Stage['send']>>) => {
        if (!('run' in answer)) return;
        if (!answer.again) world.violations.push(...(world.accepted.has(id) ? [`${id} was new twice`] : []));
        world.accepted.set(id, one.mode);
      };
      return world.ask(sendOf(now, one.n, one.mode), told);
    }
    case 'abort':
      return world.ask(now.talk.abort(keyOf(one.n ?? 0), one.n === null ? null : (`r${one.n}` as RunId)));
    case 'let':
      return world.let();
    case 'wait':
      for (let n = 0; n < one.turns; n += 1) {
        await soon();
        // What was gathered is written.
        if (n % 2 === 1) now.clock.advance(50);
      }
      return world.hear();
    case 'restart':
      return world.restart(one.isGraceful);
    case 'reset':
      return world.ask(now.talk.reset(keyOf(one.n), { kind: 'owner' }));
    case 'turn':
      world.isGone = !world.isGone;
      return;
    case 'inject':
      return world.ask(now.talk.inject(MAIN, { kind: 'owner' }, 'by the way', null));
    case 'compact':
      return world.ask(now.talk.compact(MAIN, { kind: 'owner' }, () => true));
  }
}

/** Rounds of the event loop in which everything comes to its end by itself. */
const ROUNDS_MAX = 1_000;

async function settled(world: World): Promise<void> {
  const over = async () => world.asked.size === 0 && (await world.disk.read((tx) => tx.runs.open())).length === 0;
  let quiet = 0;
  for (let n = 0; quiet < 3; n += 1) {
    if (n > ROUNDS_MAX) throw new Error('not everything comes to its end');
    quiet = (await over()) ? quiet + 1 : 0;
    world.let();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  world.hear();
}

/** Every conversation that there was, those that were reset among them. */
async function transcripts(disk: Store, runs: readonly RunState[]): Promise<ReadonlyMap<string, readonly Row[]>> {
  return disk.read(async (tx) => {
    const found = new Map<string, readonly Row[]>();
    const now = await tx.sessions.list({ limit: 1_000 });
    for (const id of new Set([...now, ...runs].map((one) => ('session' in one ? one.session : one.id)))) {
      const rows = await tx.sessions.rows(id, 1, 10_000);
      expect(
        rows.map(({ seq }) => seq),
        'no gap',
      ).toEqual(rows.map((_, at) => at + 1));
      found.set(id, rows);
    }
    for (const { id, rows } of now) expect(rows, 'a session counts its rows').toBe(found.get(id)?.length);
    return found;
  });
}

const GONE = 'not_allowed';

/** Its kind, or that its giver was gone. */
const endOf = ({ end }: RunState): string =>
  end?.kind === 'error' && end.code === GONE ? GONE : (end?.kind ?? 'none');

function judgeRuns(world: World, runs: readonly RunState[], found: ReadonlyMap<string, readonly Row[]>): void {
  const states = new Map<string, RunState>(runs.map((run) => [run.id, run]));
  for (const id of world.accepted.keys()) expect(states.get(id)?.end, `${id} was accepted`).toBeTruthy();
  for (const run of runs) {
    if (run.id.startsWith('compact-')) continue;
    const said = [...found].flatMap(([id, rows]) =>
      rows.flatMap(({ run: by, body }) => (by === run.id && body.kind === 'user' ? id : [])),
    );
    // What was begun was said once, where it was sent to; what was dropped, never.
    expect(said, `${run.id} was said`).toEqual(run.startedAt === null ? [] : [run.session]);
    if (run.startedAt === null) expect(['aborted', run.giver.kind === 'device' ? GONE : '']).toContain(endOf(run));
    else expect(endOf(run)).not.toBe(GONE);
    const told = world.ends.get(run.id);
    // What a process stored in its last moment it may not have told.
    if (told !== undefined) expect(told, `${run.id} ended as it was told`).toEqual(run);
  }
}

function judgeWords(world: World, found: ReadonlyMap<string, readonly Row[]>): void {
  const rows = [...found.values()].flat();
  const answers = rows.flatMap(({ run, body }) => (body.kind === 'assistant' ? { run, text: body.text } : []));
  const numbers = answers.map(({ text }) => Number.parseInt(text, 10));
  // What the model said, said once.
  expect([...new Set(numbers)], 'each answer stands once').toEqual(numbers);
  for (const [at, { text }] of answers.entries()) {
    expect(world.said[numbers[at] ?? -1]?.startsWith(text), `'${text}' was said`).toBe(true);
  }
  for (const { run, text } of world.words) {
    const kept = answers.some((one) => one.run === run && one.text.startsWith(text));
    expect(kept, `'${text}' of ${run} was heard`).toBe(true);
  }
  // Each call is followed by its result.
  for (const own of found.values())
    for (const [at, { body }] of own.entries()) {
      if (body.kind !== 'assistant' || body.calls.length === 0) continue;
      expect(own[at + 1]?.body, 'the result of a call').toMatchObject({ kind: 'tool', call: body.calls[0]?.id });
    }
}

/** The very same message again is what it was, whatever has been between. */
async function judgeIds(world: World, runs: readonly RunState[]): Promise<void> {
  expect(world.violations).toEqual([]);
  for (const [id, mode] of world.accepted) {
    if (world.stage === null) return;
    const again = await sendOf(world.stage, Number(id.slice(1)), mode);
    const run = runs.find((one) => one.id === id);
    expect(again, `${id} has one result`).toEqual({ run, again: true });
  }
}

const sent = (n: number, mode: Mode): Act => ({ kind: 'send', n, mode });
const waited: Act = { kind: 'wait', turns: 24 };

/**
 * What chance may leave out: what steers and what is collected joins a run, the process dies in the middle of an answer, a
 * giver is gone when its turn comes.
 */
const EXAMPLES: [Act[], readonly Said[]][] = [
  [
    [sent(0, 'followup'), sent(12, 'followup'), waited, sent(1, 'steer'), waited, { kind: 'let' }, waited],
    [{ text: 'wait for it', call: 'hold' }, { text: 'all is done' }],
  ],
  [
    [sent(0, 'followup'), waited, sent(1, 'collect'), sent(2, 'collect'), sent(3, 'followup'), waited].concat(
      { kind: 'abort', n: 3 },
      waited,
      { kind: 'restart', isGraceful: false },
      waited,
    ),
    [{ text: 'wait for it', call: 'hold' }, { text: 'half of', fail: 'bad_request' }, { text: 'all is done' }],
  ],
];

const GOING: [Act[], readonly Said[]] = [
  [sent(0, 'followup'), sent(3, 'followup'), sent(1, 'collect'), sent(7, 'collect'), waited, { kind: 'turn' }, waited],
  [{ text: 'wait for it', call: 'hold' }, { text: 'all is done' }],
];

export interface Seen {
  /** Runs by how they ended, and `not_allowed`. */
  readonly ends: ReadonlySet<string>;
  /** Most runs at work at once. */
  readonly fullest: number;
  /** Words that were told before their process died, in the middle of a step. */
  readonly partial: number;
}

/** @throws where the property does not hold, with the history */
export async function checkInterleavings(given: {
  readonly disk: () => Promise<{ readonly store: Store; clear(): void }>;
  readonly open: Opener;
  readonly numRuns: number;
  readonly seed?: number;
}): Promise<Seen> {
  const ends = new Set<string>();
  let [fullest, partial] = [0, 0];
  const history = fc.array(acts, { minLength: 1, maxLength: 40 });
  const property = fc.asyncProperty(history, sayings, async (all, said) => {
    const { store, clear } = await given.disk();
    const world = new World(store, said, given.open);
    await world.begin();
    for (const one of all) await act(world, one);
    world.openAll();
    await settled(world);
    const runs = await store.read((tx) => tx.runs.list({ limit: 1_000 }));
    const found = await transcripts(store, runs);
    for (const { most } of world.models) {
      expect(most, 'runs at work at once').toBeLessThanOrEqual(SEATS);
      fullest = Math.max(fullest, most);
    }
    expect(world.stage?.errors ?? []).toEqual([]);
    judgeRuns(world, runs, found);
    judgeWords(world, found);
    await judgeIds(world, runs);
    for (const run of runs) ends.add(endOf(run));
    for (const { body } of [...found.values()].flat())
      if (body.kind === 'assistant' && body.stop === 'partial') partial += 1;
    await store.close();
    clear();
  });
  const seeded = given.seed === undefined ? {} : { seed: given.seed, endOnFailure: true };
  await fc.assert(property, { numRuns: given.numRuns, examples: [...EXAMPLES, GOING], ...seeded });
  return { ends, fullest, partial };
}
