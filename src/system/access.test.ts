import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAbove, checkWritten, othersRead, userName } from './access.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped in part: only root can make files of other users');
/** In no /etc/passwd that could be met here. */
const ALICE = 54_321;
const MALLORY = 54_322;

let home: string;
let dir: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-access-'));
  chmodSync(home, 0o755);
  dir = join(home, 'above', 'state');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Exit code and remedy of the refusal; `null`: none. */
function said(act: () => void): readonly [number, string] | null {
  try {
    act();
    return null;
  } catch (error) {
    const { exitCode, run } = error as { exitCode: number; run: string };
    return [exitCode, run];
  }
}

describe.skipIf(!isRoot)('threat 59: who can put another directory in the place of this one', () => {
  const above = () => join(home, 'above');
  test('threat 59: a directory above that belongs to somebody else is refused, root and its own user are not', () => {
    chownSync(above(), MALLORY, MALLORY);
    expect(said(() => checkAbove(dir, ALICE))).toEqual([78, `sudo chown ${ALICE} ${above()}`]);
    expect(said(() => checkAbove(dir, 0))).toEqual([78, `sudo chown 0 ${above()}`]);
    // Sticky or not: its owner moves what is in it.
    chmodSync(above(), 0o1777);
    expect(said(() => checkAbove(dir, ALICE))?.[0]).toBe(78);
    chmodSync(above(), 0o755);
    for (const uid of [ALICE, 0]) {
      chownSync(above(), uid, uid);
      expect(said(() => checkAbove(dir, ALICE))).toBeNull();
    }
  });

  test('threat 59: a group that is not its own may not write it, but for what is sticky', () => {
    chownSync(above(), ALICE, MALLORY);
    chmodSync(above(), 0o775);
    expect(said(() => checkAbove(dir, ALICE))).toEqual([78, `chmod g-w ${above()}`]);
    chmodSync(above(), 0o777);
    expect(said(() => checkAbove(dir, ALICE))).toEqual([78, `chmod go-w ${above()}`]);
    chownSync(above(), 0, 0);
    chmodSync(above(), 0o1777);
    expect(said(() => checkAbove(dir, ALICE))).toBeNull();
    // The group that many systems make for each user, and root's.
    for (const group of [ALICE, 0]) {
      chownSync(above(), ALICE, group);
      chmodSync(above(), 0o775);
      expect(said(() => checkAbove(dir, ALICE))).toBeNull();
    }
  });

  test('threat 59: a group of a name that is not the user’s is nobody’s own', () => {
    const row = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name, , gid]) => name !== '' && Number(gid) > 0);
    chownSync(above(), ALICE, Number(row?.[2] ?? 1));
    chmodSync(above(), 0o775);
    expect(said(() => checkAbove(dir, ALICE))?.[0]).toBe(78);
  });

  test('threat 59: where a link leads is looked at too', () => {
    const open = join(home, 'open');
    mkdirSync(join(open, 'real', 'state'), { recursive: true });
    chmodSync(open, 0o777);
    symlinkSync(join(open, 'real'), join(home, 'way'));
    expect(said(() => checkAbove(join(home, 'way', 'state'), 0))).toEqual([78, `chmod go-w ${open}`]);
  });
});

describe.skipIf(!isRoot)('threat 59: who can write a file that names programs', () => {
  const made = (mode: number, uid: number, gid: number) => {
    const file = join(dir, 'latchkey.json');
    writeFileSync(file, '{}');
    chownSync(file, uid, gid);
    chmodSync(file, mode);
    return { file, said: said(() => checkWritten(file, statSync(file), ALICE)) };
  };

  test.each([
    [0o600, ALICE, ALICE, null],
    [0o644, 0, 0, null],
    [0o664, ALICE, ALICE, null],
    [0o600, MALLORY, MALLORY, `sudo chown ${ALICE} `],
    [0o666, ALICE, ALICE, 'chmod go-w '],
    [0o664, ALICE, MALLORY, 'chmod g-w '],
  ])('threat 59: mode %o of %i:%i', (mode, uid, gid, run) => {
    const { file, said } = made(mode, uid, gid);
    expect(said).toEqual(run === null ? null : [78, `${run}${file}`]);
  });

  test('threat 59: others may not write the directory that it lies in', () => {
    chownSync(dir, MALLORY, MALLORY);
    expect(made(0o600, ALICE, ALICE).said?.[0]).toBe(78);
  });

  test('rule: others read what its mode and the directories above it let them', () => {
    const { file } = made(0o644, ALICE, ALICE);
    expect(othersRead(file, statSync(file), ALICE)).toBe(true);
    chmodSync(dir, 0o700);
    expect(othersRead(file, statSync(file), ALICE)).toBe(false);
    chmodSync(dir, 0o755);
    chmodSync(file, 0o640);
    expect(othersRead(file, statSync(file), ALICE)).toBe(false);
    chownSync(file, ALICE, MALLORY);
    expect(othersRead(file, statSync(file), ALICE)).toBe(true);
  });
});

test('rule: a user is named, or counted', () => {
  expect(userName(MALLORY)).toBe(`uid ${MALLORY}`);
});
