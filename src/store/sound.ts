import type { RowBody } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import type { SessionState, Usage } from '../core/conversation/session.ts';

// What no driver stores, so that none keeps what another would refuse.

/** @throws RangeError unless all of them are whole numbers from `min` on */
function whole(what: string, numbers: Readonly<Record<string, number | null>>, min = 0): void {
  for (const [name, number] of Object.entries(numbers)) {
    if (number === null || (Number.isSafeInteger(number) && number >= min)) continue;
    throw new RangeError(`${what}: ${name} is ${number}, no whole number from ${min} on`);
  }
}

function ofUsage(what: string, usage: Usage): void {
  const { input, output, cacheRead, cacheWrite } = usage;
  whole(what, { input, output, cacheRead, cacheWrite });
}

/** @param stored how many rows of its conversation are stored @throws RangeError */
export function checkSession(session: SessionState, stored: number): void {
  const what = `session ${session.key}`;
  const { rows, compacted, context, usage, createdAt, updatedAt } = session;
  if (rows !== stored) throw new RangeError(`${what}: it says ${rows} rows, and ${stored} are stored`);
  whole(what, { compacted, context });
  whole(what, { createdAt, updatedAt }, Number.MIN_SAFE_INTEGER);
  ofUsage(what, usage);
  if (compacted > rows) throw new RangeError(`${what}: ${compacted} of ${rows} rows are summed up`);
}

/** @throws RangeError for a row that would not be understood when it is read */
export function checkBody(session: string, seq: number, body: RowBody): void {
  if (body.kind === 'assistant') ofUsage(`conversation ${session}: row ${seq}`, body.usage);
}

/** @param last the number of the last stored row, 0 without one @throws RangeError */
export function checkNext(session: string, seq: number, last: number): void {
  if (seq !== last + 1) throw new RangeError(`conversation ${session}: row ${seq} does not follow ${last}`);
}

/** @throws RangeError */
export function checkRun(run: RunState): void {
  const what = `run ${run.id}`;
  const { acceptedAt, startedAt, endedAt, end, costMicros, usage } = run;
  whole(what, { acceptedAt, startedAt, endedAt }, Number.MIN_SAFE_INTEGER);
  whole(what, { costMicros });
  ofUsage(what, usage);
  if ((end === null) !== (endedAt === null)) {
    throw new RangeError(`${what}: an end without its instant, or an instant without its end`);
  }
}
