// What runs say, told as it comes to a disk that is quick, slow or full: whatever happens in between, nobody is told what is
// not written, and nothing is written twice. Then one clause of the teller is broken at a time, and it is noticed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunId } from '../../src/core/lane/lane.ts';
import type { Piece } from '../../src/runtime/scribe.ts';
import { Teller } from '../../src/runtime/teller.ts';
import { ScriptedClock } from '../../src/system/clock.ts';
import { MAIN, soon } from '../talk.ts';

const RUNS = ['a', 'b', 'c'] as RunId[];
/** What runs say is gathered for so long; a full disk is asked again after so long. */
const [GATHER_MS, AGAIN_MS] = [50, 5_000];

type Act =
  | { readonly kind: 'say' | 'hold' | 'row'; readonly run: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'disk'; readonly isFull: boolean };

const run = fc.nat(RUNS.length - 1);
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('say' as const), run }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold' as const), run }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('row' as const), run }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 3, 20, 50) }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('disk' as const), isFull: fc.constant(false) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('disk' as const), isFull: fc.constant(true) }) },
  ),
  { maxLength: 60 },
);

/** One answer of a run: what was said of it, what of that is on the disk, and what was told. */
interface Answer {
  said: string;
  written: string;
  told: string;
  isHeld: boolean;
}

class World {
  readonly clock = new ScriptedClock();
  readonly answers = new Map<RunId, Answer>(RUNS.map((id) => [id, { said: '', written: '', told: '', isHeld: false }]));
  readonly teller: Teller;
  #writing: { readonly pieces: readonly Piece[]; done(): void; fail(): void } | null = null;
  #words = 0;
  readonly #broken: string[] = [];
  /** Until then nothing is written, and nothing but first words. */
  #fullMs = 0;
  #restMs = 0;

  constructor(open: typeof Teller) {
    const { clock } = this;
    this.teller = new open({ clock, diary: { info() {}, error() {} }, keep: (pieces) => this.#keep(pieces) });
    this.teller.subscribe((event) => {
      if (event.kind !== 'text') return;
      const answer = this.#of(event.run);
      answer.told += event.delta;
      this.#see(event.text === answer.told, 'the answer so far is told');
      this.#see(answer.written.startsWith(answer.told), 'what is told is written');
    });
  }

  /** What is thrown where the teller calls is the teller's to handle. */
  #see(isSo: boolean, what: string): void {
    if (!isSo) this.#broken.push(what);
  }

  #of(id: RunId): Answer {
    const answer = this.answers.get(id);
    if (answer === undefined) throw new Error(`nobody is ${id}`);
    return answer;
  }

  #keep(pieces: readonly Piece[]): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    this.#see(this.#writing === null, 'one piece after the other');
    this.#see(nowMs >= this.#fullMs, 'a full disk rests');
    const isFirst = pieces.every(({ run: id }) => this.#of(id).written === '');
    this.#see(isFirst || nowMs >= this.#restMs, 'what is said is gathered');
    for (const { run: id } of pieces) this.#see(!this.#of(id).isHeld, 'nothing is written beside its row');
    return new Promise((done, fail) => {
      this.#writing = { pieces, done, fail: () => fail(new Error('no room')) };
    });
  }

  async act(one: Act): Promise<void> {
    if (one.kind === 'pass') this.clock.advance(one.ms);
    else if (one.kind === 'disk') await this.disk(one.isFull);
    else await this.#speak(one.kind, RUNS[one.run] ?? ('a' as RunId));
    await soon();
    expect(this.#broken).toEqual([]);
  }

  async #speak(kind: 'say' | 'hold' | 'row', id: RunId): Promise<void> {
    const answer = this.#of(id);
    if (kind === 'say' && !answer.isHeld) {
      this.#words += 1;
      answer.said += `${this.#words} `;
      this.teller.text(id, MAIN, { model: 'lab/one', delta: `${this.#words} ` });
    } else if (kind === 'hold' && answer.said !== '') {
      answer.isHeld = true;
      this.teller.hold(id);
    } else if (kind === 'row' && answer.isHeld) await this.row(id, answer);
  }

