import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAIN, type Said, ScriptedModel, type Stage, soon, stage } from '../../test/talk.ts';
import type { Row } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import { type SessionKey, sessionKey } from '../core/conversation/session.ts';
import { MODES, type Mode, type RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { makeScratch } from '../store/sqlite/scratch.ts';
import type { Store } from '../store/store.ts';
import type { Part, Step } from './model/model.ts';

/** More than there are seats. */
const KEYS = [MAIN, ...['second', 'third', 'fourth'].map((name) => sessionKey(name, 'main') as SessionKey)];
const SEATS = 2;
/** Most ids are of one session, so that there is something to join, to collect and to interrupt. */
const keyOf = (n: number): SessionKey => (n < 12 ? MAIN : (KEYS[1 + (n % 3)] ?? MAIN));

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

/** A process's way to the disk: once it is killed nothing of it gets there, and nothing comes back. */
function wayTo(disk: Store): { readonly store: Store; kill(): void } {
  let isDead = false;
  const never = new Promise<never>(() => {});
  const alive = <T>(result: Promise<T>) =>
    result.then(
      (value) => (isDead ? never : value),
      (error) => (isDead ? never : Promise.reject(error)),
    );
  const store: Store = {
    describe: 'killed at times',
    read: (work) => (isDead ? never : alive(disk.read(work))),
    write: (work) => {
      if (isDead) return never;
      return alive(
        disk.write(async (tx) => {
          if (isDead) throw new Error('killed');
          const result = await work(tx);
          // In the middle of it, or before it was committed.
          if (isDead) throw new Error('killed');
          return result;
        }),
      );
    },
    close: () => disk.close(),
  };
  return {
    store,
    kill: () => {
      isDead = true;
    },
  };
}

type Act =
  | { readonly kind: 'send'; readonly n: number; readonly mode: Mode }
  | { readonly kind: 'abort'; readonly n: number | null }
  | { readonly kind: 'let' }
  | { readonly kind: 'wait'; readonly turns: number }
  | { readonly kind: 'restart' }
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
  { weight: 2, arbitrary: fc.constant({ kind: 'restart' as const }) },
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
  #gates: (() => void)[] = [];
  #steps = 0;
  #isOpen = false;
  /** What was told as accepted, and its ends as they were told, whichever process told them. */
  readonly accepted = new Map<string, Promise<unknown>>();
  readonly ends = new Map<string, RunState>();
  readonly ids = new Set<string>();

  constructor(disk: Store, given: readonly Said[]) {
    this.#disk = disk;
    this.#way = wayTo(disk);
    this.#sayings = given;
  }

  async begin(): Promise<void> {
    const model = new CountingModel(() => {
      const said = this.#sayings[this.#steps++ % this.#sayings.length] ?? {};
      if (said.call !== 'hold') return said;
      if (this.#isOpen) return { text: 'done' };
      const hold = new Promise<void>((resolve) => this.#gates.push(resolve));
      return { text: said.text ?? '', call: 'look', hold };
    });
    this.models.push(model);
    const given = { store: this.#way.store, model, atWorkMax: SEATS };
    // Told while it starts, too.
    this.stage = await stage(given);
    this.#hear(this.stage);
  }

  #heard = 0;
  #hear({ events }: Stage): void {
    for (; this.#heard < events.length; this.#heard += 1) {
      const event = events[this.#heard];
      if (event === undefined || event.kind !== 'end') continue;
      expect(this.ends.has(event.run), `${event.run} ends once`).toBe(false);
      this.ends.set(event.run, event.state);
    }
  }

  hear(): void {
    if (this.stage !== null) this.#hear(this.stage);
  }

  async restart(): Promise<void> {
    this.hear();
    this.#way.kill();
    this.#way = wayTo(this.#disk);
    this.#heard = 0;
    await this.begin();
  }

  let(): void {
    for (const open of this.#gates.splice(0)) open();
  }

  openAll(): void {
    this.#isOpen = true;
    this.let();
  }

  get disk(): Store {
    return this.#disk;
  }
}

async function act(world: World, one: Act): Promise<void> {
  const { stage: now } = world;
  if (now === null) return;
  switch (one.kind) {
    case 'send': {
      const id = `r${one.n}`;
      const sent = now.send(id, `said in ${id}`, { mode: one.mode, key: keyOf(one.n) }).then((told) => {
        if ('run' in told) world.ids.add(id);
        return told;
      });
      world.accepted.set(id, sent);
      sent.catch(() => {});
      return;
    }
    case 'abort':
      now.talk.abort(keyOf(one.n ?? 0), one.n === null ? null : (`r${one.n}` as RunId)).catch(() => {});
      return;
    case 'let':
      return world.let();
    case 'wait':
      for (let n = 0; n < one.turns; n += 1) await soon();
      return world.hear();
    case 'restart':
      return world.restart();
    case 'inject':
      now.talk.inject(MAIN, { kind: 'owner' }, 'by the way', null).catch(() => {});
      return;
    case 'compact':
      now.talk.compact(MAIN).catch(() => {});
  }
}

const DRIVERS = { memory: 150, sqlite: 25 } as const;

test.each(Object.entries(DRIVERS))(
  'rule: whatever is sent, aborted, steered and killed over %s: no gap, one end for each id, nothing accepted is lost',
  async (driver, numRuns) => {
    const seen = new Map<string, number>();
    let fullest = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { minLength: 1, maxLength: 40 }), sayings, async (all, said) => {
        const scratch = driver === 'memory' ? null : makeScratch();
        const disk = scratch === null ? openMemory() : await openSqlite(scratch.options);
        const world = new World(disk, said);
        await world.begin();
        for (const one of all) await act(world, one);
        world.openAll();
        // Everything comes to its end by itself.
        const over = async () => (await world.disk.read((tx) => tx.runs.open())).length === 0;
        for (let quiet = 0; quiet < 3; ) {
          quiet = (await over()) ? quiet + 1 : 0;
          world.let();
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        world.hear();
        const runs = await world.disk.read((tx) => tx.runs.list({ limit: 1_000 }));
        const rows: Row[] = [];
        for (const key of KEYS) {
          const { session, own } = await world.disk.read(async (tx) => {
            const now = await tx.sessions.load(key);
            return { session: now, own: now === null ? [] : await tx.sessions.rows(now.id, 1, 10_000) };
          });
          expect(own.map(({ seq }) => seq)).toEqual(own.map((_, at) => at + 1));
          expect(session?.rows ?? 0).toBe(own.length);
          rows.push(...own);
        }
        for (const { most } of world.models) {
          expect(most, 'runs at work at once').toBeLessThanOrEqual(SEATS);
          fullest = Math.max(fullest, most);
        }
        expect(world.stage?.errors ?? []).toEqual([]);
        const states = new Map<string, RunState>(runs.map((run) => [run.id, run]));
        for (const id of world.ids) expect(states.get(id)?.end, `${id} was accepted`).toBeTruthy();
        for (const run of states.values()) {
          if (run.id.startsWith('compact-')) continue;
          const times = rows.filter((row) => row.run === run.id && row.body.kind === 'user').length;
          seen.set(run.end?.kind ?? 'none', (seen.get(run.end?.kind ?? 'none') ?? 0) + 1);
          // What was begun was said once; what was dropped, never.
          expect(times, `${run.id} was said`).toBe(run.startedAt === null ? 0 : 1);
          if (run.startedAt === null) expect(run.end?.kind).toBe('aborted');
          const told = world.ends.get(run.id);
          // What a process stored in its last moment it may not have told.
          if (told !== undefined) expect(told).toEqual(run);
        }
        // Each call is followed by its result.
        for (const [at, { body }] of rows.entries()) {
          if (body.kind !== 'assistant' || body.calls.length === 0) continue;
          expect(rows[at + 1]?.body).toMatchObject({ kind: 'tool', call: body.calls[0]?.id });
        }
        await disk.close();
        scratch?.clear();
      }),
      { numRuns },
    );
    expect(fullest).toBe(SEATS);
    // It came to each of the ends.
    if (driver === 'memory')
      expect([...seen.keys()].sort()).toEqual(['aborted', 'error', 'interrupted', 'joined', 'ok']);
  },
  120_000,
);
