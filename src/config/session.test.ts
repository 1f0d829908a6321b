import { describe, expect, test } from 'vitest';
import { DAY_MS } from '../core/base/instant.ts';
import { configOf } from './load.ts';
import { RETENTION } from './session.ts';

const PLACE = { path: '/nowhere/latchkey.json', profile: null };
const kept = (maintenance: unknown) =>
  configOf(JSON.stringify({ session: { maintenance } }), PLACE).config.session.maintenance;
const refusal = (maintenance: unknown): string => {
  try {
    kept(maintenance);
    return 'taken';
  } catch (error) {
    const { what, why } = error as { what: string; why: string };
    return `${what}: ${why}`;
  }
};

describe('rule: what is kept, by configuration', () => {
  test('rule: with nothing said sessions are kept for good, ended runs and reset conversations for 30 days', () => {
    const { config } = configOf(null, PLACE);
    expect(config.session.maintenance).toEqual(RETENTION);
    expect(kept({})).toMatchObject({ mode: 'enforce', runsMs: 30 * DAY_MS, resetsMs: 30 * DAY_MS, idleMs: null });
  });

  test('rule: durations and sizes are read with their unit, false is for good', () => {
    const said = {
      mode: 'warn',
      pruneAfter: '2w',
      resetArchiveRetention: '12h',
      runRetention: false,
      maxEntries: 5000,
      maxDiskBytes: '10gb',
      maxTranscriptRows: false,
      maxTranscriptBytes: 2_000_000,
      maxAttachmentBytes: '500MB',
    };
    expect(kept(said)).toEqual({
      mode: 'warn',
      idleMs: 14 * DAY_MS,
      resetsMs: DAY_MS / 2,
      runsMs: null,
      entries: 5_000,
      bytes: 10 * 2 ** 30,
      rows: null,
      rowBytes: 2_000_000,
      attachmentBytes: 500 * 2 ** 20,
    });
  });

  test.each([
    ['pruneAfter', 30],
    ['pruneAfter', '30'],
    ['pruneAfter', '0d'],
    ['pruneAfter', '1.5d'],
    ['pruneAfter', true],
    ['runRetention', '30 days'],
    ['maxDiskBytes', '10'],
    ['maxDiskBytes', 1_000],
    ['maxDiskBytes', '1kb'],
    ['maxTranscriptBytes', '999999999tb'],
    ['maxTranscriptRows', 3],
    ['maxEntries', 0],
    ['maxEntries', '5'],
    ['mode', 'off'],
  ])('rule: %s %j is refused with its key, and says what it must be', (name, value) => {
    expect(refusal({ [name]: value })).toMatch(
      new RegExp(`line 1: session\\.maintenance\\.${name} is refused: must be .{5}`),
    );
  });

  test("rule: what OpenClaw's files have and nothing here does is named with what holds instead", () => {
    expect(refusal({ pruneDays: 30 })).toContain('session.maintenance.pruneAfter says it');
    expect(refusal({ rotateBytes: '10mb' })).toContain('take the key out');
    expect(refusal({ pruneAftr: '3d' })).toContain("did you mean 'pruneAfter'?");
  });
});
