// Types, lint and tests, with one count over everything. Run by bootstrap.mjs under Node 24.
//
//   node scripts/test.mjs check   types, lint, unit tests, test/{rule,model,matrix}
//   node scripts/test.mjs test    the same, a build, and every other folder of test/
//
// Ends with the plain line `N passed, N failed`; a type check, a lint run and a build count as one.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startVitest } from 'vitest/node';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);

const quick = ['unit', 'rule', 'model', 'matrix'];
/** Needs partners that no npm package holds; run by name. */
const never = ['interop'];

const count = { passed: 0, failed: 0 };

/** Runs one tool; its output is shown only when it finds something. */
async function tool(name, args) {
  const began = performance.now();
  const output = [];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  const code = await new Promise((done) => {
    child.on('error', () => done(1));
    child.on('close', done);
  });
  const tookMs = Math.round(performance.now() - began);
  if (code === 0) {
    count.passed += 1;
    console.log(`${name}: ok (${tookMs} ms)`);
  } else {
    count.failed += 1;
    console.log(`${Buffer.concat(output).toString().trimEnd()}\n${name}: FAILED (${tookMs} ms)`);
  }
}

/** Programs that tests of reach run, each with its Debian package. */
const programs = { sshd: 'openssh-server', ssh: 'openssh-client', caddy: 'caddy', ip: 'iproute2' };

/**
 * On a machine of CI, as root, what is missing is installed. On a person's machine nothing is: their tests are skipped
 * there and say what to install.
 */
function installPrograms() {
  if (process.env.CI !== 'true' || process.getuid?.() !== 0) return;
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  const missing = Object.entries(programs)
    .filter(([name]) => !folders.some((folder) => existsSync(join(folder, name))))
    .map(([, debian]) => debian);
  if (missing.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', timeout: 180_000 };
  const steps = [['update'], ['install', '-y', '--no-install-recommends', ...missing]];
  const failed = steps.map((args) => spawnSync('apt-get', args, options)).find(({ status }) => status !== 0);
  const outcome = failed ? `not installed: ${failed.error?.message ?? failed.stderr.trim()}` : 'installed';
  console.log(`${missing.join(', ')}: ${outcome}`);
}

const NOBODY = 65_534;

/**
 * Under root the tests of permissions run the program as another user. Where that one can't read this checkout, it gets a
 * copy of the build and of Node that it can, for as long as the run takes.
 */
function openToNobody() {
  if (process.getuid?.() !== 0 || process.env.LATCHKEY_TEST_DIST !== undefined) return;
  const cli = join(root, 'dist', 'cli.cjs');
  const tried = spawnSync(process.execPath, [cli, '--version'], { uid: NOBODY, gid: NOBODY, cwd: '/' });
  if (tried.status === 0) return;
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  copyFileSync(process.execPath, join(copy, 'node'));
  chmodSync(join(copy, 'node'), 0o755);
  chmodSync(copy, 0o755);
  process.env.LATCHKEY_TEST_DIST = join(copy, 'dist');
  process.env.LATCHKEY_TEST_NODE = join(copy, 'node');
}

/** Counts what vitest ran: a file that could not be loaded is a failure of its own. */
const counter = {
  onTestRunEnd(modules, unhandledErrors) {
    const skipped = [];
    for (const module of modules) {
      const file = relative(root, module.moduleId);
      if (module.errors().length > 0) count.failed += 1;
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) count.failed += 1;
      }
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state === 'passed') count.passed += 1;
        else if (state === 'skipped') {
          skipped.push(`skipped: ${file}: ${test.fullName}: ${note ?? 'no reason given'}`);
        } else count.failed += 1;
      }
    }
    count.failed += unhandledErrors.length;
    for (const line of skipped) console.log(line);
  },
};

async function vitest(projects) {
  const before = count.passed + count.failed;
  const run = await startVitest('test', [], {
    watch: false,
    run: true,
    project: projects,
    update: 'none',
    reporters: ['default', counter],
  });
  await run.close();
  if (count.passed + count.failed === before) {
    console.log('vitest: FAILED: no test was found');
    count.failed += 1;
  }
}

const wanted = process.argv[2] === 'check' ? 'check' : 'test';
const folders = readdirSync('test', { withFileTypes: true }).filter((entry) => entry.isDirectory());
const all = ['unit', ...folders.map((entry) => entry.name).filter((name) => !never.includes(name))];

await Promise.all([
  tool('types', ['node_modules/typescript/bin/tsc', '-b']),
  tool('lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings']),
]);
if (wanted === 'test') {
  await tool('build', ['scripts/build.mjs']);
  installPrograms();
  openToNobody();
}
await vitest(wanted === 'check' ? all.filter((name) => quick.includes(name)) : all);

console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 ? 0 : 1);
