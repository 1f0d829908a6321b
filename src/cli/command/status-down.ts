import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isListenedAt, portOccupant } from '../../system/listener.ts';
import { escapeText, shellWord } from '../../system/text.ts';
import { type Configured, configured } from '../configured.ts';
import type { Context } from '../context.ts';
import { type Elsewhere, elsewhere, elsewhereText, statusElsewhere } from '../elsewhere.ts';
import { fail, ok, type Part, renderBytes, unseen, warn } from '../part.ts';
import { type RunRecord, readRun } from '../running.ts';

/** What can be known with no gateway. Nothing is opened that could be written to. */
export interface Down {
  readonly last: RunRecord | null;
  readonly config: Configured;
  /** In bytes; `null`: there is no store yet. */
  readonly storeBytes: number | null;
  /** Other gateways of Latchkey on this host: one of them may have been meant. */
  readonly others: readonly Elsewhere[];
  /** What shows the one of them; `null`: which is meant can't be told. */
  readonly look: string | null;
}

export async function lookDown(context: Context): Promise<Down> {
  const { path } = context.state;
  const others = elsewhere(context);
  const look = statusElsewhere(context, others);
  return { last: readRun(path), config: await configured(context), storeBytes: sizeOf(path), others, look };
}

function sizeOf(stateDir: string): number | null {
  try {
    return statSync(join(stateDir, 'state', 'latchkey.sqlite')).size;
  } catch {
    // None yet, or closed to us.
    return null;
  }
}

/** The rows of `status`, beside those that always stand there. */
export function rowsDown(
  { last, config, storeBytes, others }: Down,
  isBusy: boolean,
): readonly (readonly [string, string])[] {
  const program = last === null ? '' : `pid ${last.pid} (${escapeText(last.program ?? 'program unknown')})`;
  const { problem, path, from, exists } = config;
  return [
    [
      'last gateway',
      last === null
        ? 'none known'
        : `${program}, ${last.alive ? `still there${isBusy ? '' : ': starting or stopping'}` : 'gone'}`,
    ],
    ['configuration', `${path}  (${exists ? `named by ${from}` : 'no such file: all is as by default'})`],
    ...(problem === null ? [] : ([['', `${problem.what}: ${problem.why}`]] as const)),
    ['store', storeBytes === null ? 'none yet' : renderBytes(storeBytes)],
    ...(others.length === 0 || isBusy ? [] : ([['elsewhere', elsewhereText(others)]] as const)),
  ];
}

/** `status --deep` with no gateway that answers. */
export function partsDown(
  context: Context,
  { config, storeBytes, last }: Down,
  why: string,
  busy: boolean,
): readonly Part[] {
  const { problem, path, exists, warnings, door } = config;
  const pid = last?.alive === true ? ` (pid ${last.pid})` : '';
  return [
    busy
      ? fail('gateway', `is there${pid} and does not answer: ${why}`, `${context.command} gateway probe`)
      : fail('gateway', `not running: ${why}`, `${context.command} gateway run`),
    ...(busy || door === null ? [] : [portDown(context, door.port)]),
    storeBytes === null
      ? warn('store', 'none yet', `${context.command} gateway run`)
      : unseen('store', `${renderBytes(storeBytes)}; looked into by a gateway that runs`),
    problem === null
      ? ok('configuration', exists ? `${path} is good` : `no ${path}: all is as by default`)
      : fail('configuration', `${problem.what}: ${problem.why}`, problem.run),
    ...warnings.map((line) => warn('configuration', line, `\${EDITOR:-vi} ${shellWord(path)}`)),
    ...disk(context.state.path),
  ];
}

/** A gateway that starts now needs it. */
function portDown(context: Context, port: number): Part {
  if (port === 0 || !isListenedAt(port)) return ok('port', `${port === 0 ? 'any' : port} is free`);
  const occupant = portOccupant(port);
  const who = occupant === null ? 'another program' : `${escapeText(occupant.program)} (pid ${occupant.pid})`;
  return fail('port', `${who} listens at ${port}`, `${context.command} gateway run --port ${port + 1}`);
}

function disk(stateDir: string): readonly Part[] {
  try {
    const { bavail, blocks, bsize } = statfsSync(stateDir);
    const text = `${renderBytes(bavail * bsize)} free of ${renderBytes(blocks * bsize)}`;
    return bavail * bsize < 16 * 1_024 * 1_024
      ? [fail('disk', text, `df -h ${shellWord(stateDir)}`)]
      : [ok('disk', text)];
  } catch {
    // No state directory yet, or a file system that doesn't say.
    return [];
  }
}
