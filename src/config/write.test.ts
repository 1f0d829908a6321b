import { spawn } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import json5 from 'json5';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Failure } from '../system/failure.ts';
import { setValue } from './edit.ts';
import { patched, replaced, rewritten } from './patch.ts';
import { REDACTED } from './redact.ts';
import { ConfigConflict, type WriteOptions, writeConfig } from './write.ts';

const STRONG = '3f9c1e7ab2d84056c8a1f03be97d52641c0ffee0d15ea5e0';
const wait = async (delayMs: number) => void (await sleep(delayMs));
let home = '';
let path = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-cw-'));
  path = join(home, 'latchkey.json');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const write = (edit: (text: string) => string, more: Partial<WriteOptions> = {}) =>
  writeConfig({ path, wait, ...more }, (text) => edit(text ?? ''));
const set = (key: string, value: unknown, more: Partial<WriteOptions> = {}) =>
  write((text) => setValue(text, key.split('.'), value), more);

async function refusalOf(work: Promise<unknown>): Promise<Failure> {
  const failed = await work.then(
    () => null,
    (error: unknown) => error as Failure,
  );
  if (failed === null) throw new Error('nothing was refused');
  return failed;
}

test('rule: a new file is private, an edited one keeps its comments, and nothing else is left behind', async () => {
  expect(await set('gateway.port', 1234)).toMatchObject({ changed: true, keys: ['gateway.port'] });
  expect(readFileSync(path, 'utf8')).toBe('{\n  "gateway": {\n    "port": 1234\n  }\n}\n');
  writeFileSync(path, '// mine\n{ gateway: { port: 1, /* two */ bind: "loopback" } }\n');
  chmodSync(path, 0o644);
  expect(await set('gateway.port', 2)).toMatchObject({ changed: true, loaded: { config: { gateway: { port: 2 } } } });
  expect(readFileSync(path, 'utf8')).toBe('// mine\n{ gateway: { port: 2, /* two */ bind: "loopback" } }\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(home).sort()).toEqual(['latchkey.json', 'latchkey.json.lock']);
});

test('rule: an edit that changes nothing writes nothing', async () => {
  await set('gateway.port', 1);
  const { ino, mtimeNs } = statSync(path, { bigint: true });
  expect(await set('gateway.port', 1)).toMatchObject({ changed: false, keys: [] });
  expect(statSync(path, { bigint: true })).toMatchObject({ ino, mtimeNs });
});

test.each<[string, unknown, string]>([
  ['gateway.prot', 1, "did you mean 'port'?"],
  ['gateway.port', 'x', 'must be a port'],
  ['gateway.auth.mode', 'none', 'whoever reaches the port'],
  ['gateway.auth.sharedSecretScopes', ['operator.raed'], 'must be'],
  ['gateway.port.x', 1, 'it is no object'],
  ['__proto__.x', 1, 'there is no such key'],
])('rule: %s = %j is refused before anything is written', async (key, value, why) => {
  const text = '{\n  gateway: { port: 1 },\n}\n';
  writeFileSync(path, text);
  const failure = await refusalOf(set(key, value));
  expect(failure.exitCode).toBe(78);
  expect(failure.why).toContain(why);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('threat 28: a weak secret is not written where others reach the door, a place of one is', async () => {
  writeFileSync(path, '{ gateway: { bind: "lan" } }');
  const failure = await refusalOf(set('gateway.auth.token', 'changeme'));
  expect([failure.exitCode, failure.why]).toEqual([78, expect.stringContaining('placeholder')]);
  expect(failure.message).not.toContain('changeme');
  expect(await set('gateway.auth.token', { source: 'env', id: 'NOT_SET_HERE' })).toMatchObject({ changed: true });
  expect(await set('gateway.auth.token', STRONG)).toMatchObject({ changed: true });
});

test("rule: the last word is the caller's", async () => {
  const check = async () => {
    throw new Error('not here');
  };
  expect((await refusalOf(set('gateway.port', 1, { check }))).message).toBe('not here');
  expect(readdirSync(home)).toEqual(['latchkey.json.lock']);
});

test('rule: a file that can not be read is mended by an edit that mends it, and by no other', async () => {
  writeFileSync(path, '{ gateway: { port: 1 }, gatway: {} }');
  expect((await refusalOf(set('gateway.port', 2))).why).toContain("did you mean 'gateway'?");
  expect(await write(() => '{ gateway: { port: 1 } }')).toMatchObject({ changed: true, keys: ['gateway.port'] });
  writeFileSync(path, '{ gateway: ');
  expect((await refusalOf(set('gateway.port', 2))).what).toContain('line 1, column 12: not JSON5');
  writeFileSync(path, Buffer.from([0x7b, 0x7d, 0x2f, 0x2f, 0xff]));
  expect((await refusalOf(set('gateway.port', 2))).why).toBe('it is not UTF-8');
});

test('rule: a link stays a link; one to nothing, and what is no file, is refused', async () => {
  const real = join(home, 'dotfiles', 'mine.json5');
  mkdirSync(join(home, 'dotfiles'));
  writeFileSync(real, '{ /* kept */ }');
  symlinkSync(real, path);
  await set('gateway.port', 7);
  expect(lstatSync(path).isSymbolicLink()).toBe(true);
  expect(readFileSync(real, 'utf8')).toBe('{ /* kept */\n  "gateway": {\n    "port": 7\n  }\n}');
  rmSync(real);
  expect((await refusalOf(set('gateway.port', 8))).why).toContain('link to a file that is not there');
  rmSync(path);
  mkdirSync(path);
  expect((await refusalOf(set('gateway.port', 8))).why).toContain('no regular file');
});

test('rule: an editor that saves in between loses nothing, one that never stops is a conflict', async () => {
  writeFileSync(path, '{ gateway: { port: 1 } }');
  let saves = 1;
  const check = async () => {
    if (saves-- > 0) writeFileSync(path, '{ gateway: { port: 1 } } // saved');
  };
  await set('logging.level', 'debug', { check });
  expect(readFileSync(path, 'utf8')).toBe('{ gateway: { port: 1 }, logging: { level: "debug" } } // saved');
  let n = 0;
  const busy = async () => {
    n += 1;
    writeFileSync(path, `{ gateway: { port: ${n} } }`);
  };
  expect(await refusalOf(set('logging.level', 'warn', { check: busy }))).toBeInstanceOf(ConfigConflict);
  expect(readFileSync(path, 'utf8')).not.toContain('warn');
});

test('rule: of writers at the same time, here and in other processes, nobody loses an edit', async () => {
  const script = `import { writeConfig } from ${JSON.stringify(join(import.meta.dirname, 'write.ts'))};
    import { setValue } from ${JSON.stringify(join(import.meta.dirname, 'edit.ts'))};
    import json5 from 'json5';
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    const add = (name) => writeConfig({ path: process.argv[1], wait }, (text) => {
      const hosts = text === null ? [] : (json5.parse(text).gateway?.allowedHosts ?? []);
      return setValue(text ?? '', ['gateway', 'allowedHosts'], [...hosts, name]);
    });
    for (let i = 0; i < 10; i += 1) await Promise.all([add(process.argv[2] + i), add(process.argv[2] + 'b' + i)]);`;
  const ended = ['x', 'y'].map((name) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, path, name], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    return new Promise<string>((done) => child.once('close', (code) => done(`${code} ${err}`)));
  });
  expect((await Promise.all(ended)).map((line) => line.split(' ')[0])).toEqual(['0', '0']);
  const hosts = json5.parse(readFileSync(path, 'utf8')).gateway.allowedHosts;
  expect(hosts).toHaveLength(40);
  expect(new Set(hosts).size).toBe(40);
});

// ---- patches ----------------------------------------------------------------------------------------------------------

const TEXT = `{
  // the door
  gateway: { port: 1, allowedHosts: ['a', 'b'], auth: { token: '${STRONG}' } }, // shut
  logging: { level: 'info' },
}`;

test('rule: a patch edits what it names: null takes out, lists are replaced, comments stay', () => {
  expect(patched(TEXT, { gateway: { port: 2, allowedHosts: ['c'] }, logging: null })).toBe(
    TEXT.replace('port: 1', 'port: 2').replace("['a', 'b']", "['c']").replace("  logging: { level: 'info' },\n", ''),
  );
  expect(patched(TEXT, {})).toBe(TEXT);
  expect(json5.parse(patched('', { a: { b: null, c: 1 } }))).toEqual({ a: { c: 1 } });
  expect(() => patched(TEXT, [])).toThrow('a patch must be an object');
});

test('threat 52: a secret sent back as it was shown stays as it is, and one that is not there is refused', () => {
  expect(patched(TEXT, { gateway: { port: 2, auth: { token: REDACTED } } })).toBe(TEXT.replace('port: 1', 'port: 2'));
  expect(patched(TEXT, { gateway: { auth: { token: 'new' } } })).toBe(TEXT.replace(STRONG, 'new'));
  expect(() => patched(TEXT, { gateway: { auth: { password: REDACTED } } })).toThrow(
    'gateway.auth.password: there is no',
  );
  expect(() => replaced('', `{ gateway: { auth: { token: "${REDACTED}" } } }`)).toThrow(
    'gateway.auth.token: there is no',
  );
});

test('rule: a whole text without comments is edited in, one with comments stands as it was sent', () => {
  const shown = {
    gateway: { port: 1, allowedHosts: ['a', 'b'], auth: { token: REDACTED } },
    logging: { level: 'debug' },
  };
  expect(replaced(TEXT, JSON.stringify(shown))).toBe(TEXT.replace("'info'", "'debug'"));
  expect(replaced(TEXT, `// anew\n${JSON.stringify(shown)}`)).toBe(
    `// anew\n${JSON.stringify(shown).replace(REDACTED, STRONG)}`,
  );
  expect(replaced('', '{"gateway":{"port":1}}')).toBe('{"gateway":{"port":1}}');
});

test('threat 40: more changes than can be made quickly are refused', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i]));
  const text = JSON.stringify(many);
  expect(() => rewritten(text, Object.fromEntries(Object.keys(many).map((key) => [key, 'x'])))).toThrow('too many');
});
