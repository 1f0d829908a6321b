import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isPerhapsWithin } from './workspace.ts';

let root = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'lk-workspace-')));
  mkdirSync(join(root, 'agents/c/workspace/deep'), { recursive: true });
  mkdirSync(join(root, 'elsewhere'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('threat 59: what goes with a directory that is deleted', () => {
  const gone = () => join(root, 'agents/c');
  const link = (to: string, name: string) => {
    symlinkSync(to, join(root, name));
    return join(root, name);
  };

  test('threat 59: is what lies in it, also over a link, or a link to a link', () => {
    const once = link(join(root, 'agents/c/workspace/deep'), 'once');
    const twice = link(once, 'twice');
    for (const path of [gone(), join(gone(), 'x'), once, twice, join(twice, 'not/there/yet')])
      expect([path, isPerhapsWithin(path, gone())]).toEqual([path, true]);
  });

  test('threat 59: under whichever spelling of the directory it is', () => {
    const state = link(root, 'state');
    expect(isPerhapsWithin(join(root, 'agents/c/workspace'), join(state, 'agents/c'))).toBe(true);
    expect(isPerhapsWithin(join(state, 'agents/c/workspace'), join(root, 'agents/c'))).toBe(true);
  });

  test('threat 59: is also what nobody can say where it is, and what is named in it and lies elsewhere', () => {
    expect(isPerhapsWithin(link(join(root, 'nowhere'), 'dangling'), gone())).toBe(true);
    expect(isPerhapsWithin(link(join(root, 'round'), 'round'), gone())).toBe(true);
    expect(isPerhapsWithin(link(join(root, 'elsewhere'), 'agents/c/out'), gone())).toBe(true);
  });

  test('threat 59: is nothing else, whether it is there yet or not', () => {
    const other = link(join(root, 'elsewhere'), 'other');
    const paths = [other, join(root, 'agents/cc'), join(root, 'agents'), join(root, 'agents/d/workspace'), '/'];
    for (const path of [...paths, join(root, 'agents/..d')])
      expect([path, isPerhapsWithin(path, gone())]).toEqual([path, false]);
  });
});
