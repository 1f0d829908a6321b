import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { at, type Finding, importsOf, isTest, root, type Source, sourcesUnder } from './source.ts';

/**
 * Who may import whom. The row with the longest matching path speaks for a file; its own folder and
 * `core/base`, the words everyone uses, are always allowed. `type:` allows types only.
 */
const table: Record<string, readonly string[]> = {
  'core/base': [],
  'core/authz': [],
  'core/connection': ['type:core/authz'],
  'core/delivery': [],
  'core/schedule': [],
  'core/lane': [],
  'core/conversation': ['type:core/authz', 'type:core/lane'],
  'core/protocol': ['type:core/authz/scope.ts', 'type:core/authz/principal.ts'],
  store: ['core'],
  authority: ['core', 'store/store.ts', 'system'],
  import: ['core', 'store/store.ts', 'authority', 'config', 'system'],
  config: ['core', 'system'],
  service: ['core', 'system', 'config'],
  backup: ['core', 'system', 'store', 'authority', 'client', 'config', 'service'],
  update: ['core', 'system', 'store', 'authority', 'client', 'config', 'service'],
  canary: ['core', 'system', 'store', 'authority', 'client', 'config', 'service'],
  client: ['core/protocol', 'core/connection'],
  'client/node': ['core/protocol', 'core/connection', 'client', 'system'],
  'client/web': ['core/protocol', 'core/connection', 'client'],
  cli: ['client', 'core/protocol', 'service', 'doctor', 'import', 'config', 'system'],
  tui: ['client', 'core/protocol', 'service', 'doctor', 'import', 'config', 'system'],
  web: ['client', 'core/protocol'],
  runtime: ['core', 'store/store.ts', 'system'],
  channels: ['core', 'store/store.ts', 'system'],
  scheduler: ['core', 'store/store.ts', 'system'],
  delivery: ['core', 'store/store.ts', 'system'],
  gateway: ['core', 'authority', 'store/store.ts', 'system', 'type:config', 'type:runtime/runtime.ts'],
  doctor: ['core', 'authority', 'store', 'client', 'service', 'config', 'system'],
  system: [],
  main: [''],
};

/** The packages that a platform-free folder may import by exact name; all others may import any. */
const packages: Record<string, readonly string[]> = {
  core: [],
  'core/protocol': ['typebox'],
  'core/schedule': ['croner'],
};

/** No Node here: these also run in a browser. */
const platformFree = ['client', 'client/web', 'web'];

const within = (path: string, place: string): boolean => place === '' || path === place || path.startsWith(`${place}/`);

/** The longest of the places that holds the path. */
const nearest = (path: string, places: readonly string[]): string | undefined =>
  places.filter((place) => within(path, place)).sort((a, b) => b.length - a.length)[0];

function packageFinding(path: string, specifier: string): Finding | undefined {
  const home = nearest(path, Object.keys(packages));
  if (home !== undefined) {
    const allowed = packages[home] ?? [];
    return allowed.includes(specifier) ? undefined : `may not import the package ${specifier}`;
  }
  const row = nearest(path, Object.keys(table));
  const isBound = specifier.startsWith('node:') && row !== undefined && platformFree.includes(row);
  return isBound ? `runs in a browser too and may not import ${specifier}` : undefined;
}

function relativeFinding(path: string, target: string, isType: boolean): Finding | undefined {
  const row = nearest(path, Object.keys(table));
  if (row === undefined) return 'stands in no row of the table';
  if (!target.startsWith('src/')) {
    return target === 'package.json' ? undefined : `may not leave src for ${target}`;
  }
  const to = target.slice('src/'.length);
  if (within(to, 'main') && !within(path, 'main')) return 'nobody imports main';
  if (within(to, row) && row === nearest(to, Object.keys(table))) return undefined;
  const isAllowed = ['core/base', ...(table[row] ?? [])].some((place) =>
    place.startsWith('type:') ? isType && within(to, place.slice('type:'.length)) : within(to, place),
  );
  return isAllowed ? undefined : `may not import ${to}${isType ? '' : ' (as a value)'}`;
}

