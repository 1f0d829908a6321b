// The orders that the commands are run in, each on a fresh gateway with a fresh home directory.
import { type AftermathRow, aftermath } from './aftermath.ts';
import { ALONE, type Command, LATER, readingCommands, SAID } from './command.ts';
import { bringRequest, decisions } from './decide.ts';
import { type Judged, judge } from './judge.ts';
import { openclaw, type Ran } from './openclaw.ts';
import type { Context } from './part.ts';
import type { Site } from './site.ts';
import { type Finding, WORKS } from './verdict.ts';

export interface Order {
  readonly name: string;
  /** The command that comes first. */
  readonly first?: 'health' | 'status' | 'devices list';
  /** So many at a time; default one after the other. */
  readonly atOnce?: number;
  /** The secret and the port in the environment, and no file of configuration. */
  readonly bare?: boolean;
  /** The commands that decide come at its end. */
  readonly decides?: boolean;
  /** Only these, each so many times. */
  readonly many?: { readonly lines: readonly string[]; readonly times: number };
}

export const ORDERS: readonly Order[] = [
  { name: 'health first', first: 'health', decides: true },
  { name: 'status first', first: 'status', decides: true },
  { name: 'devices first', first: 'devices list', decides: true },
  { name: 'all at once', atOnce: 4 },
  { name: 'token in the environment', first: 'status', bare: true, decides: true },
  { name: 'a hundred times', atOnce: 2, many: { lines: ['status', 'devices list'], times: 100 } },
];

export interface Observed {
  readonly row: string;
  readonly finding: Finding;
}

export interface Outcome {
  readonly observed: readonly Observed[];
  readonly after: Readonly<Record<AftermathRow, Finding>>;
}

/** A command that ran out of its own patience is given the machine twice more before that counts. */
const TRIES = 3;

