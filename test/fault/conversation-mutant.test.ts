// Each part of the property of conversations can fail: one clause of the runtime is broken at a time, and it is noticed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import type { openConversations } from '../../src/runtime/conversations.ts';
import { openMemory } from '../../src/store/memory/memory.ts';
import { checkInterleavings } from '../interleaving.ts';

const src = join(import.meta.dirname, '../../src');

type Mutant = readonly [file: string, from: string, to: string, noticed: RegExp];

/** Each text stands once in its file. */
const MUTANTS: Readonly<Record<string, Mutant>> = {
  'a row leaves a gap': [
    'runtime/page.ts',
    'seq: rows + this.rows.length + 1,',
    'seq: rows + this.rows.length + 2,',
    /does not follow|deeply equal/,
  ],
  'what was begun is said again with its end': [
    'runtime/scribe.ts',
    'if (run.startedAt !== null) return run;',
    '',
    /was said/,
  ],
  'the same id is something new': [
    'runtime/asking.ts',
    'return isSame ? { run, again: true }',
    'return isSame ? { run, again: false }',
    /was new twice|has one result/,
  ],
  'what ran when the process died stays open': [
    'runtime/conversations.ts',
    'open.filter(({ startedAt }) => startedAt !== null)) {',
    'open.filter(() => false)) {',
    /comes to its end/,
  ],
  'what waited when the process died stays': [
    'runtime/conversations.ts',
    'const waiting = open.filter(({ startedAt }) => startedAt === null);',
    'const waiting = open.filter(() => false);',
    /comes to its end/,
  ],
  'what joined a run does not end with it': ['runtime/run.ts', 'this.joined.push(...joining);', '', /comes to its end/],
  'what was collected does not end with its run': [
    'runtime/run.ts',
    'this.joined = [...joining];',
    'this.joined = [];',
    /comes to its end/,
  ],
  'what was aborted before it began stays open': [
    'runtime/players.ts',
    "this.#dropped(run, { kind: 'aborted' });",
    '',
    /comes to its end/,
  ],
  'two runs are at work in a session': [
    'core/lane/lane.ts',
    'if (running === null) return next({ running, waiting: [...waiting, { run, mode }] });',
    'if (running === null || mode === "interrupt") return next({ running: null, waiting: [{ run, mode }, ...waiting] });',
    /one run at a time/,
  ],
  'more runs are at work than there are seats': [
    'runtime/seats.ts',
    'owner: this.#max - all,',
    'owner: this.#max + 1 - all,',
    /runs at work at once/,
  ],
  'a reset does not end what runs': [
    'runtime/conversations.ts',
    'await this.abort(key, null);\n      const session =',
    'const session =',
    /the conversation of a run is gone|toEqual|deeply equal/,
  ],
  'what is said is told before it is on disk': [
    'runtime/teller.ts',
    'await keep(taken.map(({ piece }) => piece));',
    'void keep([]);',
    /was heard/,
  ],
  'words behind a piece are told with it': [
    'runtime/teller.ts',
    'this.#release(run, telling, next < 0 ? telling.line.length : next);',
    'this.#release(run, telling);',
    /was heard|was said/,
  ],
  'a seat is not given back': [
    'runtime/seats.ts',
    'if (left > 0) row.taken.set(name, left);',
    'if (left >= 0) row.taken.set(name, left + 1);',
    /comes to its end/,
  ],
  'what was heard is not written down where the process died': [
    'runtime/scribe.ts',
    "if (saying === null || saying.text === ''",
    "if (saying === null || saying.text !== ''",
    /was heard/,
  ],
  'what is a row already is said once more where the process dies': [
    'runtime/scribe.ts',
    'await tx.runs.said(run);',
    '',
    /stands once|was said/,
  ],
  'an end is told otherwise than it is kept': [
    'runtime/players.ts',
    "this.#tools.teller.run(state.id, state.key, { kind: 'end', state, text, stop });",
    "this.#tools.teller.run(state.id, state.key, { kind: 'end', state: { ...state, endedAt: 0 }, text, stop });",
    /ended as it was told/,
  ],
  'an end is told twice': [
    'runtime/players.ts',
    "this.#tools.teller.run(state.id, state.key, { kind: 'end', state, text, stop });",
    "for (let n = 0; n < 2; n += 1) this.#tools.teller.run(state.id, state.key, { kind: 'end', state, text, stop });",
    /ends once|listener/,
  ],
  'a call stands without its result': [
    'runtime/run.ts',
    'rows: [row, ...answers], taken',
    'rows: [row], taken',
    /the result of a call/,
  ],
};

/** The conversations as they are, with one text replaced. */
async function broken(file: string, from: string, to: string): Promise<typeof openConversations> {
  const text = readFileSync(join(src, file), 'utf8');
  if (text.split(from).length !== 2) throw new Error(`stands ${text.split(from).length - 1} times in ${file}: ${from}`);
  const { outputFiles } = await build({
    entryPoints: [join(src, 'runtime/conversations.ts')],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    define: { 'import.meta.dirname': '""' },
    logLevel: 'silent',
    plugins: [
      {
        name: 'swap',
        setup: (on) =>
          on.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
            contents: path === join(src, file) ? text.replace(from, () => to) : readFileSync(path, 'utf8'),
            loader: 'ts',
          })),
      },
    ],
  });
  const module = { exports: {} as { openConversations: typeof openConversations } };
  const script = new Function('module', 'exports', 'require', outputFiles[0]?.text ?? '');
  script(module, module.exports, createRequire(import.meta.url));
  return module.exports.openConversations;
}

const SEED = 20_260_819;
const judged = (open: typeof openConversations, numRuns: number) =>
  checkInterleavings({ disk: async () => ({ store: openMemory(), clear() {} }), open, numRuns, seed: SEED });

test('rule: nothing is noticed where nothing is broken', async () => {
  const seats = 'owner: this.#max - all,';
  await judged(await broken('runtime/seats.ts', seats, seats), 20);
}, 120_000);

test.each(Object.entries(MUTANTS))(
  'rule: it is noticed that %s',
  async (_name, [file, from, to, noticed]) => {
    const open = await broken(file, from, to);
    const error = await judged(open, 1_000).then(
      () => null,
      (why: unknown) => why as Error,
    );
    expect(error, 'it was noticed').not.toBeNull();
    expect(`${error?.message} ${String(error?.cause)}`).toMatch(noticed);
  },
  120_000,
);
