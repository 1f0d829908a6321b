// A11, THREATS.md D6.59: what a gateway finds in its state directory. What it can't trust or read it refuses, with the
// path and the command that mends it; it changes nothing there, and never makes an empty store in a full one's place.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
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
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, type Gateway, latchkey, newStateDir, removeStateDir, start } from '../gateway.ts';
import type { Identity } from '../partner/identity.ts';
import { asking, gist, once, paired, READ } from '../scenario/act.ts';
import { type Case, changed, DATABASES, DB, IDENTITIES, IDENTITY, inDatabase, own, PERMISSIONS } from './harm.ts';
import { CLI, isRoot, NOBODY, NODE, nobodyRuns, tree, uid } from './process.ts';

/** The lock and the log may be written by a start that is refused; what is kept may not. */
const PASSING = /^(run\/|logs\/)/;

let model: string;
let known: Identity;
const homes: string[] = [];

beforeAll(async () => {
  const gateway = await start(uid === undefined ? {} : { uid });
  known = await paired(await gateway.owner(), [READ]);
  await gateway.halt();
  model = gateway.stateDir;
});
afterAll(() => removeStateDir(model));
afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

/** A state directory with a history: the model's, copied with its owners and modes. */
function withHistory(): string {
  const home = mkdtempSync(join(tmpdir(), 'lk-'));
  homes.push(home);
  if (uid !== undefined) chownSync(home, uid, uid);
  chmodSync(home, 0o755);
  const copied = spawnSync('cp', ['-a', model, join(home, 's')]);
  if (copied.status !== 0) throw new Error(copied.stderr.toString());
  return join(home, 's');
}

function run(stateDir: string, as = uid): Promise<CommandResult> {
  return latchkey(['gateway', 'run', '--port', '0', '--state-dir', stateDir], {
    home: join(stateDir, '..'),
    timeoutMs: 10_000,
    ...(as === undefined ? {} : { uid: as }),
  });
}

/** The command that a refusal names. */
function mend({ stderr }: CommandResult): string {
  return /^ {2}run: (.*)$/m.exec(stderr)?.[1] ?? '';
}

