import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CATALOG } from '../catalog/catalog.ts';
import { Scripted } from '../scripted.ts';

let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), 1_800_000_000_000);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

async function script(shell: string): Promise<string> {
  const { code, out } = await cli.run(['completion', shell]);
  expect(code).toBe(0);
  return out;
}

/** What a program says of a file, or why it can't be asked. */
function told(program: string, args: readonly string[], home: string): { code: number | null; out: string } | string {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: home },
  });
  return error === undefined
    ? { code: status, out: `${stdout}${stderr}` }
    : `${program} is not there: ${error.message}`;
}

/** What bash would offer for the last of the words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const file = join(cli.home, 'latchkey.bash');
  writeFileSync(file, await script('bash'));
  const ask = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _latchkey; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const answer = told('bash', ['--norc', '-c', ask, 'bash', file, ...words], cli.home);
  if (typeof answer === 'string') throw new Error(answer);
  expect(answer.code, answer.out).toBe(0);
  return answer.out.split('\n').filter((line) => line !== '');
}

test.each([
  ['bash', ['--norc', '-n']],
  ['zsh', ['-f', '-n']],
  ['fish', ['--no-config', '-n']],
])('rule: %s reads its script', async (shell, args) => {
  const file = join(cli.home, `latchkey.${shell}`);
  writeFileSync(file, await script(shell));
  const answer = told(shell, [...args, file], cli.home);
  if (typeof answer === 'string') {
    console.log(`not run: ${answer}`);
    return;
  }
  expect(answer).toEqual({ code: 0, out: '' });
});

test('rule: bash completes commands, what is below them, and options, wherever options stand before', async () => {
  expect(await offered('latchkey', '')).toEqual([
    ...CATALOG.commands.map(({ name }) => name.split(' ')[0]),
    ...(CATALOG.groups ?? []).map(({ name }) => name),
  ]);
  expect(await offered('latchkey', 'dev')).toEqual(['devices']);
  expect(await offered('latchkey', '--profile', 'status', 'devices', 'appr')).toEqual(['approve']);
  // bash hands --timeout=5s over as three words.
  expect(await offered('latchkey', '--timeout', '=', '5s', 'gateway', 'secret', '')).toEqual(['show', 'rotate']);
  expect(await offered('latchkey', 'devices', 'approve', '--fo')).toEqual(['--for']);
  expect(await offered('latchkey', 'devices', 'approve', '--js')).toEqual(['--json']);
  expect(await offered('latchkey', 'completion', '')).toEqual(['bash', 'zsh', 'fish']);
  expect(await offered('latchkey', 'logs', '--level', 'w')).toEqual(['warn']);
  expect(await offered('latchkey', 'devices', 'rotate', 'x', '--role', '')).toEqual(['operator', 'node']);
  expect(await offered('latchkey', 'config', 'get', 'gateway.po')).toEqual(['gateway.port']);
});

test('rule: what is a value is no command, and names of files are completed with the blanks in them', async () => {
  writeFileSync(join(cli.home, 'a token'), 't');
  expect(await offered('latchkey', '--url', 'st')).toEqual([]);
  expect(await offered('latchkey', '--token-file', join(cli.home, 'a t'))).toEqual([join(cli.home, 'a token')]);
  expect(await offered('latchkey', '--state-dir', join(cli.home, 'a t'))).toEqual([]);
});

test('rule: every command stands in every script, and no gateway is asked for it', async () => {
  const names = [...CATALOG.commands, ...(CATALOG.groups ?? []).flatMap(({ commands }) => commands)];
  for (const shell of ['bash', 'zsh', 'fish']) {
    const text = await script(shell);
    for (const { name } of names) expect(text).toContain(name.split(' ')[0]);
  }
  expect(cli.calls).toEqual([]);
});

test('rule: --json is one document, and an unknown shell is a usage error', async () => {
  const { out } = await cli.run(['completion', 'fish', '--json']);
  expect(JSON.parse(out)).toEqual({ shell: 'fish', script: await script('fish') });
  expect((await cli.run(['completion', 'csh'])).code).toBe(2);
});