async function patiently(site: Site, row: string, run: () => Promise<Judged>, context: Context): Promise<Finding> {
  for (let tries = 1; ; tries += 1) {
    const { finding, isLate } = await run();
    if (finding.verdict === 'works' || !isLate || tries === TRIES) return finding;
    context.say(`  ${site.release.name} ${row}: ${finding.says}; again`);
  }
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** Ended once it shows a line about a request that was made after it had shown its first lines. */
async function follow(site: Site, args: readonly string[]): Promise<Ran> {
  const { owner } = site;
  if (owner === null) throw new Error('no owner socket');
  let shown = -1;
  let asked: Promise<unknown> = Promise.resolve();
  const ran = await openclaw(site.release, site.home, args, {
    endWhen(stdout) {
      const now = count(stdout, 'pairing request');
      if (shown < 0 && stdout.includes('ready')) {
        shown = now;
        asked = bringRequest(site, owner).then(({ requestId }) => owner.ask('device.pair.reject', { requestId }));
      }
      return shown >= 0 && now > shown;
    },
  });
  await asked;
  // It doesn't end by itself: that it was ended is how it should end.
  return ran.timedOut || shown < 0 ? ran : { ...ran, code: 0 };
}

async function pageAnswers(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  await response.arrayBuffer();
  return response.status === 200;
}

function argsOf(line: string): readonly string[] {
  return line.split(' ');
}

/** What needs a configuration and is run without one is a row of its own. */
function rowOf({ hasConfig }: Site, { line, needsConfig }: Command): string {
  return hasConfig || needsConfig === undefined ? line : `${line}, without a configuration`;
}

async function observe(site: Site, command: Command, context: Context): Promise<Observed> {
  const row = rowOf(site, command);
  if (command.follows === true && site.owner === null)
    return { row, finding: { verdict: 'not run', says: 'only Latchkey can be asked' } };
  const run = async (): Promise<Judged> => {
    const args = argsOf(command.line);
    const ran = command.follows === true ? await follow(site, args) : await openclaw(site.release, site.home, args);
    const judged = judge(ran, command, site.facts());
    if (command.shows !== 'page' || judged.finding.verdict !== 'works' || (await pageAnswers(site.facts().port)))
      return judged;
    return { finding: { verdict: 'fails', says: 'the page that it shows isn’t there' }, isLate: false };
  };
  const finding = await patiently(site, row, run, context);
  if (finding.verdict !== 'works') context.say(`  ${site.release.name} ${row}: ${finding.verdict}: ${finding.says}`);
  return { row, finding };
}

async function decide(site: Site, context: Context): Promise<readonly Observed[]> {
  const observed: Observed[] = [];
  if (site.owner === null) return observed;
  for await (const { row, args, expected, verify } of decisions(site, site.owner)) {
    const { finding } = judge(await openclaw(site.release, site.home, args), expected, site.facts());
    const wrong = await verify();
    const whole: Finding =
      finding.verdict === 'works' && wrong !== null ? { verdict: 'fails', says: `it said so, but ${wrong}` } : finding;
    if (whole !== WORKS) context.say(`  ${site.release.name} ${row}: ${whole.verdict}: ${whole.says}`);
    observed.push({ row, finding: whole });
  }
  return observed;
}

/** Runs all of them, at most `width` at a time, in this order. */
async function lanes<T, U>(items: readonly T[], width: number, run: (item: T) => Promise<U>): Promise<readonly U[]> {
  const results: U[] = [];
  const queue = items.entries();
  const lane = async () => {
    for (const [index, item] of queue) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

function commandsOf(site: Site, order: Order): readonly Command[] {
  // At its own gateway a release shows what it does without a configuration: the proof of what is left out here.
  const hasAll = site.hasConfig || site.owner === null;
  const all = readingCommands(site.release.name).filter(({ needsConfig }) => hasAll || needsConfig === undefined);
  const { first, many } = order;
  if (many !== undefined) {
    const lines = Array.from({ length: many.times }, () => many.lines).flat();
    return lines.flatMap((line) => all.filter((command) => command.line === line));
  }
  if (first === undefined) return all;
  return [...all.filter(({ line }) => line === first), ...all.filter(({ line }) => line !== first)];
}

/** What can't be asked without a configuration is told, in rows of its own. */
function leftOut(site: Site): readonly Observed[] {
  return readingCommands(site.release.name).flatMap((command) => {
    const { needsConfig } = command;
    if (needsConfig === undefined || site.owner === null) return [];
    return [{ row: rowOf(site, command), finding: { verdict: 'not run', says: needsConfig } }];
  });
}

/** Runs the order at the site and ends the site's gateway. */
export async function runOrder(site: Site, order: Order, context: Context): Promise<Outcome> {
  const observed: Observed[] = [];
  const [first, ...rest] = commandsOf(site, order);
  if (order.atOnce === undefined && first !== undefined) {
    // The first one meets a gateway that knows nobody.
    observed.push(await observe(site, first, context));
    await site.bringWitness();
    for (const command of rest) observed.push(await observe(site, command, context));
  } else {
    await site.bringWitness();
    const all = commandsOf(site, order);
    observed.push(...(await lanes(all, order.atOnce ?? 1, (command) => observe(site, command, context))));
  }
  if (order.decides === true) observed.push(...(await decide(site, context)));
  if (!site.hasConfig) observed.push(...leftOut(site));
  const bare = observed.filter(({ row }) => site.release.name === '2026.9.6' && row.startsWith('dashboard')).length;
  return { observed, after: await aftermath(site, bare) };
}

/** One question and its answer, so that no list of what was said is empty. */
async function converse({ owner }: Site): Promise<void> {
  if (owner === null) return;
  const runId = 'said-before';
  await owner.ask('chat.send', { sessionKey: 'main', message: SAID, deliver: false, idempotencyKey: runId });
  const { status } = await owner.ask('agent.wait', { runId, timeoutMs: 60_000 });
  if (status !== 'ok') throw new Error(`the conversation before ended with ${status}`);
}

/** What isn't built yet may leave anything behind: it has a site of its own, and nothing is judged after it. */
export async function runLater(site: Site, context: Context): Promise<readonly Observed[]> {
  await site.bringWitness();
  await converse(site);
  const observed: Observed[] = [];
  for (const command of LATER) observed.push(await observe(site, command, context));
  for (const row of ALONE)
    observed.push({ row, finding: { verdict: 'not run', says: 'reads and writes files of its own, asks no gateway' } });
  return observed;
}
