import { EXIT } from '../../system/failure.ts';
import { claimText, escapeText, shellWord } from '../../system/text.ts';
import { kindOf, nameOf } from '../claimed.ts';
import { type Context, print } from '../context.ts';
import { renderAge, renderDuration, renderEnd, renderTime } from '../duration.ts';
import { type Paint, painter } from '../output.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** `latchkey devices list`: who asks, who was rejected, who is paired. Writes nothing (A6). */
export async function devicesList(context: Context): Promise<number> {
  const list = await callGateway(context, 'device.pair.list');
  print(context, list, () => renderList(context, recordOf(list)));
  return EXIT.ok;
}

function renderList(context: Context, list: Row): string {
  const pending = recordsOf(list.pending);
  const open = pending.filter((row) => row.state !== 'rejected');
  const rejected = pending.filter((row) => row.state === 'rejected');
  const paired = recordsOf(list.paired);
  const paint = painter(context.output.colour);
  const section = (title: string, blocks: readonly string[]) => `${paint('bold', title)}\n\n${blocks.join('\n')}`;
  const parts = [
    open.length === 0
      ? 'Nobody asks for anything.\n'
      : section(open.length === 1 ? '1 open request' : `${open.length} open requests`, renderRequests(context, open)),
    ...(rejected.length === 0
      ? []
      : [
          section(
            `${rejected.length} ${rejectedText(rejected)}`,
            rejected.map((row) => renderRejected(context, row, paint)),
          ),
        ]),
    paired.length === 0
      ? 'No device is paired.\n'
      : section(
          paired.length === 1 ? '1 paired device' : `${paired.length} paired devices`,
          paired.map((row) => renderPaired(row, paired, context.host.clock.now(), paint)),
        ),
  ];
  return parts.join('\n');
}

function scopesText(scopes: unknown): string {
  const names = textsOf(scopes);
  return names.length === 0 ? 'nothing' : names.map(escapeText).join(', ');
}

function lines(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([label, text]) => `      ${label.padEnd(13)}${text}\n`).join('');
}

/** 128 bits of it: nobody makes a key whose id begins so, and it fits a screen. */
const shortId = (id: string | null): string => (id === null ? 'unknown' : `${escapeText(id.slice(0, 32))}…`);

/** Each open request as a block, ending with the exact command that approves it. */
export function renderRequests(context: Context, open: readonly Row[]): readonly string[] {
  const paint = painter(context.output.colour);
  const now = context.host.clock.now();
  return open.map((row) => {
    const id = textOf(row.requestId) ?? '?';
    const code = textOf(row.code);
    const at = numberOf(row.ts);
    const end = numberOf(row.expiresAtMs);
    const age = at === null ? '' : `, ${renderAge(at, now)}`;
    const left = end === null ? '' : `, ends in ${renderDuration(end - now)}`;
    const from = textOf(row.remoteIp);
    return `  ${paint('cyan', escapeText(id))}\n${lines([
      ['who', `${nameOf(row)} (${kindOf(row)})`],
      ['from', `${from === null ? 'unknown' : claimText(from)}${age}${left}`],
      ['device', shortId(textOf(row.deviceId))],
      ['compare', code === null ? 'none shown: its client has no comparison code' : paint('bold', escapeText(code))],
      ['asks', `${escapeText(textOf(row.role) ?? 'operator')}: ${scopesText(row.scopes)}`],
      ['holds', row.isRepair === true ? heldText(row) : 'nothing, it is not paired'],
      ['to approve', approveCommand(context, id)],
    ])}`;
  });
}

/** OpenClaw says only that it is paired already. */
const heldText = ({ held }: Row): string => (held === undefined ? 'something: it is paired already' : scopesText(held));

/** The exact command; an id from the wire is quoted, whatever it holds. */
export function approveCommand(context: Context, id: string): string {
  return `${context.command} devices approve ${shellWord(escapeText(id))}`;
}

/** A part that an approval left out is a no as well (A5), but nobody rejected the device. */
function rejectedText(rows: readonly Row[]): string {
  const left = rows.filter((row) => row.leftOut === true).length;
  if (left === 0) return 'rejected';
  return left === rows.length ? 'left out of an approval' : 'rejected or left out of an approval';
}

