import { expect, test } from 'vitest';
import { at, type Finding, filesUnder, isNode, type Node, parse, type Source, sourcesUnder, visit } from './source.ts';

/** Names that say nothing about what a file is for. */
const empty = /^(utils?|helpers?|common|managers?|misc)$/i;

/** Any part of a path, also as one word of several: `token-manager.ts`, `dateUtils.ts`. */
const emptyWords = (paths: readonly string[]): Finding[] =>
  paths.filter((path) =>
    path
      .split('/')
      .flatMap((part) => part.replace(/([a-z])([A-Z])/g, '$1-$2').split(/[-_.]/))
      .some((word) => empty.test(word)),
  );

/** Where every test holds a rule of the design or answers a threat. */
const ruled = [
  'test/scenario',
  'test/model',
  'test/matrix',
  'test/rule',
  'test/fault',
  'test/crash',
  'src/core/authz',
  'src/store',
  'src/authority',
];

const ruleId = /^([ADST]\d+\b|threat \d+\b|rule\b)/;

/** `test` of `test(…)`, `it.each(…)(…)`, `test.skipIf(…)(…)`: the name that a call begins with. */
function rootName(callee: unknown): string {
  if (!isNode(callee)) return '';
  if (callee.type === 'Identifier') return String(callee.name);
  if (callee.type === 'MemberExpression') return rootName(callee.object);
  if (callee.type === 'CallExpression') return rootName(callee.callee);
  return callee.type === 'TaggedTemplateExpression' ? rootName(callee.tag) : '';
}

/** The title as far as it is written; `$` where its beginning is computed, undefined for no title. */
function titleOf(call: Node): string | undefined {
  const first = (call.arguments as Node[])[0];
  if (first?.type === 'Literal' && typeof first.value === 'string') return first.value;
  if (first?.type === 'TemplateLiteral') {
    const quasis = first.quasis as { value: { cooked: string } }[];
    return quasis[0]?.value.cooked || '$';
  }
  return undefined;
}

function untitled(source: Source): Finding[] {
  const found: Finding[] = [];
  const isCall = (node: Node, names: RegExp): boolean =>
    node.type === 'CallExpression' && names.test(rootName(node.callee));
  visit(parse(source), (node, parents) => {
    if (!isCall(node, /^(test|it)$/)) return;
    const title = titleOf(node);
    if (title === undefined) return;
    // A row of a table brings its own rule: `$rule …`, `%s …`.
    if (/^[$%]/.test(title) || ruleId.test(title)) return;
    const suites = parents.filter((parent) => isCall(parent, /^describe$/)).map(titleOf);
    if (suites.some((suite) => suite !== undefined && ruleId.test(suite))) return;
    found.push(`${at(source, node)}: '${title}' begins with no rule id`);
  });
  return found;
}

test('rule: no file and no folder has a name that says nothing', () => {
  expect(emptyWords(filesUnder('src', 'test', 'bench', 'scripts', 'bin', 'docs'))).toEqual([]);
});

test('rule: an empty name is found', () => {
  const paths = ['src/utils/a.ts', 'src/a/helpers.ts', 'src/a/tokenManager.ts', 'src/a/x-common.ts', 'test/misc/a.ts'];
  expect(emptyWords(paths)).toEqual(paths);
  expect(emptyWords(['src/core/base/result.ts', 'src/commons-law.ts', 'src/miscount.ts'])).toEqual([]);
});

test('rule: the titles of tests begin with the rule they hold', () => {
  expect(sourcesUnder(...ruled).flatMap(untitled)).toEqual([]);
});

test.each([
  "test('connects', () => {});",
  "it('connects', () => {});",
  "test.skip('connects', () => {});",
  "test.each([1])('connects %i', () => {});",
  "test.skipIf(isRoot)('connects', () => {});",
  "describe('connecting', () => { test('Around A1', () => {}); });",
  "test('All is well', () => {});",
])('rule: a title without a rule is found: %s', (text) => {
  expect(untitled({ path: 'test/scenario/a.test.ts', text })).toHaveLength(1);
});

test.each([
  "test('A1, A4: connects', () => {});",
  "test('D2 catches up', () => {});",
  "it('threat 12: replay', () => {});",
  "test('rule: one place', () => {});",
  "test.each(rows)('$rule $title', () => {});",
  'for (const row of rows) test(`${row.rule}: x`, () => {});',
  "describe('A5 one open request', () => { test('joins', () => {}); });",
  "if (/a/.test('abc')) f();",
  "pattern.test('abc');",
])('rule: a title with its rule is let pass: %s', (text) => {
  expect(untitled({ path: 'test/scenario/a.test.ts', text })).toEqual([]);
});
