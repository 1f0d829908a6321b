// Proves that the scenario tests can fail: breaks one clause of the sources at a time, builds that, and expects the
// named tests to notice. Run by hand; about six seconds a mutant:
//
//   node test/scenario/mutants.mjs [WORD]     only mutants whose name holds WORD
//
// A mutant that survives, or whose text no longer stands in the sources, is a failure.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

/** name: [file, text, what stands there instead, tests that must fail] */
const MUTANTS = {
  'A1 admin covers nothing but itself': [
    'src/core/authz/scope.ts',
    "'operator.admin': OPERATOR_SCOPES,",
    "'operator.admin': [],",
    ['test/scenario/t02-rotated.test.ts'],
  ],
  'A3 the nonce is not compared': [
    'src/gateway/connect.ts',
    'if (f.challenge === null || !keys.same(device.nonce, f.challenge.nonce))',
    'if (f.challenge === null)',
    ['test/wire/handshake.test.ts'],
  ],
  'A3 the id is not the hash of the key': [
    'src/gateway/connect.ts',
    'if (id !== device.id)',
    'if (device.id === "")',
    ['test/wire/handshake.test.ts'],
  ],
  'A3 any v2 signature is taken': [
    'src/gateway/connect.ts',
    "return keys.verify(device.publicKey, signedText({ version: 'v2', ...signed }), device.signature) ? id : 'signature';",
    'return id;',
    ['test/wire/handshake.test.ts'],
  ],
  'A4 a foreign origin counts as allowed': [
    'src/gateway/proof.ts',
    ": 'foreign'",
    ": 'allowed'",
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A5 asking less supersedes': [
    'src/core/authz/connect.ts',
    'if (request !== null && coversAll(request.scopes, asked)) return answer({ state, effects: [], request }, c);',
    '',
    ['test/scenario/t04-approve-while-reconnecting.test.ts'],
  ],
  'A6 a covered connect is stored': [
    'src/core/authz/step.ts',
    'if (!isChanged) return { ...next, state };',
    'if (!isChanged) return { ...next, state: { ...state, revision: state.revision + 1 } };',
    ['test/scenario/t14-reading-writes-nothing.test.ts'],
  ],
  'A7 everybody can give everything': [
    'src/core/authz/decide.ts',
    'if (until(decider, PAIRING) === undefined) return false;',
    'return true;',
    ['test/scenario/t16-no-self-approval.test.ts'],
  ],
  'A8 every client waits': [
    'src/gateway/connect.ts',
    "waits: f.params.caps?.includes('latchkey.wait') ?? false,",
    'waits: true,',
    ['test/scenario/t04-approve-while-reconnecting.test.ts'],
  ],
  'A9 revoking leaves sessions open': [
    'src/gateway/tidings.ts',
    'if (state.roles[role].grant === null) stage.end(device, role);',
    '',
    ['test/scenario/a09-live-sessions.test.ts'],
  ],
  'A10 each hello makes a token': [
    'src/main/keys.ts',
    'deviceToken(tokenKey, device, role, epoch),',
    'deviceToken(tokenKey, device, role, epoch + performance.now()),',
    ['test/scenario/t03-thousand-connects.test.ts'],
  ],
  'A11 two may hold the lock': [
    'src/system/lock.ts',
    "database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');",
    "database.exec('BEGIN');",
    ['test/scenario/t12-second-gateway.test.ts'],
  ],
  'A13 a forwarding header takes nothing away': [
    'src/gateway/proof.ts',
    '&& facts.forwarding.length === 0',
    '',
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A13 an allowed page is direct': [
    'src/gateway/proof.ts',
    '&& facts.origin === null',
    '',
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A13 the secret pairs from anywhere': [
    'src/core/authz/connect.ts',
    "if (c.secret === 'right' && c.direct && c.role",
    "if (c.secret === 'right' && c.role",
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A16 guesses are answered at once': [
    'src/gateway/guess.ts',
    'if (over <= 0) return 0;',
    'return 0;',
    ['test/scenario/t17-guessing.test.ts'],
  ],
  'A16 guesses put off the right secret too': [
    'src/gateway/connect.ts',
    'const { device } = f.params;\n  if (device === undefined) return keyless',
    "if (credentials.secret === 'right') await new Promise((done) => setTimeout(done, 3_000));\n  const { device } = f.params;\n  if (device === undefined) return keyless",
    ['test/scenario/t17-guessing.test.ts'],
  ],
  'A18 a signature for another gateway is taken': [
    'src/gateway/connect.ts',
    "if (latchkey.gatewayKey !== keys.gatewayKey || latchkey.host !== (f.transport.host ?? '')) return 'gateway_key';",
    '',
    ['test/wire/handshake.test.ts'],
  ],
  'A20 an end ends nothing': [
    'src/core/base/instant.ts',
    'return end === null || at < end;',
    'return end === null || at < end || true;',
    ['test/scenario/a09-live-sessions.test.ts'],
  ],
};

/** A copy of what a build needs, with one text replaced; `null` when the text isn't there exactly once. */
function broken(file, from, to) {
  const text = readFileSync(join(root, file), 'utf8');
  if (text.split(from).length !== 2) return null;
  const copy = mkdtempSync(join(tmpdir(), 'lk-mutant-'));
  for (const name of ['src', 'scripts', 'package.json', 'package-lock.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
  return copy;
}

function run(cwd, args, env = {}) {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env } });
}

let failed = 0;
for (const [name, [file, from, to, tests]] of Object.entries(MUTANTS)) {
  if (!name.includes(process.argv[2] ?? '')) continue;
  const copy = broken(file, from, to);
  let verdict = 'caught';
  if (copy === null) verdict = `DOES NOT APPLY: not once in ${file}: ${from}`;
  else {
    const build = run(copy, ['scripts/build.mjs']);
    if (build.status !== 0) verdict = `DOES NOT BUILD: ${build.stderr.slice(0, 500)}`;
    else {
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--bail=1', ...tests];
      const judged = run(root, vitest, { LATCHKEY_TEST_DIST: join(copy, 'dist'), NO_COLOR: '1', FORCE_COLOR: '0' });
      if (judged.status === 0) verdict = 'SURVIVED';
      const first = /× (.*)/.exec(judged.stdout)?.[1];
      if (judged.status !== 0)
        verdict = first === undefined ? `NOT JUDGED: ${judged.stdout.slice(-500)}` : `caught by: ${first}`;
    }
    rmSync(copy, { recursive: true, force: true });
  }
  if (!verdict.startsWith('caught')) failed += 1;
  console.log(`${name}: ${verdict}`);
}
process.exit(failed === 0 ? 0 : 1);
