import { EXIT, Failure } from '../../system/failure.ts';
import { claimText, escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { renderAge } from '../duration.ts';
import type { Call } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** So much of an id has to be typed: fewer characters name one by accident. */
const LEAST = 4;

/**
 * The whole id of a request from its beginning, so that it need not be typed out. A whole id goes as it is: what became
 * of it meanwhile is the gateway's to say. @throws Failure 2 or 1 for what names none, or several, or a device
 */
export async function requestNamed(context: Context, call: Call, given: string): Promise<string> {
  if (given.length >= 32 && !isDeviceId(given)) return given;
  const { pending, all } = await listed(call);
  const found = given.length < LEAST ? [] : pending.filter((row) => textOf(row.requestId)?.startsWith(given));
  const ids = idsOf(found, 'requestId');
  const [only] = ids;
  if (only !== undefined && ids.length === 1) return only;
  if (only !== undefined) throw ambiguous(context, given, 'requests', found, 'requestId');
  const [device] = devicesOf(all, given);
  if (device !== undefined) throw aDevice(context, given, device, pending);
  throw new Failure(given.length < LEAST ? EXIT.usage : EXIT.failed, {
    what: `no request is called '${given}'`,
    why:
      given.length < LEAST
        ? `the first ${LEAST} characters of its id are needed`
        : 'no id of an open request begins so',
    run: `${context.command} devices list`,
  });
}

/** A device by its id, the beginning of it (≥ 4 characters), its key, or its name. @throws Failure 1 or 2 */
export async function deviceNamed(context: Context, call: Call, given: string): Promise<string> {
  if (isDeviceId(given)) return given;
  const { all } = await listed(call);
  const found = devicesOf(all, given);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined) {
    throw ambiguous(context, given, 'devices', rowsFor(all, found), 'deviceId');
  }
  throw new Failure(EXIT.failed, {
    what: `no device is called '${given}'`,
    why: 'no id begins so, and no device has that name',
    run: `${context.command} devices list`,
  });
}

/** Shows what of the list `given` could mean; `null`: not more than one. */
export function severalMeant(context: Context, list: unknown, given: string): Failure | null {
  const { pending, all } = rowsOf(list);
  const requests = pending.filter((row) => textOf(row.requestId)?.startsWith(given));
  if (requests.length > 1) return ambiguous(context, given, 'requests', requests, 'requestId');
  const devices = rowsFor(all, devicesOf(all, given));
  return devices.length > 1 ? ambiguous(context, given, 'devices', devices, 'deviceId') : null;
}

const isDeviceId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

interface Rows {
  readonly pending: readonly Row[];
  /** Paired ones first. */
  readonly all: readonly Row[];
}

async function listed(call: Call): Promise<Rows> {
  return rowsOf(await call('device.pair.list'));
}

function rowsOf(list: unknown): Rows {
  const { paired, pending } = recordOf(list);
  const asking = recordsOf(pending);
  return { pending: asking, all: [...recordsOf(paired), ...asking] };
}

function idsOf(rows: readonly Row[], field: 'requestId' | 'deviceId'): readonly string[] {
  return [...new Set(rows.flatMap((row) => textOf(row[field]) ?? []))];
}

function devicesOf(all: readonly Row[], given: string): readonly string[] {
  const byId = all.filter((row) => given.length >= LEAST && textOf(row.deviceId)?.startsWith(given) === true);
  const found = byId.length > 0 ? byId : all.filter((row) => row.displayName === given || row.publicKey === given);
  return idsOf(found, 'deviceId');
}

/** The first row of each device. */
function rowsFor(all: readonly Row[], ids: readonly string[]): readonly Row[] {
  return ids.map((id) => all.find((row) => row.deviceId === id)).filter((row) => row !== undefined);
}

function aDevice(context: Context, given: string, device: string, pending: readonly Row[]): Failure {
  const open = pending.find((row) => row.deviceId === device && row.state !== 'rejected');
  const id = textOf(open?.requestId);
  return new Failure(EXIT.usage, {
    what: `'${given}' is a device, not a request; nothing was decided`,
    why: id === null ? 'it asks for nothing now' : 'what is decided is a request, and this device has one open',
    run: id === null ? `${context.command} devices list` : `${context.command} ${context.doing} ${escapeText(id)}`,
  });
}

/** Shows what is meant by it, each on a line of its own, to be copied from. */
function ambiguous(
  context: Context,
  given: string,
  kind: 'requests' | 'devices',
  rows: readonly Row[],
  field: 'requestId' | 'deviceId',
): Failure {
  const now = context.host.clock.now();
  for (const row of rows) {
    const name = textOf(row.displayName);
    const at = numberOf(row.ts ?? row.approvedAtMs ?? row.lastSeenAtMs);
    const id = escapeText(textOf(row[field]) ?? '?');
    const shown = field === 'deviceId' ? id.slice(0, Math.max(12, given.length + LEAST)) : id;
    const who = name === null ? 'no name' : `"${claimText(name)}"`;
    context.output.err(`  ${shown}  ${who}${at === null ? '' : `, ${renderAge(at, now)}`}\n`);
  }
  return new Failure(EXIT.usage, {
    what: `'${given}' means ${rows.length} ${kind}`,
    why: 'they are those above: type more of the id of one of them',
    run: `${context.command} devices list`,
  });
}
