import { isDeepStrictEqual } from 'node:util';
import type { CodeId, DeviceId, RequestId } from '../../src/core/authz/principal.ts';
import { Random } from '../random.ts';
import type { Books, Run } from './books.ts';
import { plainText } from './books.ts';
import { lineOf, type Operation } from './history.ts';
import { type House, KEYS } from './house.ts';
import { type Answer, linearize } from './linear.ts';
import type { Fixed } from './model.ts';
import { type Schedule, turn } from './schedule.ts';
import { Stage } from './stage.ts';

/** What happens at the same time. `set` does what comes before, and hands back those who act. */
export interface Race {
  readonly name: string;
  /** The rules that it is about. */
  readonly rules: string;
  readonly set: (stage: Stage) => Promise<readonly (() => Promise<unknown>)[]>;
}

export interface Round {
  readonly seed: number;
  /** What is wrong, with the history; empty when all is well. */
  readonly problems: readonly string[];
  readonly operations: readonly Operation[];
  readonly order: readonly Operation[];
}

/** More than any round takes that comes to its end. */
const TURNS_MAX = 2_000;
const SETTLED_TURNS = 12;

export async function play(race: Race, seed: number, house: House, schedule: Schedule, prefix = ''): Promise<Round> {
  const random = new Random(seed);
  const stage = new Stage(house, random, prefix);
  const idsFrom = house.ids.length;
  const hands = await race.set(stage);
  stage.operations.length = 0;
  const start = await startOf(stage, house.ids.slice(idsFrom));
  const toldFrom = house.watcher.events.length;
  schedule.begin(random);
  const isOver = await finished(hands);
  schedule.end();
  if (isOver) await stage.probe();
  const told = house.watcher.events.slice(toldFrom).filter((e) => e.event === 'device.pair.resolved');
  const end: Books = {
    ...(await booksOf(stage, house.ids.slice(idsFrom), start.seq)),
    told: told.map((e) => [e.payload.requestId, e.payload.outcome] as const),
  };
  const operations = [...stage.operations].sort((a, b) => a.sent - b.sent);
  const answer = linearize({ start, operations, end, fixed: fixedOf(house) });
  const problems = [
    ...(isOver ? [] : ['somebody is never answered']),
    ...house.errors.splice(0).map((e) => `inside: ${e}`),
    ...memory(stage, end),
    ...sockets(stage, answer),
    ...late(answer, told),
    ...(answer.order === null ? [unexplained(answer, end)] : []),
  ];
  for (const { line } of [...stage.voices, ...stage.lines]) line.hangUp();
  const order = answer.order?.map((p) => p.operation) ?? [];
  return { seed, operations, order, problems: problems.length === 0 ? [] : [...problems, historyOf(operations)] };
}

async function finished(hands: readonly (() => Promise<unknown>)[]): Promise<boolean> {
  let isOver = false;
  const all = Promise.all(hands.map((hand) => hand())).then(() => {
    isOver = true;
  });
  for (let left = TURNS_MAX; left > 0 && !isOver; left -= 1) await turn();
  if (!isOver) return false;
  await all;
  for (let left = SETTLED_TURNS; left > 0; left -= 1) await turn();
  return true;
}

function fixedOf(house: House): Fixed {
  return {
    at: house.clock.now(),
    deviceToken: (device, epoch) => KEYS.deviceToken(device, 'operator', epoch),
    codeId: (code) => KEYS.codeId(code),
    deviceId: (key) => KEYS.deviceId(key) ?? ('' as DeviceId),
  };
}

async function booksOf(stage: Stage, ids: readonly string[], since: number): Promise<Books & { readonly seq: number }> {
  return stage.house.store.read(async (tx) => {
    const devices: Books['devices'] = new Map(
      (await tx.devices.list())
        .filter((d) => stage.people.some((p) => p.device === d.device))
        .map((d) => [d.device, d]),
    );
    const codes = new Map<CodeId, NonNullable<Awaited<ReturnType<typeof tx.codes.load>>>>();
    for (const code of stage.codes) {
      const state = await tx.codes.load(KEYS.codeId(code));
      if (state !== null) codes.set(state.id, state);
    }
    const outcomes = new Map();
    for (const id of ids as readonly RequestId[]) {
      const outcome = await tx.devices.past(id);
      if (outcome !== null) outcomes.set(id, outcome);
    }
    const all = await tx.changes.list(200);
    const seq = Math.max(0, ...all.map((c) => c.seq), ...[...codes.values()].map((c) => c.made));
    const changes = all.filter((c) => c.seq > since).reverse();
    return { devices, codes, outcomes, changes, told: [], seq };
  });
}

async function startOf(stage: Stage, ids: readonly string[]): Promise<Run> {
  const books = await booksOf(stage, ids, Number.POSITIVE_INFINITY);
  // What is there already keeps its name.
  const names = new Map(ids.map((id) => [id, id]));
  return { ...books, fresh: 0, names, ended: new Set(), answers: new Map() };
}

/** What is in memory is what is stored. */
function memory({ house, people }: Stage, end: Books): readonly string[] {
  return people
    .filter(
      (p) => !isDeepStrictEqual(plainOf(house.authority.peek(p.device)), plainOf(end.devices.get(p.device) ?? null)),
    )
    .map((p) => `memory and store differ about ${p.device.slice(0, 6)}`);
}

const plainOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** A8, A9: who waits, waits at an open request; who has a session, has a grant; nobody is closed without a cause. */
function sockets({ house, voices, lines }: Stage, { run }: Answer): readonly string[] {
  const problems: string[] = [];
  const isEntered = (line: unknown) => voices.some((v) => v.line === line);
  for (const { line, request, device } of lines) {
    const open = house.authority.peek(device)?.roles.operator.request?.id;
    if (line.over === null && !isEntered(line) && open !== request)
      problems.push(`a socket waits at ${request}, which is not open`);
  }
  for (const { line, as } of voices) {
    if (as.kind !== 'device') continue;
    const grant = house.authority.peek(as.device)?.roles.operator.grant ?? null;
    const who = as.device.slice(0, 6);
    if (line.over === null && grant === null) problems.push(`a session of ${who} outlives its grant`);
    if (line.over !== null && line.over.code !== 1000 && run !== null && !run.ended.has(as.device))
      problems.push(`a session of ${who} was closed though its grant stands: ${line.over.reason}`);
  }
  return problems;
}

/** What is told comes before the reply. */
function late(
  { order, run }: Answer,
  told: readonly { readonly payload: { requestId: string }; readonly seen: number }[],
) {
  if (order === null || run === null) return [];
  const problems: string[] = [];
  for (const { operation, told: ends } of order) {
    for (const name of ends) {
      const event = told.find((e) => (run.names.get(e.payload.requestId) ?? e.payload.requestId) === name);
      if (event !== undefined && event.seen > operation.seen)
        problems.push(`the end of ${name} was told after the reply`);
    }
  }
  return problems;
}

function unexplained({ nearly, tried }: Answer, end: Books): string {
  const found = plainText(end, (id) => id);
  const close = nearly.slice(0, 2).map((text) => `explains every answer, but leaves:\n${text}`);
  return [`no order explains it (${tried} steps tried)`, ...close, `found:\n${found}`].join('\n');
}

function historyOf(operations: readonly Operation[]): string {
  return ['history (sent–answered):', ...operations.map(lineOf)].join('\n');
}
