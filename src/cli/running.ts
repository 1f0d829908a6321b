import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processStart } from '../system/process.ts';
import { isRecord, numberOf, textOf, textsOf } from './value.ts';

/**
 * What `run/gateway.json` says of whoever held the lock last (system/lock.ts writes it). Read here without that module:
 * it opens databases, and a command that only looks needs none.
 */
export interface RunRecord {
  readonly pid: number;
  /** `latchkey gateway`, or the command that held the lock. */
  readonly program: string | null;
  /** A command: it holds the lock for one transaction. */
  readonly brief: boolean;
  readonly port: number | null;
  /** Where it says that it listens. */
  readonly addresses: readonly string[];
  readonly socket: string | null;
  /** Of the certificate at its port, lower-case hex SHA-256; `null`: it speaks in clear there. */
  readonly tlsFingerprint: string | null;
  /** That very process is still there; a later one with its number is not it. */
  readonly alive: boolean;
}

/** `null`: nobody ever ran here, or the record can't be read. Writes nothing. */
export function readRun(stateDir: string): RunRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(stateDir, 'run', 'gateway.json'), 'utf8'));
  } catch {
    // Missing, torn or closed to us: what it would have said is left out.
    return null;
  }
  if (!isRecord(value)) return null;
  const pid = numberOf(value.pid);
  if (pid === null || !Number.isSafeInteger(pid) || pid < 1) return null;
  const began = textOf(value.started);
  const now = processStart(pid);
  const port = numberOf(value.port);
  return {
    pid,
    program: textOf(value.program),
    brief: value.brief === true,
    port: port !== null && port > 0 ? port : null,
    addresses: textsOf(value.addresses),
    socket: textOf(value.socket),
    tlsFingerprint: textOf(value.tlsFingerprint),
    alive: now !== undefined && (began === null || now === null || now === began),
  };
}
