// The other way round: Latchkey's own command line against OpenClaw's gateway of each release.
import { documentOf, judged, named, READING, startingWith } from './abroad/command.ts';
import { decisions } from './abroad/decision.ts';
import { replaced } from './abroad/replaced.ts';
import { credentials, endings } from './abroad/token.ts';
import { Traveller, type Went } from './abroad/traveller.ts';
import { type ForeignGateway, foreignGateway } from './foreign.ts';
import type { Context, Part, Result } from './part.ts';
import type { Release } from './release.ts';
import { type Finding, WORKS, worst } from './verdict.ts';

type Rows = Map<string, Finding>;

/** A row that is judged several times is as good as its worst time. */
function add(rows: Rows, row: string, finding: Finding): void {
  const before = rows.get(row);
  rows.set(row, before === undefined ? finding : worst([before, finding]));
}

/** Gateway and command line both meet each other for the first time. */
async function fresh<T>(release: Release, work: (g: ForeignGateway, t: Traveller) => Promise<T>): Promise<T> {
  const gateway = await foreignGateway(release);
  const traveller = new Traveller(gateway);
  try {
    return await work(gateway, traveller);
  } finally {
    traveller.end();
    await gateway.stop();
  }
}

/** All of them, that one first; each is judged by itself, and the order by its worst. */
async function inOrder(rows: Rows, traveller: Traveller, first: string): Promise<void> {
  const findings: Finding[] = [];
  for (const command of startingWith(first)) {
    const ran = await traveller.run(command.args);
    const finding = judged(ran, ran.code === 0 && command.isDone(ran));
    findings.push(finding);
    add(rows, named(command), finding);
  }
  add(rows, `in order: ${first} first`, worst(findings));
}

async function followed(rows: Rows, traveller: Traveller): Promise<void> {
  const ran = await traveller.follow(['logs', '--follow'], (stdout) => /^\d\d:\d\d:\d\d \w+ /m.test(stdout));
  add(rows, 'logs --follow', judged(ran, ran.code === 0));
}

/** Commands one after the other, as a script runs them; `times` is fifty, or fewer for a quick look. */
async function manyInARow(rows: Rows, gateway: ForeignGateway, traveller: Traveller, times: number): Promise<void> {
  const findings: Finding[] = [];
  for (let i = 0; i < times; i += 1) {
    const command = READING[1 + (i % 4)];
    if (command === undefined) throw new Error('there are fewer commands than that');
    const ran = await traveller.run(command.args);
    findings.push(judged(ran, ran.code === 0 && command.isDone(ran)));
  }
  const list = documentOf(await traveller.run(['devices', 'list', '--json']));
  const isCalm = list.pending?.length === 0 && list.paired?.length === 1;
  const says = `${list.pending?.length} requests open, ${list.paired?.length} devices paired after ${times} commands`;
  add(rows, 'fifty commands in a row', worst([...findings, isCalm ? WORKS : { verdict: 'fails', says }]));
  const approvals = gateway.logs().split('device pairing auto-approved').length - 1;
  const isOnce = approvals === 1;
  const asked = { verdict: 'fails', says: `it was approved ${approvals} times` } as const;
  add(rows, 'paired once, whatever was run', isOnce ? WORKS : asked);
}

/** Nobody is known to anybody yet, and everything is run at the same moment. */
async function allAtOnce(rows: Rows, traveller: Traveller): Promise<void> {
  const commands = READING.filter(({ args }) => args[0] !== 'config');
  const ran = await Promise.all(commands.map(({ args }) => traveller.run(args)));
  const answered = ran.map((one: Went) => judged(one, one.code === 0));
  const after = await traveller.run(['devices', 'list', '--json']);
  const isOne = documentOf(after).paired?.length === 1 && documentOf(after).pending?.length === 0;
  add(rows, 'all at once, at the first connect', worst([...answered, judged(after, isOne)]));
}

async function run(release: Release, context: Context): Promise<readonly Result[]> {
  const rows: Rows = new Map();
  const put = (found: readonly (readonly [string, Finding])[]) => {
    for (const [row, finding] of found) add(rows, row, finding);
  };
  const say = (line: string) => context.say(`abroad ${release.name}: ${line}`);
  await fresh(release, async (gateway, traveller) => {
    say('health first, decisions, one command after the other');
    await inOrder(rows, traveller, 'health');
    await followed(rows, traveller);
    await manyInARow(rows, gateway, traveller, context.quick ? 5 : 50);
    put(await decisions(gateway, traveller));
  });
  await fresh(release, async (gateway, traveller) => {
    say('status first, credentials');
    await inOrder(rows, traveller, 'status');
    await traveller.run(['devices', 'remove', traveller.remembered?.deviceId ?? 'none']);
    put(await credentials(gateway));
  });
  await fresh(release, async (gateway, traveller) => {
    say('devices first, ended tokens');
    await inOrder(rows, traveller, 'devices');
    put(await endings(gateway, traveller));
  });
  await fresh(release, async (gateway, traveller) => {
    say('all at once; another gateway at its address, and back');
    await allAtOnce(rows, traveller);
    put(await replaced(gateway, traveller));
  });
  return [...rows].map(([row, finding]) => ({ row, release: release.name, finding }));
}

export const abroad: Part = {
  name: 'abroad',
  about: [
    "Latchkey's own command line against OpenClaw's gateway: `latchkey --url URL --token-file FILE COMMAND`, on a fresh state",
    'of both for each order. *works*: the command did what it is for, or, where it can not, named the one command that mends',
    'it, and that command did. *degraded*: a person had to approve this device at the gateway again.',
  ].join('\n'),
  run,
};