/** As a person would, in a shell, as the directory's owner. */
function shell(command: string, stateDir: string): void {
  const options = { cwd: join(stateDir, '..'), ...(uid === undefined ? {} : { uid, gid: uid }) };
  const done = spawnSync('/bin/sh', ['-c', command], options);
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr?.toString()}`);
}

/** It starts, and who was paired still is. */
async function works(stateDir: string): Promise<void> {
  const gateway: Gateway = await start({ stateDir, ...(uid === undefined ? {} : { uid }) });
  try {
    expect(gist(await once({ port: gateway.port }, asking([READ]), { identity: known }))).toBe('ok');
  } finally {
    await gateway.halt();
  }
}

async function refused(one: Case): Promise<{ stateDir: string; result: CommandResult }> {
  const stateDir = withHistory();
  const named = join(stateDir, one.spoil(stateDir));
  const before = tree(stateDir, PASSING);
  const result = await run(stateDir);
  expect(result.code, result.stderr).toBe(78);
  expect(result.stderr).toContain(named.replace(/\/$/, ''));
  expect(result.stderr).toMatch(one.why);
  expect(mend(result)).not.toBe('');
  // No word of a stack, and nothing of what is in the files.
  expect(result.stderr).not.toMatch(/\n\s+at |nobody foresaw/);
  expect(tree(stateDir, PASSING)).toEqual(before);
  expect(() => statSync(join(stateDir, 'run', 'gateway.sock'))).toThrow();
  return { stateDir, result };
}

const titled = (cases: readonly Case[]) => cases.map((one) => [one.name, one] as const);

describe('threat 59: a state directory', () => {
  it('threat 59 the control: a copy of it starts', async () => {
    await works(withHistory());
  });

  it.each(titled(PERMISSIONS))('threat 59 %s is refused', async (_name, one) => {
    const { stateDir, result } = await refused(one);
    if (one.mends !== true) return;
    shell(mend(result), stateDir);
    await works(stateDir);
  });

  it('threat 59 A11 that is itself a link is refused', async () => {
    const stateDir = withHistory();
    const link = join(stateDir, '..', 'link');
    symlinkSync(stateDir, link);
    own(link);
    const before = tree(stateDir);
    const result = await run(link);
    expect(result.code, result.stderr).toBe(78);
    expect(result.stderr).toContain(link);
    expect(result.stderr).toMatch(/symbolic link/);
    expect(tree(stateDir)).toEqual(before);
  });

  it('threat 59 that is a file is refused', async () => {
    const stateDir = withHistory();
    const file = join(stateDir, '..', 'file');
    writeFileSync(file, 'mine');
    own(file);
    const result = await run(file);
    expect(result.code, result.stderr).toBe(78);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it.skipIf(isRoot && !nobodyRuns)(
    'threat 59 A11 of somebody else ends with 77 and the sudo line, and nothing is left there',
    async () => {
      // Where the suite is not root, root's own directory is somebody else's.
      const stateDir = isRoot ? withHistory() : '/usr/share';
      const before = isRoot ? tree(stateDir) : readdirSync(stateDir);
      const other = isRoot ? NOBODY - 1 : undefined;
      const result = await latchkey(['gateway', 'run', '--port', '0', '--state-dir', stateDir], {
        home: tmpdir(),
        ...(other === undefined ? {} : { uid: other }),
      });
      expect(result.code, result.stderr).toBe(77);
      expect(mend(result)).toMatch(/^sudo -u \S+ latchkey --state-dir /);
      expect(isRoot ? tree(stateDir) : readdirSync(stateDir)).toEqual(before);
    },
  );

  it.skipIf(!isRoot || !nobodyRuns)(
    'threat 59 A11 of somebody else is served by root as that user: nothing in it is left to root',
    async () => {
      const stateDir = withHistory();
      const gateway = await start({ stateDir });
      try {
        const { uid: owner } = statSync(`/proc/${gateway.pid}`);
        expect(owner).toBe(NOBODY);
        await paired(await gateway.owner(), [READ]);
        const owners = Object.values(tree(stateDir)).map((about) => about.split(' ')[1]);
        expect(new Set(owners)).toEqual(new Set([`${NOBODY}:${NOBODY}`]));
      } finally {
        await gateway.halt();
      }
    },
  );

  it('threat 59 a new one is private whatever the umask', async () => {
    const stateDir = newStateDir({}, uid);
    homes.push(join(stateDir, '..'));
    // The mask is inherited; a worker of the suite can't set its own.
    const line = `umask 000; "${NODE}" "${CLI}" gateway run --port 0 --state-dir "${stateDir}" & p=$!; i=0; while [ ! -S "${stateDir}/run/gateway.sock" ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done; sleep 0.3; kill $p; wait $p`;
    shell(line, stateDir);
    const modes = tree(stateDir, /^(latchkey\.json)$/);
    expect(Object.keys(modes)).toEqual(expect.arrayContaining([DB, IDENTITY, 'logs/gateway.jsonl']));
    for (const [name, about] of Object.entries(modes)) expect(about, name).toMatch(/^(40700|100600) /);
  });
});

describe('threat 59: the truth', () => {
  it.each(titled(DATABASES))('A17 a database %s is refused, never replaced', async (_name, one) => {
    const { stateDir } = await refused(one);
    // Not the second time either.
    expect((await run(stateDir)).code).toBe(78);
  });

  it.each(titled(DATABASES.filter(({ mends }) => mends === false)))(
    'A17 a database %s is mended by the command that is named, where there is a backup',
    async (_name, one) => {
      const stateDir = withHistory();
      const backup = join(stateDir, 'backups', 'latchkey-1-20260101T000000000Z.sqlite');
      copyFileSync(join(stateDir, DB), backup);
      own(backup);
      one.spoil(stateDir);
      const result = await run(stateDir);
      expect(result.code, result.stderr).toBe(78);
      shell(mend(result), stateDir);
      await works(stateDir);
    },
  );

  it('A17 a database whose header names a newer format is refused or served, never emptied', async () => {
    const stateDir = withHistory();
    inDatabase(stateDir, 'PRAGMA user_version = 999');
    const outcome = await works(stateDir).then(
      () => 'served',
      (error: unknown) => String(error),
    );
    expect(outcome).toMatch(/^served$|ended with 78:[\s\S]*latchkey\.sqlite/);
  });

  it('S24 a database from before there were conversations is brought up to date, each step after a backup', async () => {
    const stateDir = withHistory();
    // Children first.
    const tables = ['saying', 'run', 'transcript', 'conversation', 'session'];
    inDatabase(stateDir, `${tables.map((t) => `DROP TABLE ${t}`).join('; ')}; DELETE FROM receipt WHERE version > 1`);
    await works(stateDir);
    const backups = () => readdirSync(join(stateDir, 'backups')).sort();
    const made = backups();
    expect(made).toEqual([1, 2, 3].map((step) => expect.stringMatching(`^latchkey-${step}-\\d{8}T\\d{9}Z\\.sqlite$`)));
    for (const table of tables) inDatabase(stateDir, `SELECT * FROM ${table}`);
    await works(stateDir);
    expect(backups()).toEqual(made);
  });

  it('A17 a damaged trace is made anew and stops nobody: nothing in it is the truth', async () => {
    const stateDir = withHistory();
    changed(stateDir, 'state/trace.sqlite', (b) => b.fill(1));
    await works(stateDir);
    appendFileSync(join(stateDir, 'state/trace.sqlite'), 'more');
    await works(stateDir);
  });
});

describe('threat 59: the identity', () => {
  it('A11 a store in which nobody was ever let in, but something was said, gets no other identity', async () => {
    const stateDir = withHistory();
    inDatabase(
      stateDir,
      `DELETE FROM change; DELETE FROM device;
       INSERT INTO run VALUES (1, '"r"', '"agent:main:main"', 's', 'main', '{"kind":"owner"}',
         '{"text":"","from":{"kind":"person","name":null},"attachments":[]}', '', 1, 1, 1, '{"kind":"ok"}', 0, 0, 0, 0, NULL, 1)`,
    );
    rmSync(join(stateDir, IDENTITY));
    expect((await run(stateDir)).code).toBe(78);
    expect(readdirSync(join(stateDir, 'identity'))).not.toContain('gateway.json');
  });

  it.each(titled(IDENTITIES))('A11 an identity %s is refused, never made anew', async (_name, one) => {
    const { stateDir, result } = await refused(one);
    expect(mend(result)).toMatch(/doctor|gateway\.json/);
    // Back in its place, all is as it was.
    copyFileSync(join(model, IDENTITY), join(stateDir, IDENTITY));
    chmodSync(join(stateDir, IDENTITY), 0o600);
    own(join(stateDir, IDENTITY));
    await works(stateDir);
  });
});
