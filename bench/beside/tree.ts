// A process with all that it started: OpenClaw's program starts its gateway as a child, and that has children too.
import { readdirSync, readFileSync } from 'node:fs';
import { type Memory, memoryOf } from '../measure.ts';

/** USER_HZ, which every Linux fixes at 100 for what it shows in /proc. */
const TICK_MS = 10;

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** In ticks since the machine started: tells a process from a later one of the same id. */
  readonly startedAt: number;
  /** Its own, and that of children which ended and were waited for. */
  readonly cpuMs: number;
}

function read(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name may hold blanks and brackets; what is counted stands behind the last one.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
    return {
      pid,
      parent: fields[1] ?? 0,
      startedAt: fields[19] ?? 0,
      cpuMs: (user + system + childrenUser + childrenSystem) * TICK_MS,
    };
  } catch {
    // It has ended.
    return null;
  }
}

/** The process and all that descend from it, as long as those between them live. */
export function tree(root: number): readonly Process[] {
  const children = new Map<number, Process[]>();
  for (const name of readdirSync('/proc')) {
    const process = /^\d+$/.test(name) ? read(Number(name)) : null;
    if (process === null) continue;
    const known = children.get(process.parent);
    if (known === undefined) children.set(process.parent, [process]);
    else known.push(process);
  }
  const first = read(root);
  const found = first === null ? [] : [first];
  // It grows while it is gone through.
  for (const { pid } of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** CPU in milliseconds that the process, its threads and all below it have used, ended children included. */
export function treeCpuMs(root: number): number {
  return tree(root).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}

/** Of all of them together, in MiB. */
export function treeMemory(root: number): Memory {
  const all = tree(root).map(({ pid }) => memoryOf(pid));
  return {
    pss: all.reduce((sum, { pss }) => sum + pss, 0),
    anonymous: all.reduce((sum, { anonymous }) => sum + anonymous, 0),
  };
}

/** Ends those of them that still run, by their ids and only where it is still the same process. */
export function endAll(processes: readonly Process[]): void {
  for (const { pid, startedAt } of processes) {
    if (read(pid)?.startedAt !== startedAt) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
  }
}
