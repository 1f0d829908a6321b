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
  visit,
} from './source.ts';

// Time and chance come in as arguments, so that every decision can be repeated: src/system is the
// only place that asks the machine. Tests, benches and scripts may ask it themselves.

const isSystem = (path: string): boolean => path.startsWith('src/system/');
const isCore = (path: string): boolean => path.startsWith('src/core/');

const clocks =
  /^(globalThis\.)?(Date\.now|Math\.random|performance\.(now|timeOrigin)|process\.(hrtime|uptime)(\.bigint)?)$/;
const chance = /^((globalThis\.|node)?[cC]rypto\.|webcrypto\.)?(random(Bytes|Int|UUID|Fill|FillSync)|getRandomValues)$/;
const machine =
  /^(process|console|setTimeout|setInterval|setImmediate|queueMicrotask|fetch|performance|globalThis|crypto|Buffer)$/;

function askedOf(node: Node, parents: readonly Node[]): string | undefined {
  const parent = parents.at(-1);
  const callee = isNode(node.callee) ? node.callee : undefined;
  if (callee && dotted(callee) === 'Date') {
    const isNow = node.type === 'CallExpression' || (node.arguments as Node[]).length === 0;
    return isNow ? 'the clock (Date)' : undefined;
  }
  const name = dotted(node);
  // Of `a.b.c` only the whole is looked at, and not the words of an import or the keys of an object.
  if (name === '' || (parent?.type === 'MemberExpression' && parent.property === node)) return undefined;
  if (parent && /^(Property|TS.*|(Import|Export)Specifier|.*Definition)$/.test(parent.type) && parent.key === node) {
    return undefined;
  }
  const isPart = parent?.type === 'MemberExpression' && clocks.test(dotted(parent));
  if (clocks.test(name) && !isPart) return `the clock or chance (${name})`;
  return node.type === 'MemberExpression' && chance.test(name) ? `chance (${name})` : undefined;
}

function globals(source: Source): Finding[] {
  if (isSystem(source.path)) return [];
  const found: Finding[] = [];
  visit(parse(source), (node, parents) => {
    const what = askedOf(node, parents);
    if (what) found.push(`${at(source, node)}: asks ${what}; take it as an argument, src/system gives it`);
  });
  const imported = importsOf(source).filter(
    ({ specifier, names, isType }) =>
      !isType &&
      /^(node:)?crypto$/.test(specifier ?? '') &&
      names.some((name) => chance.test(name) || name === 'webcrypto'),
  );
  return [...found, ...imported.map(({ node }) => `${at(source, node)}: imports chance; src/system gives it`)];
}

/** In the core also: nothing of Node or a browser, and nothing that waits. */
function impure(source: Source): Finding[] {
  if (!isCore(source.path)) return [];
  const found = importsOf(source)
    .filter(({ specifier }) => specifier?.startsWith('node:'))
    .map(({ node, specifier }) => `${at(source, node)}: the core imports ${specifier}`);
  const declared = new Set<string>();
  visit(parse(source), (node) => {
    if (/^(VariableDeclarator|FunctionDeclaration|ImportSpecifier)$/.test(node.type)) {
      declared.add(dotted(node.id ?? node.local));
    }
  });
  visit(parse(source), (node, parents) => {
    const parent = parents.at(-1);
    const isAccess = node.type === 'MemberExpression' || node.type === 'CallExpression';
    const object = isAccess ? dotted(node.object ?? node.callee) : '';
    if (machine.test(object) && !declared.has(object) && parent?.type !== 'TSQualifiedName') {
      found.push(`${at(source, node)}: the core uses ${object}`);
    }
    if (node.async === true || node.type === 'AwaitExpression') found.push(`${at(source, node)}: the core waits`);
  });
  return found;
}

const sources = sourcesUnder('src').filter(({ path }) => !isTest(path));
const sample = (path: string, text: string): Source => ({ path: `src/${path}`, text });

test('rule: only src/system asks the machine for time and chance', () => {
  expect(sources.flatMap(globals)).toEqual([]);
});

test.each([
  'const now = Date.now();',
  'const now = new Date();',
  'const now = Date();',
  'const clock = { now: Date.now };',
  'const x = Math.random();',
  'const t = performance.now();',
  'const t = process.hrtime.bigint();',
  'const id = crypto.randomUUID();',
  'crypto.getRandomValues(bytes);',
  "import { randomBytes } from 'node:crypto';",
  "import { randomUUID as id } from 'crypto';",
])('rule: a question to the clock or to chance is found: %s', (text) => {
  expect(globals(sample('gateway/a.ts', text))).toHaveLength(1);
  expect(globals(sample('system/a.ts', text))).toEqual([]);
});

test.each([
  'const at = new Date(nowMs);',
  'const at = Date.parse(text);',
  'clock.now(); random.bytes(16);',
  'const x = Math.floor(1.5);',
  "import { createHash } from 'node:crypto';",
  'const o = { randomBytes: 1 };',
])('rule: what only computes is let pass: %s', (text) => {
  expect(globals(sample('gateway/a.ts', text))).toEqual([]);
});

test('rule: the core is pure', () => {
  expect(sources.flatMap(impure)).toEqual([]);
});

test.each([
  "import { readFileSync } from 'node:fs';",
  'const pid = process.pid;',
  "console.log('x');",
  'setTimeout(f, 1);',
  'globalThis.x = 1;',
  'const f = async () => 1;',
  'await f();',
])('rule: what is not pure is found in the core: %s', (text) => {
  expect(impure(sample('core/authz/a.ts', text))).toHaveLength(1);
  expect(impure(sample('gateway/a.ts', text))).toEqual([]);
});

test('rule: names of the core that only look like the machine are let pass', () => {
  const text = 'const process = (x: number) => x; process(1); const o = { crypto: 1 }; f(o.crypto);';
  expect(impure(sample('core/authz/a.ts', text))).toEqual([]);
});
