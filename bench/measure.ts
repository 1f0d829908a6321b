// How CPU, memory and time are read. Nothing here knows what is measured.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that a share `part` of all are at most, from 0 to 1. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Cost {
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** `commandCost` without the wall time. */
export function commandCpuMs(command: Command, times: number): number {
  return commandCost(command, times).cpuMs;
}

/**
 * CPU in milliseconds (user + system of the process and of every process that it waited for) and wall time of one run
 * of the command, as the mean of `times` runs after one another.
 *
 * /proc counts in ticks of 10 ms, a third of what is measured here, and Node shows getrusage only of itself. The shell's
 * `times` prints getrusage(RUSAGE_CHILDREN) in milliseconds: the kernel takes the sum of user and system from the
 * scheduler's nanoseconds (only their split is sampled), and the shell's own share stays out of it. Of several runs
 * together the rounding is below a percent.
 *
 * @throws Error when a run exits with anything but 0.
 */
export function commandCost(command: Command, times: number): Cost {
  const loop = `for ((i = 0; i < ${times}; i++)); do "$@" >/dev/null 2>&1 </dev/null || exit 1; done`;
  const script = `began=$EPOCHREALTIME; ${loop}; echo "$began $EPOCHREALTIME"; times`;
  const { status, stdout } = spawnSync('bash', ['-c', script, 'bash', ...command.argv], {
    env: command.env,
    cwd: command.cwd,
    encoding: 'utf8',
  });
  const [clock = '', , sum = ''] = stdout.split('\n');
  const children = /(\d+)m(\d+)[.,](\d{3})s (\d+)m(\d+)[.,](\d{3})s/.exec(sum);
  if (status !== 0 || children === null) throw new Error(`failed: ${command.argv.join(' ')}`);
  const [userMin = 0, userS = 0, userMs = 0, systemMin = 0, systemS = 0, systemMs = 0] = children.slice(1).map(Number);
  const cpuMs = (userMin + systemMin) * 60_000 + (userS + systemS) * 1_000 + userMs + systemMs;
  // Microseconds, as the shell prints them with whatever stands for the decimal point.
  const [began = 0, ended = 0] = clock.split(' ').map((text) => Number(text.replace(/\D/g, '')));
  return { cpuMs: cpuMs / times, wallMs: (ended - began) / 1_000 / times };
}

/** USER_HZ, which every Linux fixes at 100 for what it shows in /proc. */
const TICK_MS = 10;

/** CPU in milliseconds that a process and its threads have used, exact to 10: measure half a second or more of it. */
export function processCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The program's name may hold blanks and brackets; what is counted stands behind the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

export interface Memory {
  /** Proportional set size in MiB: private pages, and of shared ones the part that falls to this process. */
  readonly pss: number;
  /** The part of it that is no file's, in MiB: heaps and stacks. */
  readonly anonymous: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (name: string): number => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    if (kib === undefined) throw new Error(`no ${name} for process ${pid}`);
    return Number(kib) / 1_024;
  };
  return { pss: mib('Pss'), anonymous: mib('Pss_Anon') };
}
