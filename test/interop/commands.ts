// The main table: every command in every order. A row is as good as its worst run.
import { AFTERMATH } from './aftermath.ts';
import { DECISION_ROWS } from './decide.ts';
import { type Observed, ORDERS, type Order, runLater, runOrder } from './order.ts';
import type { Context, Part, Result } from './part.ts';
import type { Release } from './release.ts';
import { type Kind, latchkeySite, openclawSite } from './site.ts';
import { type Finding, worst } from './verdict.ts';

const ABOUT = `OpenClaw's command line on the gateway's host: what it has is \`gateway.mode\`, \`gateway.port\` and
\`gateway.auth\` in its configuration, and once nothing but the secret and the port in its environment. Every row is run
in every order, each on a fresh gateway with a fresh home directory, and a cell is the worst of them; a hundred times in
a row are \`status\` and \`devices list\`. A row works when the command ends as it should, shows what only this gateway can
have told it, and says no word of pairing, scope, token, identity or reach; what decides is looked after at the
gateway. Rows \`after …\` are judged at the gateway, from its log and its record of refusals. \`not yet\` is found, not
assumed: the command says that it needs a method that isn't there. Commands about conversations are asked once there was
one.`;

const NEVER: Finding = { verdict: 'not run', says: 'only Latchkey can be asked' };

/** By the row's name, each with what was found in every order. */
class Findings {
  readonly #rows = new Map<string, Finding[]>();

  add(row: string, finding: Finding, order: Order | null): void {
    const says = order === null || finding.verdict === 'works' ? finding.says : `${order.name}: ${finding.says}`;
    const list = this.#rows.get(row) ?? [];
    list.push({ ...finding, says });
    this.#rows.set(row, list);
  }

  addAll(observed: readonly Observed[], order: Order | null): void {
    for (const { row, finding } of observed) this.add(row, finding, order);
  }

  results(release: Release): readonly Result[] {
    return [...this.#rows].map(([row, findings]) => ({ row, release: release.name, finding: overall(findings) }));
  }
}

/** What can't be run in one order may work in another: that it can't counts only where nothing else was found. */
function overall(findings: readonly Finding[]): Finding {
  const ran = findings.filter(({ verdict }) => verdict !== 'not run');
  return worst(ran.length > 0 ? ran : findings);
}

/** One whose first command locks a release out, one that doesn't, and what is left out without a configuration. */
const isProof = ({ first, bare }: Order) => bare === true || first === 'health' || first === 'devices list';

function ordersOf(kind: Kind, context: Context): readonly Order[] {
  if (context.later) return [];
  if (kind === 'openclaw') return ORDERS.filter(isProof);
  if (!context.quick) return ORDERS;
  return ORDERS.filter(({ name, many }) => name === 'health first' || many !== undefined).map((order) =>
    order.many === undefined ? order : { ...order, many: { ...order.many, times: 5 } },
  );
}

async function run(kind: Kind, release: Release, context: Context): Promise<readonly Result[]> {
  const findings = new Findings();
  const site = (bare: boolean) => (kind === 'latchkey' ? latchkeySite(release, bare) : openclawSite(release, bare));
  for (const order of ordersOf(kind, context)) {
    context.say(`${release.name}, ${order.name}`);
    const place = await site(order.bare === true);
    try {
      const { observed, after } = await runOrder(place, order, context);
      findings.addAll(observed, order);
      for (const row of AFTERMATH) {
        findings.add(`after ${order.name}: ${row}`, after[row], null);
        if (after[row].verdict === 'fails') context.say(`  after ${order.name}, ${row}: ${after[row].says}`);
      }
    } finally {
      await place.end();
    }
  }
  if (kind === 'openclaw') {
    for (const row of DECISION_ROWS) findings.add(row, NEVER, null);
    return findings.results(release);
  }
  context.say(`${release.name}, what is to come`);
  const place = await site(false);
  try {
    findings.addAll(await runLater(place, context), null);
  } finally {
    await place.end();
  }
  return findings.results(release);
}

/** @param kind what the commands are run against: Latchkey, or the release's own gateway as a proof of the check */
export function commands(kind: Kind): Part {
  return { name: 'commands', about: ABOUT, run: (release, context) => run(kind, release, context) };
}
