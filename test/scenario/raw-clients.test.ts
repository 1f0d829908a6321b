// Clients in the modes of OpenClaw's other programs: the table of `npm run interop`, which needs no OpenClaw for it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../gateway.ts';
import { OUTCOMES } from '../interop/raw/outcome.ts';
import { LABELS, ROWS } from '../interop/raw/row.ts';
import { DIALECTS, rawGateway, tried, triedTwice } from '../interop/raw.ts';
import { RELEASES, type ReleaseName } from '../interop/release.ts';
import type { Peer } from '../partner/peer.ts';

/** One release under all of them; whoever speaks an older dialect is judged by the same code, and tries a few. */
const labelsOf = (release: ReleaseName) => LABELS.filter((_, at) => release === '2026.9.6' || at % 5 === 1);

const titled = ROWS.map((row) => ({ ...row, rule: OUTCOMES[row.expected] }));

describe.each(RELEASES)('A2 clients as of %s', (release) => {
  const dialect = DIALECTS[release];
  let gateway: Gateway;
  let owner: Peer;

  beforeAll(async () => {
    ({ gateway, owner } = await rawGateway());
  });
  afterAll(() => gateway?.stop());

  it.each(titled)('$rule $name: $expected', async (row) => {
    expect(await tried({ gateway, owner, dialect }, row, row.labels)).toEqual([]);
  });

  it.each(titled)(
    'A2 $name: the same under other client ids, modes, versions and platforms',
    async (row) => {
      for (const labels of labelsOf(release)) {
        const what = `${labels.id}/${labels.mode} ${labels.version} ${labels.platform}`;
        expect(await tried({ gateway, owner, dialect }, row, labels), what).toEqual([]);
      }
    },
    120_000,
  );

  it.each(titled)('A5 $name: a second time the same, and no second request', async (row) => {
    expect(await triedTwice({ gateway, owner, dialect }, row)).toEqual([]);
  });
});
