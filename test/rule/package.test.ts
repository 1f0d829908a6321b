import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Finding, filesUnder, read, root, type Source } from './source.ts';

type Lock = {
  packages: Record<
    string,
    { hasInstallScript?: boolean; resolved?: string; dev?: boolean; optionalDependencies?: Record<string, string> }
  >;
};

/** Their scripts are not needed: `npm ci --ignore-scripts` is enough. Development only. */
const scripted = ['esbuild'];

function lockFindings(lock: Lock): Finding[] {
  return Object.entries(lock.packages).flatMap(([path, entry]) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const found: Finding[] = [];
    if (entry.hasInstallScript && !(entry.dev && scripted.includes(name))) found.push(`${path}: has an install script`);
    if (entry.resolved !== undefined) found.push(`${path}: names where it was downloaded`);
    return found;
  });
}

/** npm leaves out what its registry lacks, and then `npm ci` refuses the file: `npm run lock` mends it. */
function missing({ packages }: Lock): Finding[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`])
      .map((name) => `${name} of ${path || 'the project'} is not in the lock file: npm run lock`),
  );
}

const isExact = (version: string): boolean => /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version);

/** Paths of somebody's machine; /home of the people in examples is everybody's. */
const machine = /(?<![\w.~/>-])\/(work|root)\/(?!\*)|(?<![\w.~/>-])\/home\/(?!(ada|alice|bob|me|user|you)\b)/;
const registry = /\bregistry\.[a-z0-9-]+\.[a-z]{2,}|\/\/registry\b/i;

/** The host that packages come from here, which is nobody else's business. */
const ownHost = (() => {
  const url = process.env.npm_config_registry;
  return url && URL.canParse(url) ? new URL(url).host : undefined;
})();

function textFindings({ path, text }: Source, host = ownHost): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const found: Finding[] = [];
    if (machine.test(line)) found.push(`${path}:${index + 1}: a path of one machine`);
    if (registry.test(line) || (host && line.includes(host))) found.push(`${path}:${index + 1}: a registry's host`);
    return found;
  });
}

/** What is or would be committed. */
function tracked(): Source[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const { status, stdout } = spawnSync('git', list, { cwd: root, encoding: 'utf8' });
  const paths = status === 0 ? stdout.split('\0').filter(Boolean) : filesUnder('.');
  const isOwn = (path: string): boolean => path !== 'test/rule/package.test.ts' && existsSync(join(root, path));
  return paths.filter((path) => isOwn(path) && !/\.(png|ico|woff2?|sqlite|gz)$/.test(path)).map(read);
}

test('rule: the lock file has no install script and no address', () => {
  expect(lockFindings(JSON.parse(read('package-lock.json').text))).toEqual([]);
});

test('rule: an install script or an address in a lock file is found', () => {
  const packages = {
    'node_modules/esbuild': { hasInstallScript: true, dev: true },
    'node_modules/a': { hasInstallScript: true, dev: true },
    'node_modules/b/node_modules/c': { resolved: 'somewhere' },
  };
  expect(lockFindings({ packages })).toHaveLength(2);
  expect(lockFindings({ packages: { 'node_modules/esbuild': { hasInstallScript: true } } })).toHaveLength(1);
});

test('rule: the lock file has the optional packages of every platform', () => {
  expect(missing(JSON.parse(read('package-lock.json').text))).toEqual([]);
  const tool = { optionalDependencies: { 'tool-linux': '1.0.0', 'tool-mac': '1.0.0' } };
  expect(missing({ packages: { 'node_modules/tool': tool, 'node_modules/tool-linux': {} } })).toHaveLength(1);
});

test('rule: every dependency is pinned, and what is installed for users is a copy of Node, and the way to a keyring', () => {
  const { dependencies = {}, devDependencies, optionalDependencies } = JSON.parse(read('package.json').text);
  const versions: string[] = Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies });
  expect(versions.filter((version) => !isExact(version))).toEqual([]);
  expect(isExact('^1.2.3')).toBe(false);
  expect(Object.keys(dependencies)).toEqual([]);
  // The second is native code, which can't be bundled; without it a secret can't be in a keyring, and that is said.
  const others = Object.keys(optionalDependencies).filter((name) => !name.startsWith('node-'));
  expect(others).toEqual(['@napi-rs/keyring']);
});

test("rule: no file names one machine's path or a registry", () => {
  expect(tracked().flatMap((source) => textFindings(source))).toEqual([]);
});

test.each([
  "const x = '/work/main/src';",
  'cd /root/x',
  'see /home/smith/x',
  'https://registry.npmjs.org/a',
  'from packages.example:8080/a',
])('rule: a path of one machine or a host is found: %s', (text) => {
  expect(textFindings({ path: 'a.md', text }, 'packages.example:8080')).toHaveLength(1);
});

test.each(['the /home/user/.latchkey folder', 'agents/<id>/work/x', './home/x', 'https://example.com/root/x'])(
  'rule: other paths are let pass: %s',
  (text) => {
    expect(textFindings({ path: 'a.md', text }, 'packages.example:8080')).toEqual([]);
  },
);
