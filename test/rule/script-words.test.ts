// The scripts of package.json that take options: help on request, one clear line for what is mistyped, nothing run.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

function run(script: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, script), ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

it.each([
  ['bench/run.ts', '--peer'],
  ['test/attack/main.ts', '--quick'],
  ['test/interop/main.ts', '--update'],
])('rule: %s --help prints its options and ends well', (script, option) => {
  const { status, stdout, stderr } = run(script, '--help');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain(option);
});

it.each(['bench/run.ts', 'test/attack/main.ts', 'test/interop/main.ts'])(
  'rule: a mistyped option of %s is one line, and the way to its help',
  (script) => {
    const { status, stdout, stderr } = run(script, '--qiuck');
    expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
    const [what = '', way, ...rest] = stderr.trimEnd().split('\n');
    expect(what).toContain("'--qiuck'");
    expect(way).toMatch(/^ {2}run: npm run \w+ -- --help$/);
    expect(rest).toEqual([]);
  },
);
