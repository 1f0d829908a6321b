import { homedir } from 'node:os';
import { isListenedAt, portOccupant } from '../system/listener.ts';
import { isSamePlace, openClawGateways, runningGateways, stateDirsOf } from '../system/members.ts';
import type { Context } from './context.ts';
import { type RunRecord, readRun } from './running.ts';

/** A gateway on this host, whoever told of it. */
export interface Neighbour {
  readonly kind: 'latchkey' | 'openclaw' | 'unknown';
  readonly pid: number | null;
  /** `null`: not known. */
  readonly stateDir: string | null;
  readonly port: number | null;
  /** For people: its command line, or what said that it is there. */
  readonly about: string;
}

/** A process on this state directory. */
export interface Member {
  readonly pid: number;
  readonly about: string;
  /** Its name stands in `run/gateway.json`: it holds the lock. */
  readonly isHolder: boolean;
  /** It has the lock's file or the store open. */
  readonly hasOpen: boolean;
}

export interface Host {
  readonly members: readonly Member[];
  readonly others: readonly Neighbour[];
  /** False: this system doesn't show processes, so only what files say is known. */
  readonly isWhole: boolean;
}

/** Port that a gateway takes unless it is told another: OpenClaw's, and Latchkey's. */
const WELL_KNOWN_PORT = 18_789;

/** Who works on this state directory, and which other gateways run on this host. Reads only. */
export function hostOf(context: Context, run: RunRecord | null, ownPorts: readonly number[]): Host {
  const { path } = context.state;
  const seen = runningGateways();
  const isHere = ({ stateDir, holds }: (typeof seen)[number]) =>
    holds.some((held) => isSamePlace(held, path)) || (stateDir !== null && isSamePlace(stateDir, path));
  const here = seen.filter(isHere);
  const members = here.map(({ pid, command, holds }) => ({
    pid,
    about: command,
    isHolder: run?.alive === true && run.pid === pid,
    hasOpen: holds.some((held) => isSamePlace(held, path)),
  }));
  if (run?.alive === true && !here.some(({ pid }) => pid === run.pid)) {
    members.unshift({ pid: run.pid, about: run.program ?? 'run/gateway.json', isHolder: true, hasOpen: false });
  }
  const others = neighbours(
    context,
    seen.filter((one) => !isHere(one)),
  );
  const known = [...ownPorts, ...others.map(({ port }) => port)];
  return {
    members,
    others: known.includes(WELL_KNOWN_PORT) ? others : [...others, ...wellKnown(new Set(seen.map(({ pid }) => pid)))],
    isWhole: process.platform === 'linux',
  };
}

function neighbours(context: Context, seen: ReturnType<typeof runningGateways>): Neighbour[] {
  const home = context.host.env.HOME || homedir();
  const found: Neighbour[] = seen.map(({ pid, command, stateDir }) => ({
    kind: 'latchkey',
    pid,
    stateDir,
    port: stateDir === null ? null : portOf(stateDir, pid),
    about: command,
  }));
  for (const stateDir of stateDirsOf(home)) {
    const run = isSamePlace(stateDir, context.state.path) ? null : readRun(stateDir);
    if (run?.alive !== true || run.brief || found.some(({ pid }) => pid === run.pid)) continue;
    found.push({ kind: 'latchkey', pid: run.pid, stateDir, port: run.port, about: run.program ?? 'a gateway' });
  }
  for (const { pid, port, stateDir } of openClawGateways(home)) {
    found.push({ kind: 'openclaw', pid, stateDir, port, about: 'by its lock file' });
  }
  return found;
}

function portOf(stateDir: string, pid: number): number | null {
  const run = readRun(stateDir);
  return run?.pid === pid ? run.port : null;
}

/** Somebody at the port that clients try first. */
function wellKnown(known: ReadonlySet<number>): readonly Neighbour[] {
  if (!isListenedAt(WELL_KNOWN_PORT)) return [];
  const occupant = portOccupant(WELL_KNOWN_PORT);
  if (occupant !== null && known.has(occupant.pid)) return [];
  const about = occupant?.program ?? "another user's program";
  return [{ kind: 'unknown', pid: occupant?.pid ?? null, stateDir: null, port: WELL_KNOWN_PORT, about }];
}
