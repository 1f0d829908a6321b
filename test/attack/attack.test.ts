// The quick part of `npm run attack`: every check that says so, against one gateway of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf } from './check.ts';
import { CHECKS } from './checks.ts';
import { ownTarget } from './own.ts';
import { judge } from './run.ts';
import type { Target } from './target.ts';

const SEED = Number(process.env.ATTACK_SEED ?? 20_261_121);

describe('the checks of THREATS.md D', () => {
  let target: Target;
  let folder: string;
  let isKept = false;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-attack-'));
    target = await ownTarget({ seed: SEED, quick: true, patience: 10 });
    await target.admin();
    await target.alive();
  });
  afterAll(async () => {
    await target?.end();
    await target?.options.own?.stop();
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  });

  for (const check of CHECKS.filter(({ quick }) => quick)) {
    test(`threat ${numberOf(check)} ${check.id}: ${check.title}`, { timeout: 60_000 }, async (context) => {
      const { verdict, note, log } = await judge(check, target, folder);
      if (verdict === 'skip') context.skip(note);
      if (verdict === 'fail') isKept = true;
      expect(verdict, `${note}\nseed ${SEED}; frames: ${log}`).toBe('pass');
    });
  }
});