function renderRejected(context: Context, row: Row, paint: Paint): string {
  const now = context.host.clock.now();
  const id = textOf(row.requestId) ?? '?';
  const at = numberOf(row.ts);
  const end = numberOf(row.expiresAtMs);
  return `  ${paint('dim', escapeText(id))}\n${lines([
    ['who', `${nameOf(row)} (${kindOf(row)})`],
    ['asked', `${escapeText(textOf(row.role) ?? 'operator')}: ${scopesText(row.scopes)}`],
    [
      row.leftOut === true ? 'left out' : 'rejected',
      `${row.leftOut === true ? 'of an approval ' : ''}by ${giverText(row.rejectedBy, [])}${at === null ? '' : `, ${renderAge(at, now)}`}`,
    ],
    ['listed until', end === null ? 'unknown' : renderEnd(end, now)],
    ['after all', approveCommand(context, id)],
  ])}`;
}

function renderPaired(row: Row, all: readonly Row[], now: number, paint: Paint): string {
  const id = textOf(row.deviceId) ?? '?';
  const grants = recordsOf(row.grants).flatMap((grant) => {
    const at = numberOf(grant.atMs);
    const scopes = recordsOf(grant.scopes).map((entry) => scopeText(entry, grant, all, now));
    return [
      [escapeText(textOf(grant.role) ?? 'operator'), scopes.length === 0 ? 'no scope' : scopes.join(', ')] as const,
      ['approved', `by ${giverText(grant.by, all)}${at === null ? '' : `, ${renderAge(at, now)}`}`] as const,
    ];
  });
  return `  ${paint('cyan', escapeText(id.slice(0, 12)))}  ${nameOf(row)} (${kindOf(row)})\n${lines([
    ...(grants.length > 0 ? grants : [['holds', scopesText(row.scopes)] as const]),
    ['last seen', seenText(row, now)],
  ])}`;
}

function seenText(row: Row, now: number): string {
  const sessions = numberOf(row.sessions);
  const seen = numberOf(row.lastSeenAtMs);
  if (sessions === null && row.grants === undefined) {
    // OpenClaw tells when its token was last used, its later releases also whether it is there now.
    const used = recordsOf(row.tokens).flatMap((token) => numberOf(token.lastUsedAtMs) ?? []);
    const latest = Math.max(seen ?? 0, ...used);
    if (row.connected === true) return 'now';
    return latest > 0 ? renderAge(latest, now) : 'not told by this gateway';
  }
  const since = (sessions ?? 0) > 0 ? 'now' : seen === null ? 'never' : renderAge(seen, now);
  const live = (sessions ?? 0) === 0 ? 'no session' : `${sessions} ${sessions === 1 ? 'session' : 'sessions'} now`;
  return `${since}, ${live}`;
}

/** A scope with its end, and by whom where that isn't who paired the device. */
function scopeText(entry: Row, grant: Row, all: readonly Row[], now: number): string {
  const end = numberOf(entry.untilMs);
  const by = giverText(entry.by, all);
  const other = entry.by !== undefined && by !== giverText(grant.by, all) ? ` by ${by}` : '';
  const until = end === null ? '' : end > now ? ` until ${renderEnd(end, now)}` : ` ended at ${renderTime(end)}`;
  return `${escapeText(textOf(entry.scope) ?? '?')}${until}${other}`;
}

/** Whom something came from, for people (core/authz `Giver`). */
export function giverText(giver: unknown, all: readonly Row[]): string {
  const { kind, device, maker, name } = recordOf(giver);
  switch (kind) {
    case 'owner':
      return 'the owner';
    case 'secret':
      return 'a session of the shared secret';
    case 'pairing':
      return 'the shared secret, at the first connect';
    case 'code':
      return `a setup code of ${giverText(maker, all)}`;
    case 'token':
      return `API token ${claimText(textOf(name) ?? '?')}`;
    case 'device': {
      const id = textOf(device) ?? '?';
      const row = all.find((other) => other.deviceId === id);
      return `device ${escapeText(id.slice(0, 12))}${row === undefined ? '' : ` ${nameOf(row)}`}`;
    }
    default:
      return 'somebody unknown';
  }
}