function check(source: Source): Finding[] {
  const path = source.path.slice('src/'.length);
  return importsOf(source).flatMap(({ specifier, target, isType, node }) => {
    let finding: Finding | undefined;
    if (specifier === undefined) finding = 'imports what only running it would tell';
    else if (target !== undefined) finding = relativeFinding(path, target, isType);
    else finding = packageFinding(path, specifier);
    return finding ? [`${at(source, node)}: ${finding}`] : [];
  });
}

const findings = (path: string, text: string): Finding[] => check({ path: `src/${path}`, text });

test('rule: every import of src stands in the table of who may import whom', () => {
  const sources = sourcesUnder('src').filter(({ path }) => !isTest(path));
  expect(sources.flatMap(check)).toEqual([]);
});

test('rule: every folder of src stands in the table and in a TypeScript program', () => {
  const programs = ['tsconfig.core.json', 'tsconfig.node.json', 'tsconfig.web.json']
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
  const places = sourcesUnder('src').map(({ path }) => path.slice('src/'.length));
  const folders = new Set(places.map((path) => path.split('/')[0] ?? ''));
  for (const folder of folders) {
    expect(existsSync(join(root, 'src', folder))).toBe(true);
    expect(programs, `src/${folder} in a tsconfig`).toContain(`"src/${folder}/**/*.ts"`);
  }
  expect(places.filter((path) => nearest(path, Object.keys(table)) === undefined)).toEqual([]);
});

test.each([
  ['core/authz/step.ts', "import { x } from '../protocol/frame.ts';"],
  ['core/protocol/frame.ts', "import { closure } from '../authz/scope.ts';"],
  ['core/lane/lane.ts', "import { x } from '../authz/scope.ts';"],
  ['core/base/result.ts', "import { x } from '../authz/scope.ts';"],
  ['core/authz/step.ts', "import { Type } from 'typebox';"],
  ['core/protocol/frame.ts', "import { Compile } from 'typebox/compile';"],
  ['core/delivery/entry.ts', "import { readFileSync } from 'node:fs';"],
  ['core/authz/step.ts', "type X = import('../../store/store.ts').X;"],
  ['authority/authority.ts', "import { open } from '../store/sqlite/open.ts';"],
  ['client/client.ts', "import { run } from '../gateway/dispatch.ts';"],
  ['client/client.ts', "import { connect } from 'node:net';"],
  ['client/client.ts', "const net = process.getBuiltinModule('node:net');"],
  ['cli/command/why.ts', "export * from '../../store/store.ts';"],
  ['cli/offline.ts', "import { Authority } from '../authority/authority.ts';"],
  ['cli/command/run.ts', "await import('../../main/gateway.ts');"],
  ['gateway/dispatch.ts', "import { load } from '../config/load.ts';"],
  ['gateway/dispatch.ts', "import { run } from '../runtime/loop.ts';"],
  ['runtime/loop.ts', "import type { Gateway } from '../gateway/dispatch.ts';"],
  ['runtime/loop.ts', 'await import(`./${name}.ts`);'],
  ['store/store.ts', "import { f } from '../../test/model/world.ts';"],
  ['extra/thing.ts', "import { f } from './f.ts';"],
])('rule: a broken import in %s is found: %s', (path, text) => {
  expect(findings(path, text)).toHaveLength(1);
});

test.each([
  ['core/authz/step.ts', "import { ok } from '../base/result.ts'; import { closure } from './scope.ts';"],
  ['core/protocol/frame.ts', "import { Type } from 'typebox'; import type { Scope } from '../authz/scope.ts';"],
  ['core/protocol/frame.ts', "import { type Scope } from '../authz/scope.ts';"],
  ['core/schedule/cron.ts', "import { Cron } from 'croner';"],
  ['authority/authority.ts', "import type { Store } from '../store/store.ts';"],
  ['client/node/socket.ts', "import { connect } from 'node:net'; import { x } from '../client.ts';"],
  ['cli/offline.ts', "import { takeLock } from '../system/lock.ts'; import { main } from './main.ts';"],
  ['gateway/dispatch.ts', "import type { Config } from '../config/schema.ts';"],
  ['main/cli.ts', "import { open } from '../store/sqlite/open.ts'; await import('./gateway.ts');"],
])('rule: an allowed import in %s is let pass: %s', (path, text) => {
  expect(findings(path, text)).toEqual([]);
});
