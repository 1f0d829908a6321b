// Raw clients in the modes of OpenClaw's other programs, as each release speaks and signs, against Latchkey. No OpenClaw
// is needed for it: `npm test` runs the same rows.
import { type Gateway, start } from '../gateway.ts';
import type { Peer } from '../partner/peer.ts';
import type { Context, Part, Result } from './part.ts';
import { ALLOWED_ORIGIN, type Dialect, keyOf, observe } from './raw/observe.ts';
import { differences, meaningOf } from './raw/outcome.ts';
import { LABELS, type Labels, ROWS, type Row } from './raw/row.ts';
import type { Release, ReleaseName } from './release.ts';
import { type Finding, WORKS, worst } from './verdict.ts';

export const DIALECTS: Readonly<Record<ReleaseName, Dialect>> = {
  '2026.9.6': { protocol: 4, signature: 'v3' },
  '2026.3.13': { protocol: 3, signature: 'v3' },
  '2026.2.19': { protocol: 3, signature: 'v2' },
};

/** A gateway that such clients are tried at, and its owner, who looks at what came of them. */
export async function rawGateway(): Promise<{ readonly gateway: Gateway; readonly owner: Peer }> {
  // A16: answers to wrong secrets are put off after a few of them; here there are a hundred, and what they say counts.
  const auth = { rateLimit: { maxAttempts: 1_000 } };
  const gateway = await start({ config: { gateway: { auth, controlUi: { allowedOrigins: [ALLOWED_ORIGIN] } } } });
  return { gateway, owner: await gateway.owner() };
}

interface Place {
  readonly gateway: Gateway;
  readonly owner: Peer;
  readonly dialect: Dialect;
}

/** What is otherwise than the rules say, where a client with these labels shows what the row shows. */
export async function tried({ gateway, owner, dialect }: Place, row: Row, labels: Labels): Promise<readonly string[]> {
  const identity = await keyOf(gateway, owner, row.proof, dialect);
  const seen = await observe(gateway, owner, { labels, proof: row.proof }, dialect, identity);
  return differences(seen, meaningOf(row, dialect));
}

/** The same client twice: what the second connect opens beside the first one's request (A5), and whether it differs. */
export async function triedTwice({ gateway, owner, dialect }: Place, row: Row): Promise<readonly string[]> {
  const identity = await keyOf(gateway, owner, row.proof, dialect);
  await observe(gateway, owner, row, dialect, identity);
  const seen = await observe(gateway, owner, row, dialect, identity);
  return differences(seen, { ...meaningOf(row, dialect), opened: 0 });
}

const findingOf = (different: readonly string[], about = ''): Finding =>
  different.length === 0 ? WORKS : { verdict: 'fails', says: `${about}${different.join('; ')}` };

async function run(release: Release, context: Context): Promise<readonly Result[]> {
  const { gateway, owner } = await rawGateway();
  const place = { gateway, owner, dialect: DIALECTS[release.name] };
  const results: Result[] = [];
  const add = (row: string, finding: Finding) => results.push({ row, release: release.name, finding });
  try {
    context.say(`raw ${release.name}: ${ROWS.length} rows, each with ${LABELS.length} labels`);
    const [others, twice]: [Finding[], Finding[]] = [[], []];
    for (const row of ROWS) {
      add(`${row.name}: ${row.expected}`, findingOf(await tried(place, row, row.labels)));
      twice.push(findingOf(await triedTwice(place, row), `${row.name}: `));
      for (const labels of LABELS.slice(0, context.quick ? 2 : LABELS.length)) {
        others.push(findingOf(await tried(place, row, labels), `${row.name}, as ${labels.id}/${labels.mode}: `));
      }
    }
    add('each of them with the labels of every other: the same', worst(others));
    add('each of them twice: the same, and no second request', worst(twice));
    return results;
  } finally {
    await gateway.stop();
  }
}

export const raw: Part = {
  name: 'raw',
  about: [
    "Clients of a test's own in the modes of OpenClaw's other programs, speaking and signing as the release does. A row names",
    'what the rules give it; *works* is exactly that: the answer, what hello tells, what can be called afterwards, what the',
    'owner sees of the key, and how many requests are open.',
  ].join('\n'),
  run,
};
