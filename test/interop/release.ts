// The OpenClaw releases that this project is driven by, and where they stand on this machine. They are installed from
// the npm registry into a cache outside the checkout: partners, never dependencies.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';

export const RELEASES = ['2026.9.6', '2026.3.13', '2026.2.19'] as const;
export type ReleaseName = (typeof RELEASES)[number];

export interface Release {
  readonly name: ReleaseName;
  /** Its program: `node ENTRY ARGS…`. */
  readonly entry: string;
  /** The only version of the wire protocol that its operators speak. */
  readonly protocol: 3 | 4;
}

const ROOT = resolve(import.meta.dirname, '..', '..');
const INSTALL_MS = 15 * 60_000;

/**
 * What the older releases need to be installed today: a dependency of theirs comes from git, another one is gone from
 * the registry. WhatsApp is a dummy then, and what needs it doesn't run.
 */
const OVERRIDES = { '@whiskeysockets/baileys': 'npm:is-number@7.0.0', cssomnom: 'npm:cssom@0.5.0' };

export function isReleaseName(name: string): name is ReleaseName {
  return RELEASES.some((release) => release === name);
}

/** `LATCHKEY_INTEROP_CACHE`, else a folder of the user's cache. @throws Error when it lies within the checkout */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env.LATCHKEY_INTEROP_CACHE;
  const folder = resolve(own ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'latchkey', 'openclaw'));
  const within = relative(ROOT, folder);
  if (!within.startsWith('..')) throw new Error(`the cache ${folder} lies within the checkout; give another one`);
  return folder;
}

function entryOf(name: ReleaseName, cache: string): string {
  return join(cache, name, 'node_modules', 'openclaw', 'openclaw.mjs');
}

/** Whether npm came to its end there: its own record of what it installed is what it writes last. */
function isInstalled(name: ReleaseName, cache: string): boolean {
  if (!existsSync(join(cache, name, 'node_modules', '.package-lock.json'))) return false;
  try {
    const text = readFileSync(join(dirname(entryOf(name, cache)), 'package.json'), 'utf8');
    return JSON.parse(text).version === name && existsSync(entryOf(name, cache));
  } catch {
    return false;
  }
}

/** Scripts of other people run in it: they see how npm reaches its registry, and no secret of this shell. */
function installEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const reach = /^(HOME|TMPDIR|LANG|npm_config_.*|(https?|no)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/i;
  const kept = Object.entries(env).filter(([name]) => reach.test(name));
  return { ...Object.fromEntries(kept), PATH: `${dirname(process.execPath)}:${env.PATH ?? ''}` };
}

/** What npm printed where it failed; `null`: it didn't. */
async function npmInstall(name: ReleaseName, folder: string): Promise<string | null> {
  const isOld = name !== '2026.9.6';
  const manifest = { name: 'partner', private: true, ...(isOld ? { overrides: OVERRIDES } : {}) };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const npm = process.env.npm_execpath;
  const [command, prefix] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const flags = ['--no-audit', '--no-fund', '--loglevel=error', ...(isOld ? ['--ignore-scripts'] : [])];
  const child = spawn(command, [...prefix, 'install', ...flags, `openclaw@${name}`], {
    cwd: folder,
    env: installEnvironment(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: INSTALL_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((done) => child.once('close', done).once('error', () => done(null)));
  if (code === 0) return null;
  return output.trim().split('\n').slice(-5).join('\n') || `${command} ended with ${code ?? 'no exit code'}`;
}

/**
 * The release on this machine, installed first where it isn't. What is half installed never counts: npm works in a
 * folder beside it, which is renamed when it is whole.
 *
 * @throws Error with what npm said when it can't be installed
 */
export async function installed(name: ReleaseName, cache: string, say: (line: string) => void): Promise<Release> {
  const release: Release = { name, entry: entryOf(name, cache), protocol: name === '2026.9.6' ? 4 : 3 };
  if (isInstalled(name, cache)) return release;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, `.${name}-`));
  try {
    say(`installing openclaw@${name} into ${cache} (500 to 1,300 MB)`);
    const failure = await npmInstall(name, folder);
    if (failure !== null) throw new Error(`openclaw@${name} can't be installed here:\n${failure}`);
    rmSync(join(cache, name), { recursive: true, force: true });
    renameSync(folder, join(cache, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (!isInstalled(name, cache)) throw new Error(`openclaw@${name}: npm said that it installed it, but it isn't there`);
  return release;
}
