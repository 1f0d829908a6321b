// What OpenClaw's programs print of a refusal is committed (`npm run interop -- --only narrowed --update`). Here is
// checked, without them, that every text names the command that mends its case, and that it is the one that the gateway
// sends for it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ErrorContext, refuse } from '../../src/core/protocol/error.ts';
import { spelled } from '../../src/core/protocol/spelled.ts';
import { CASES } from '../interop/narrowed/case.ts';
import { narrowedFile, REQUEST, remediesIn, scrubbed } from '../interop/narrowed/text.ts';
import { RELEASES, type ReleaseName } from '../interop/release.ts';
import { PAIRING, READ } from '../scenario/act.ts';

const TEXTS = RELEASES.flatMap((release) =>
  CASES.filter(({ releases }) => releases === undefined || releases.includes(release)).map((one) => ({ release, one })),
);

/** The refusal that a case is about, in the words that go out to this release. */
function sent(release: ReleaseName, name: string) {
  const protocol = release === '2026.9.6' ? 4 : 3;
  const cli: ErrorContext = { protocol, clientId: 'cli', clientMode: 'cli', requestId: REQUEST };
  const [kind] = name.split('-');
  if (kind === 'read') return spelled(refuse('missing_scope', { ...cli, scopes: [PAIRING] }));
  if (kind === 'pairing') return spelled(refuse('missing_scope', { ...cli, scopes: [READ] }));
  if (kind === 'wrong') return spelled(refuse('secret_mismatch', cli));
  return spelled(refuse(kind === 'rejected' ? 'rejected' : 'pairing_required', cli));
}

describe("what a narrowed device's OpenClaw prints", () => {
  it('A16 there is a text for every case of every release, and no other', () => {
    const files = readdirSync(join(import.meta.dirname, '..', 'interop', 'narrowed')).filter((f) => f.endsWith('.txt'));
    const wanted = TEXTS.map(({ release, one }) => narrowedFile(release, one.name).split('/').at(-1));
    expect(files.sort()).toEqual(wanted.sort());
    // One command that reads, and one that decides about devices, in each release.
    for (const name of ['read-devices-list', 'pairing-system-presence'])
      expect(files.filter((file) => file.endsWith(`-${name}.txt`))).toHaveLength(RELEASES.length);
  });

  it.each(TEXTS.map(({ release, one }) => [release, one.row, one] as const))(
    'A16 %s, %s: the text names the one command that mends it',
    (release, _row, one) => {
      const text = readFileSync(narrowedFile(release, one.name), 'utf8');
      const { error, remedy } = sent(release, one.name);
      expect(text.startsWith(`$ openclaw ${one.args.join(' ')}\n`)).toBe(true);
      if (one.isSilent(release)) {
        // Its own words; the request at least is named.
        expect([remediesIn(text), text.includes(REQUEST)]).toEqual([[], true]);
        return;
      }
      expect(remediesIn(text)).toEqual([remedy]);
      // Of a refused pairing 2026.9.6 prints the hint; everything else is the message.
      const plain = text.replace(/[\u2500-\u257f\s]+/g, ' ');
      const isHint = error.details?.code === 'PAIRING_REQUIRED' && release === '2026.9.6';
      expect(plain).toContain(isHint ? `Hint: ${error.details?.remediationHint}` : error.message);
    },
  );

  it('rule: nothing of the machine that they were made on stands in them', () => {
    for (const { release, one } of TEXTS) {
      const text = readFileSync(narrowedFile(release, one.name), 'utf8');
      expect(text).not.toMatch(/\/(?:tmp|home|root|work|Users)\//);
      expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{32}|:\d{4,5}\b|\d+(?:\.\d+)?m?s\b/);
    }
  });

  it('rule: remedies are found where a table broke them, and ids are taken out whole', () => {
    const id = 'fdf1a31b-a673-475b-94f3-eb87856d43cf';
    const table = `│ Gateway │ unreachable (no (on the gateway's host: latchkey devices │\n│ │ approve ${id})) │`;
    expect(remediesIn(table)).toEqual([`latchkey devices approve ${id}`]);
    const facts = { port: 12345, stateDir: '/s', home: '/h', program: '/p' };
    expect(remediesIn(scrubbed(table, facts))).toEqual([`latchkey devices approve ${REQUEST}`]);
    expect(remediesIn('nothing here but latchkey')).toEqual([]);
  });
});
