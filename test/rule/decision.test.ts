import { expect, test } from 'vitest';
import {
  at,
  dotted,
  type Finding,
  importsOf,
  isNode,
  isTest,
  type Node,
  parse,
  type Source,
  sourcesUnder,
  textOf,
  visit,
} from './source.ts';

const under = (path: string, folder: string): boolean => path.startsWith(`src/${folder}/`);

/** A scope's name is spelled where scopes are defined and where a method names the one it needs. */
function scopeLiterals(source: Source): Finding[] {
  if (source.path === 'src/core/authz/scope.ts' || under(source.path, 'core/protocol/method')) return [];
  const found: Finding[] = [];
  visit(parse(source), (node) => {
    const value = node.type === 'TemplateElement' ? (node.value as { cooked: string }).cooked : textOf(node);
    if (node.type === 'TemplateLiteral' || value === undefined) return;
    if (/^operator\.([a-z]|$)/.test(value)) found.push(`${at(source, node)}: the scope '${value}' is spelled here`);
  });
  return found;
}

/** `step` decides what becomes of a device; only the shell that loads and saves may call it. */
function stepImports(source: Source): Finding[] {
  if (under(source.path, 'authority') || under(source.path, 'core/authz')) return [];
  return importsOf(source)
    .filter(({ target, isType }) => !isType && target?.startsWith('src/core/authz/'))
    .filter(
      ({ target, names }) =>
        names.includes('step') || (names.includes('*') && /\/(step|index)\.ts$/.test(target ?? '')),
    )
    .map(({ node }) => `${at(source, node)}: only authority/ imports step`);
}

const comparing = /^(includes|startsWith|endsWith|indexOf|match|matchAll|search|localeCompare)$/;

const isMessage = (node: unknown): boolean => {
  const inner = isNode(node) && node.type === 'ChainExpression' ? node.expression : node;
  if (!isNode(inner)) return false;
  if (inner.type === 'CallExpression') {
    const callee = inner.callee as Node;
    return callee.type === 'MemberExpression' && isMessage(callee.object);
  }
  if (inner.type === 'Identifier') return inner.name === 'message' || inner.name === 'errorMessage';
  return inner.type === 'MemberExpression' && !inner.computed && (inner.property as Node).name === 'message';
};

/** Words with a blank between them and a letter on both sides are written for people. */
const isSentence = (node: unknown): boolean => /[A-Za-z]{2,}[,:]? [A-Za-z]{2,}/.test(textOf(node) ?? '');

function messageFinding(node: Node): boolean {
  if (node.type === 'BinaryExpression' && /^[!=]==?$/.test(String(node.operator))) {
    const sides = [node.left, node.right];
    if (sides.some(isSentence)) return true;
    return sides.some((side) => isMemberMessage(side)) && sides.some((side) => textOf(side) !== undefined);
  }
  if (node.type === 'SwitchStatement') return isMemberMessage(node.discriminant);
  if (node.type === 'SwitchCase') return isSentence(node.test);
  if (node.type !== 'CallExpression' || !isNode(node.callee)) return false;
  const callee = node.callee;
  if (callee.type !== 'MemberExpression' || !isNode(callee.property)) return false;
  const method = String(callee.property.name);
  const args = node.arguments as Node[];
  // A list that has the name `message` is not known here; texts are compared with texts.
  if (comparing.test(method)) return isMemberMessage(callee.object) || (isMessage(callee.object) && args.length > 0);
  return method === 'test' && args.some(isMessage) && dotted(callee.object) !== '';
}

const isMemberMessage = (node: unknown): boolean => isMessage(node) && !(isNode(node) && node.type === 'Identifier');

/** What a message says may change on any day; codes are compared. */
function messageComparisons(source: Source): Finding[] {
  const found: Finding[] = [];
  visit(parse(source), (node) => {
    const isRegexTest =
      node.type === 'CallExpression' &&
      isNode(node.callee) &&
      node.callee.type === 'MemberExpression' &&
      isNode(node.callee.object) &&
      node.callee.object.type === 'Literal' &&
      'regex' in node.callee.object &&
      (node.arguments as Node[]).some(isMessage);
    if (isRegexTest || messageFinding(node)) found.push(`${at(source, node)}: compares message text; compare a code`);
  });
  return found;
}

const sources = sourcesUnder('src').filter(({ path }) => !isTest(path));
const sample = (path: string, text: string): Source => ({ path: `src/${path}`, text });

test('rule: a scope literal stands only in authz/scope.ts and in the method literals', () => {
  expect(sources.flatMap(scopeLiterals)).toEqual([]);
});

test('rule: a stray scope literal is found', () => {
  expect(scopeLiterals(sample('gateway/connect.ts', "if (scopes.has('operator.admin')) go();"))).toHaveLength(1);
  expect(scopeLiterals(sample('gateway/connect.ts', 'const s = `operator.${name}`;'))).toHaveLength(1);
  expect(scopeLiterals(sample('gateway/connect.ts', "type S = 'operator.read';"))).toHaveLength(1);
  expect(scopeLiterals(sample('core/authz/scope.ts', "const s = 'operator.read';"))).toEqual([]);
  expect(scopeLiterals(sample('core/protocol/method/cron.ts', "const s = 'operator.read';"))).toEqual([]);
  expect(scopeLiterals(sample('gateway/connect.ts', "const role = 'operator'; // operator.read"))).toEqual([]);
});

test('rule: authz.step is imported only by authority', () => {
  expect(sources.flatMap(stepImports)).toEqual([]);
});

test('rule: a stray import of authz.step is found', () => {
  const named = "import { step } from '../core/authz/step.ts';";
  expect(stepImports(sample('gateway/connect.ts', named))).toHaveLength(1);
  expect(stepImports(sample('gateway/connect.ts', "import { step as go } from '../core/authz/step.ts';"))).toHaveLength(
    1,
  );
  expect(stepImports(sample('doctor/why.ts', "import * as authz from '../core/authz/step.ts';"))).toHaveLength(1);
  expect(stepImports(sample('doctor/why.ts', "export { step } from '../core/authz/step.ts';"))).toHaveLength(1);
  expect(stepImports(sample('authority/authority.ts', named))).toEqual([]);
  expect(stepImports(sample('gateway/run.ts', "import { step } from '../core/delivery/step.ts';"))).toEqual([]);
});

test('rule: nobody compares message text', () => {
  expect(sources.flatMap(messageComparisons)).toEqual([]);
});

test.each([
  "if (error.message === 'gone') f();",
  "if (reason === 'pairing required') f();",
  "if (error.message.includes('locked')) f();",
  "if (error?.message?.startsWith('SQLITE')) f();",
  "if (error.message.toLowerCase().includes('locked')) f();",
  "if (message.startsWith('device')) f();",
  'if (/locked/.test(error.message)) f();',
  "switch (error.message) { case 'gone': f(); }",
  "switch (text) { case 'device token mismatch': f(); }",
])('rule: a comparison of message text is found: %s', (text) => {
  expect(messageComparisons(sample('gateway/connect.ts', text)).length).toBeGreaterThan(0);
});

test.each([
  "if (error.code === 'SQLITE_BUSY') f();",
  "if (message.type === 'req') f();",
  "if (names.includes('message')) f();",
  'if (error.message !== undefined) log(error.message);',
  "if (message === '') f();",
])('rule: a comparison of anything else is let pass: %s', (text) => {
  expect(messageComparisons(sample('gateway/connect.ts', text))).toEqual([]);
});
