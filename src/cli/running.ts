import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../system/failure.ts';
import { isRecord } from './value.ts';

/** What `run/gateway.json` says of the gateway that wrote it last. It may be gone: `alive` is asked of the system. */
export interface RunRecord {
  readonly pid: number | null;
  readonly port: number | null;
  readonly addresses: readonly string[];
  readonly socket: string | null;
  readonly version: string | null;
  readonly alive: boolean;
}

/** `null`: no gateway ever ran here, or its record can't be read. Writes nothing. */
export function readRun(stateDir: string): RunRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(stateDir, 'run', 'gateway.json'), 'utf8'));
  } catch {
    // Missing, torn or closed to us: what it would have said is left out.
    return null;
  }
  if (!isRecord(value)) return null;
  const { pid, port, addresses, socket, version } = value;
  const known = typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  return {
    pid: known,
    port: typeof port === 'number' && port > 0 ? port : null,
    addresses: Array.isArray(addresses) ? addresses.filter((a) => typeof a === 'string') : [],
    socket: typeof socket === 'string' ? socket : null,
    version: typeof version === 'string' ? version : null,
    alive: known !== null && isAlive(known),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
