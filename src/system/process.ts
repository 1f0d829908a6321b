import { readFileSync } from 'node:fs';
import { codeOf } from './failure.ts';

/**
 * When a process started, as the system writes it: the same for one process, another for a later one with its pid.
 * `null`: it is alive, but that can't be told. `undefined`: there is no such process.
 */
export function processStart(pid: number): string | null | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // proc_pid_stat(5): field 22, start time since boot in clock ticks. Field 2 is a name in brackets, which may
      // hold anything, also spaces and brackets. Field 3 is Z for a process that has ended.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : (fields[19] ?? null);
    } catch {
      return isAlive(pid) ? null : undefined;
    }
  }
  if (!isAlive(pid)) return undefined;
  return process.platform === 'win32' ? null : startByPs(pid);
}

/** A process that somebody stopped (SIGSTOP, Ctrl-Z) is there and does nothing. False also where that can't be told. */
export function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[Tt] /.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    // Gone.
    return false;
  }
}

/** Whether `npm start` of this program runs it: then that is what a person types again. */
export function isNpmStart(env: Readonly<Record<string, string | undefined>>): boolean {
  return env.npm_lifecycle_event === 'start' && env.npm_package_name === 'latchkey';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function startByPs(pid: number): string | null | undefined {
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { LC_ALL: 'C' } });
    return text.trim() || undefined;
  } catch {
    return null;
  }
}
