// What is demanded at the end of every report: no loop, nothing widened, and one command that mends what is left.
import { expect } from 'vitest';
import type { Gateway } from '../gateway.ts';
import type { Peer } from '../partner/peer.ts';
import { rows } from './act.ts';
import type { Client, Command, Outcome } from './seed-client.ts';
import { TruthReader } from './state.ts';

/** How a gateway stood, and what it had said. */
export interface Standing {
  readonly tables: Readonly<Record<string, readonly string[]>>;
  readonly logsFrom: number;
  readonly atMs: number;
}

export function standing(gateway: Gateway): Standing {
  const reader = new TruthReader(gateway.stateDir);
  try {
    return { tables: reader.tables(), logsFrom: gateway.logs().length, atMs: performance.now() };
  } finally {
    reader.close();
  }
}

/** The command did its work: not refused, nothing missing, no socket more than it was recorded to open. */
export async function works(place: { readonly port: number }, client: Client, command: Command): Promise<Outcome> {
  const outcome = await client.run(place, command);
  const name = `${client.release} ${command}`;
  expect(outcome.complaints, name).toEqual([]);
  expect(outcome.missing, name).toEqual([]);
  expect(outcome.sockets, `${name}: sockets`).toBe(outcome.recorded);
  return outcome;
}

/** Nothing was written since: so nothing was widened, narrowed or asked. */
export function unchanged(gateway: Gateway, before: Standing): void {
  expect(standing(gateway).tables).toEqual(before.tables);
  unrepeated(gateway, before);
}

const MINUTE_MS = 60_000;

/** No line more than once a minute (A16), times and ids aside, but of what a person decided. */
export function unrepeated(gateway: Gateway, { logsFrom, atMs }: Standing): void {
  const minutes = 1 + Math.floor((performance.now() - atMs) / MINUTE_MS);
  const times = new Map<string, number>();
  for (const line of gateway.logs().slice(logsFrom).split('\n')) {
    if (line.trim() === '' || line.includes('"message":"access changed"')) continue;
    const bare = line.replace(/d_[0-9a-f-]+|[0-9a-f]{8,}|[\d:.-]+/gi, '#').trim();
    times.set(bare, (times.get(bare) ?? 0) + 1);
  }
  expect([...times].filter(([, count]) => count > minutes)).toEqual([]);
}

/** How many requests of the client's device are open: one at most. @returns its id, `null`: none */
export async function asked(owner: Peer, client: Client): Promise<string | null> {
  const { open } = await rows(owner, client.identity);
  expect(open.length).toBeLessThanOrEqual(1);
  return open[0] === undefined ? null : String(open[0].requestId);
}

/** Runs the command that `why` names for a decision or request, as it stands. @returns what it printed */
export async function mend(gateway: Gateway, about: string, expected: RegExp): Promise<string> {
  const { stdout } = await gateway.cli(['why', about]);
  const command = /^ +run +(latchkey \S.*?)(?: {3}\(.*)?$/m.exec(stdout)?.[1];
  expect(command, stdout).toMatch(expected);
  const mended = await gateway.cli((command ?? '').split(' ').slice(1));
  expect(mended.code, mended.stderr).toBe(0);
  return mended.stdout.trim();
}