  /** It stands in its row; what was on its way before it is on the disk by then. */
  async row(id: RunId, answer: Answer): Promise<void> {
    await this.disk(false);
    answer.written = answer.said;
    this.teller.stored(id);
    expect(answer.told, 'an answer is told whole').toBe(answer.said);
    Object.assign(answer, { said: '', written: '', told: '', isHeld: false });
    this.teller.cut(id, MAIN);
  }

  async disk(isFull: boolean): Promise<void> {
    const writing = this.#writing;
    if (writing === null) return;
    this.#writing = null;
    const nowMs = this.clock.monotonicMs();
    if (isFull) this.#fullMs = nowMs + AGAIN_MS;
    else {
      const isFirst = writing.pieces.every(({ run: id }) => this.#of(id).written === '');
      for (const { run: id, text } of writing.pieces) this.#of(id).written += text;
      if (!isFirst) this.#restMs = nowMs + GATHER_MS;
    }
    for (const [id, { said, written }] of this.answers) {
      expect(said.startsWith(written), `what is written of ${id} was said once`).toBe(true);
    }
    if (isFull) writing.fail();
    else writing.done();
    await soon();
  }

  async end(): Promise<void> {
    for (let n = 0; n < 20; n += 1) {
      this.clock.advance(AGAIN_MS);
      await this.disk(false);
    }
    for (const [id, answer] of this.answers) if (answer.isHeld) await this.row(id, answer);
    for (const [id, { said, told }] of this.answers) expect(told, `all of ${id} is told`).toBe(said);
    expect(this.clock.pending, 'nobody waits').toBe(0);
    expect(this.#broken).toEqual([]);
  }
}

const judged = (open: typeof Teller) =>
  fc.assert(
    fc.asyncProperty(acts, async (all) => {
      const world = new World(open);
      for (const one of all) await world.act(one);
      await world.end();
    }),
    { numRuns: 3_000, seed: 20_261_121, endOnFailure: true },
  );

const SOURCE = readFileSync(join(import.meta.dirname, '../../src/runtime/teller.ts'), 'utf8');

async function broken(from: string, to: string): Promise<typeof Teller> {
  const count = SOURCE.split(from).length - 1;
  if (count !== 1) throw new Error(`stands ${count} times: ${from}`);
  const { code } = await transform(
    SOURCE.replace(from, () => to),
    { loader: 'ts', format: 'cjs', target: 'node24' },
  );
  const module = { exports: {} as { Teller: typeof Teller } };
  new Function('module', 'exports', code)(module, module.exports);
  return module.exports.Teller;
}

/** Each text stands once. */
const MUTANTS: Readonly<Record<string, readonly [from: string, to: string]>> = {
  'a beat falls while first words are on their way': ['this.#gather(false);', 'void this.#write(false);'],
  'two pieces are on their way at once': ['if (this.#isWriting || this.#isEnded)', 'if (this.#isEnded)'],
  'what is about to be a row is written beside it': ['|| telling.isHeld) return [];', ') return [];'],
  'all is told that was said when some of it is written': [
    'next < 0 ? telling.line.length : next',
    'telling.line.length',
  ],
  'another answer goes on from the one before': [
    "telling.isHeld = false;\n    telling.text = '';",
    'telling.isHeld = false;',
  ],
  'others are not gathered when somebody begins': ["!isFirst || text === ''", 'true'],
  'a disk that refused is asked at once': ['[AGAIN_MS, false]', '[GATHER_MS, false]'],
  'a disk that refused is quick': ['this.#isQuick = isQuick;', ''],
  'what is said while a piece is written waits for good': [
    'if (this.#isAnyoneWaiting()) this.#gather(',
    'if (false) this.#gather(',
  ],
  'what the disk refused is told': [
    '// It is tried again, and told then',
    'for (const t of taken) this.#upTo(t.piece.run, t.telling, t.last); // ',
  ],
};

test('rule: what runs say is written once, then told, whatever the disk does', () => judged(Teller));

test.each(Object.entries(MUTANTS))('rule: it is noticed that %s', async (_name, [from, to]) => {
  const open = await broken(from, to);
  await expect(judged(open)).rejects.toThrow(/Property failed/);
});
