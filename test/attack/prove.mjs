// Proves that every check of `npm run attack` can fail: breaks one clause of the sources, builds that, and expects the
// check to notice; and, where they are installed, runs the checks against real OpenClaw gateways. Writes PROOFS.md.
// Run by hand, some minutes:
//
//   node test/attack/prove.mjs [--only 10,D5.43] [--from CHECKOUT] [--openclaw DIR [--no-mutants]]
//
// CHECKOUT: other sources to break than these. DIR: holds VERSION/node_modules/openclaw. What a run doesn't try is kept
// as PROOFS.md has it. A mutant that survives, or whose text no longer stands in the sources, is a failure.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CHECKS } from './checks.ts';
import { MUTANTS } from './mutant.ts';
import { chosen } from './run.ts';

const root = resolve(import.meta.dirname, '..', '..');
const page = join(import.meta.dirname, 'PROOFS.md');
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    from: { type: 'string' },
    openclaw: { type: 'string' },
    'no-mutants': { type: 'boolean' },
  },
});
const sources = resolve(values.from ?? root);
const checks = chosen(CHECKS, (values.only ?? '').split(',').filter(Boolean));
const NONE = '–';

/** A copy of what a build needs, with one text replaced; `null` when the text isn't there exactly once. */
function broken({ file, from, to }) {
  const text = readFileSync(join(sources, file), 'utf8');
  if (text.split(from).length !== 2) return null;
  const copy = mkdtempSync(join(tmpdir(), 'lk-mutant-'));
  for (const name of ['src', 'scripts', 'package.json', 'package-lock.json'])
    cpSync(join(sources, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
  return copy;
}

/** The results of a run of the harness, by the id of the check. */
function attack(args, env = {}) {
  const run = spawnSync(process.execPath, [join(root, 'test/attack/main.ts'), '--quick', '--json', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 15 * 60_000,
  });
  const lines = run.stdout.split('\n').filter((line) => line.startsWith('{'));
  const results = new Map(lines.map((line) => JSON.parse(line)).map((result) => [result.id, result]));
  for (const { log } of results.values()) if (log) rmSync(resolve(log, '..'), { recursive: true, force: true });
  return { results, error: run.stderr.trim() };
}

/** A cell: one line, without what differs from run to run. */
const cell = (text) =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[0-9a-f]{32,}|\/tmp\/[^\s"]+/g, '…')
    .replaceAll('|', '\\|')
    .slice(0, 160);

function byMutant(check) {
  const mutant = MUTANTS[check.id];
  if (mutant === undefined) return { cell: 'none yet', failed: false };
  const copy = broken(mutant);
  if (copy === null) return { cell: `DOES NOT APPLY: ${cell(mutant.what)}`, failed: true };
  try {
    const build = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: copy, encoding: 'utf8' });
    if (build.status !== 0) return { cell: `DOES NOT BUILD: ${cell(build.stderr)}`, failed: true };
    const { results, error } = attack(['--only', check.id], { LATCHKEY_TEST_DIST: join(copy, 'dist') });
    const result = results.get(check.id);
    if (result?.verdict === 'fail') return { cell: `${mutant.what}: ${cell(result.note)}`, failed: false };
    return { cell: `SURVIVED: ${mutant.what}${result ? '' : `: ${cell(error)}`}`, failed: true };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Runs a real OpenClaw gateway in a home of its own, and every check that may be run against it. */
async function byOpenClaw(version, folder) {
  const home = mkdtempSync(join(tmpdir(), 'lk-openclaw-'));
  const port = await freePort();
  const token = randomBytes(32).toString('hex');
  const stateDir = join(home, '.openclaw');
  mkdirSync(stateDir, { mode: 0o700 });
  const config = { gateway: { mode: 'local', port, auth: { mode: 'token', token } } };
  writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(config), { mode: 0o600 });
  writeFileSync(join(home, 'token'), token, { mode: 0o600 });
  const program = join(folder, version, 'node_modules/openclaw/openclaw.mjs');
  const env = { PATH: process.env.PATH, HOME: home };
  const child = spawn(process.execPath, [program, 'gateway', 'run'], { cwd: home, env, stdio: 'ignore' });
  try {
    for (let tries = 0; tries < 120; tries += 1) {
      await new Promise((done) => setTimeout(done, 500));
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
      if (answer?.ok) break;
    }
    // 3.13 cuts a handshake after three seconds, 9.6 after fifteen.
    const handshake = version.startsWith('2026.3.') ? '3000' : '15000';
    const place = ['--url', `ws://127.0.0.1:${port}`, '--token-file', join(home, 'token'), '--state-dir', stateDir];
    const only = values.only === undefined ? [] : ['--only', checks.map(({ id }) => id).join(',')];
    const args = [...place, '--pid', String(child.pid), '--handshake-ms', handshake, ...only];
    // It answers probes before it answers clients.
    for (let tries = 1; ; tries += 1) {
      const { results, error } = attack(args);
      if (results.size > 0) return results;
      if (tries === 10) throw new Error(`OpenClaw ${version}: ${error}`);
      await new Promise((done) => setTimeout(done, 3_000));
    }
  } finally {
    const gone = new Promise((done) => child.once('close', done));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(timer);
    rmSync(home, { recursive: true, force: true });
  }
}

/** What the page says now, by the id of the check: cells after id and title. */
function written() {
  if (!existsSync(page)) return { versions: [], rows: new Map() };
  const rows = readFileSync(page, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));
  const [head = [], ...body] = rows;
  const versions = head.slice(3).map((name) => name.replace('OpenClaw ', ''));
  return { versions, rows: new Map(body.map((cells) => [cells[0], cells.slice(2)])) };
}

const before = written();
const olds = new Map();
if (values.openclaw !== undefined) {
  const folder = resolve(values.openclaw);
  for (const version of readdirSync(folder).sort().reverse()) {
    if (!existsSync(join(folder, version, 'node_modules/openclaw/openclaw.mjs'))) continue;
    console.log(`OpenClaw ${version}`);
    olds.set(version, await byOpenClaw(version, folder));
  }
}
const versions = [...new Set([...olds.keys(), ...before.versions])].sort().reverse();

let failed = 0;
const proofs = new Map();
for (const check of values['no-mutants'] ? [] : checks) {
  const proof = byMutant(check);
  if (proof.failed) failed += 1;
  proofs.set(check.id, proof.cell);
  console.log(`${check.id}: ${proof.cell}`);
}

const verdict = (result) =>
  result === undefined
    ? undefined
    : result.verdict === 'fail'
      ? `fails: ${cell(result.note)}`
      : result.verdict === 'pass'
        ? 'passes'
        : NONE;
const rows = CHECKS.map(({ id, title }) => {
  const old = before.rows.get(id) ?? [];
  const oldOf = (version) => {
    const at = before.versions.indexOf(version);
    return at < 0 ? undefined : old[at + 1];
  };
  const cells = versions.map((version) => verdict(olds.get(version)?.get(id)) ?? oldOf(version) ?? NONE);
  return `| ${[id, title, proofs.get(id) ?? old[0] ?? 'none yet', ...cells].join(' | ')} |`;
});
const head = ['check', 'title', 'a mutant that it noticed, and how', ...versions.map((v) => `OpenClaw ${v}`)];
const unproven = rows.filter((row) => row.includes('| none yet |') && !row.includes('| fails: '));
const text = [
  '# What each check of `npm run attack` has failed on',
  '',
  'Written by `node test/attack/prove.mjs --openclaw DIR`; quick counts. A mutant is this gateway with one clause broken',
  '(`mutant.ts`). OpenClaw is judged by the rules of DESIGN.md, not by its own: "fails" says that the check tells the',
  `two apart, and as what. ${NONE}: not tried there, because it needs a gateway that the harness starts itself.`,
  '',
  unproven.length === 0
    ? 'Every check has failed on something.'
    : `Nothing has failed yet, because nothing is tried here, in: ${unproven.map((row) => row.split(' | ')[0].slice(2)).join(', ')}.`,
  '',
  `| ${head.join(' | ')} |`,
  `|${head.map(() => '---').join('|')}|`,
  ...rows,
  '',
].join('\n');
writeFileSync(page, text);
console.log(`${checks.length - failed} of ${checks.length} without complaint; ${page}`);
process.exit(failed === 0 ? 0 : 1);
