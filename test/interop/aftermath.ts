// What must hold at the gateway after any order of commands: nothing was left open, asked twice, refused or repeated.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { rows } from '../scenario/act.ts';
import type { Site } from './site.ts';
import { type Finding, WORKS } from './verdict.ts';

export const AFTERMATH = [
  'no open request',
  'no device but this home’s one',
  'no log line repeated',
  'nothing refused',
] as const;
export type AftermathRow = (typeof AFTERMATH)[number];

function fails(says: string): Finding {
  return { verdict: 'fails', says };
}

async function noneOpen(site: Site): Promise<Finding> {
  if (site.owner === null) throw new Error('no owner socket');
  const open = (await rows(site.owner)).open.filter((row) => !site.brought.has(row.deviceId));
  return open.length === 0 ? WORKS : fails(`${open.length} open, asking for ${open[0]?.scopes.join(', ')}`);
}

/** The id of the key that the home has, in the releases that keep it in a file. */
function keyOf(site: Site): string | null {
  const file = join(site.home.stateDir, 'identity', 'device.json');
  if (!existsSync(file)) return null;
  return String(JSON.parse(readFileSync(file, 'utf8')).deviceId);
}

async function oneDevice(site: Site): Promise<Finding> {
  if (site.owner === null) throw new Error('no owner socket');
  const { paired } = await rows(site.owner);
  const others = paired.filter((row) => !site.brought.has(row.deviceId));
  if (others.length > 1) return fails(`${others.length} devices`);
  const key = keyOf(site);
  return others.every((row) => key === null || row.deviceId === key) ? WORKS : fails('a device that isn’t this home’s');
}

/** Without what is different in every line: times, ids, and the device, of which this home has one. */
function gist(line: string): string {
  const { time, change, device, requestId, decision, conn, ...rest } = JSON.parse(line);
  return JSON.stringify(rest);
}

/** Lines that stand there more than once. Those about devices that the run itself brought don't count. */
export function repeatedLines(logs: string, brought: ReadonlySet<string>): readonly string[] {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const line of logs.split('\n')) {
    if (!line.startsWith('{') || [...brought].some((id) => line.includes(id))) continue;
    const short = gist(line);
    if (seen.has(short)) again.add(short);
    seen.add(short);
  }
  return [...again];
}

function noneRepeated(logs: string, brought: ReadonlySet<string>): Finding {
  const lines = repeatedLines(logs, brought);
  if (!logs.includes('"message":"ready"')) return fails('the log has no line at all of a start');
  return lines.length === 0
    ? WORKS
    : fails(`${lines.length} repeated: ${String(JSON.parse(lines[0] ?? '{}').message)}`);
}

/**
 * Every refusal is in the trace, also those that the log counts together.
 *
 * @param bare how often a program was run that asks once with neither secret nor key, to see whether it is let in: that
 *   it isn't is right
 */
function noneRefused(stateDir: string, brought: ReadonlySet<string>, bare: number): Finding {
  const db = new DatabaseSync(join(stateDir, 'state', 'trace.sqlite'), { readOnly: true });
  try {
    const all = db.prepare("SELECT code, device, count, facts FROM decision WHERE kind = 'refused'").all();
    const refused = all.filter(({ device }) => device === null || !brought.has(String(device)));
    let allowed = bare;
    for (const { code, count, facts } of refused) {
      const isBare = code === 'identity_required' && String(facts).includes('"clientMode":"probe"');
      if (isBare) allowed -= Number(count);
      if (!isBare || allowed < 0) return fails(`${String(code)}, ${String(count)} times`);
    }
    return WORKS;
  } finally {
    db.close();
  }
}

/**
 * Judges the gateway and ends it.
 *
 * @param bare see `noneRefused`
 */
export async function aftermath(site: Site, bare: number): Promise<Readonly<Record<AftermathRow, Finding>>> {
  if (site.owner === null) {
    const none: Finding = { verdict: 'not run', says: 'only Latchkey can be asked' };
    return {
      'no open request': none,
      'no device but this home’s one': none,
      'no log line repeated': none,
      'nothing refused': none,
    };
  }
  const open = await noneOpen(site);
  const devices = await oneDevice(site);
  // What it holds back for a while, in log and trace, it writes at its end.
  const { logs, stateDir } = await site.halt();
  return {
    'no open request': open,
    'no device but this home’s one': devices,
    'no log line repeated': noneRepeated(logs, site.brought),
    'nothing refused': noneRefused(stateDir ?? '', site.brought, bare),
  };
}
