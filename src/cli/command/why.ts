import { EXIT, Failure, isFailure } from '../../system/failure.ts';
import { claimText, escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { renderAge, renderEnd } from '../duration.ts';
import { hung } from '../margin.ts';
import { type Paint, painter } from '../output.ts';
import { type Call, withGateway } from '../reach.ts';
import { readRemedy } from '../remedy.ts';
import { aimOf } from '../remote-target.ts';
import { isRecord, numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import { giverText } from './devices-list.ts';
import { severalMeant } from './named.ts';

type Row = Readonly<Record<string, unknown>>;

/**
 * `latchkey why ID` or `why --last`: the gateway explains a decision, connection, request or device; here it is only
 * shown. Writes nothing (A6).
 */
export async function why(
  context: Context,
  [id]: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const isLast = options.last === true;
  if ((id === undefined) !== isLast) {
    throw new Failure(EXIT.usage, {
      what: id === undefined ? 'nothing to explain was named' : 'an id and --last exclude one another',
      why: 'it takes a decision, change, connection, request or device, or --last for the newest refusal',
      run: `${context.command} why --last`,
    });
  }
  let story: Row;
  try {
    story = recordOf(await withGateway(context, (call) => explained(context, call, id ?? null)));
  } catch (error) {
    if (refusalOf(error) !== 'not_found') throw error;
    if (!isLast) throw unknownId(context, error);
    print(context, { last: null }, () => 'Nothing was refused, as far as you may see.\n');
    return EXIT.ok;
  }
  const isElsewhere = (await aimOf(context)) !== null;
  print(context, story, () => render(context, story, isElsewhere));
  return EXIT.ok;
}

/** Where several begin so, they are shown to a caller who may have the list of them. */
async function explained(context: Context, call: Call, id: string | null): Promise<unknown> {
  try {
    return await call('decision.explain', id === null ? { last: true } : { id });
  } catch (error) {
    if (id === null || refusalOf(error) !== 'params_invalid') throw error;
    const list = await call('device.pair.list').catch(() => null);
    throw severalMeant(context, list, id) ?? error;
  }
}

/** What is looked for is most likely the newest refusal; the list of devices has no decisions in it. */
function unknownId(context: Context, error: unknown): unknown {
  if (!isFailure(error)) return error;
  const { exitCode, what, why, cause } = error;
  return new Failure(exitCode, { what, why, run: `${context.command} why --last` }, { cause });
}

function refusalOf(error: unknown): unknown {
  const { cause } = error as { cause?: unknown };
  return isRecord(cause) ? cause.refusal : null;
}

function render(context: Context, story: Row, isElsewhere: boolean): string {
  const paint = painter(context.output.colour);
  const outcome = recordOf(story.outcome);
  const code = textOf(outcome.code) ?? 'unknown';
  const color = outcome.retry === undefined ? 'green' : 'red';
  const remedy = textOf(story.remedy);
  const also = recordsOf(story.also);
  const claims = Object.entries(recordOf(story.claimed));
  const related = recordsOf(story.related);
  const whole = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([name, text]) => `  ${name.padEnd(14)}${text}\n`).join('');
  // Claims and facts may be others' words: on a terminal nothing of them begins a line. What is to be run stays whole.
  const lines = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([name, text]) => `${hung(`  ${name.padEnd(14)}${text}`, 14, context.output.width)}\n`).join('');
  return [
    `${paint('bold', escapeText(`${textOf(story.kind) ?? '?'} ${textOf(story.id) ?? '?'}`))}${whenText(context, story)}\n`,
    whole([
      ['outcome', `${paint(color, escapeText(code))}${retryText(outcome.retry)}`],
      ['rule', ruleText(recordOf(story.rule), paint)],
      ...also.map((rule) => ['also', ruleText(rule, paint)] as const),
    ]),
    // The gateway does not know how this command line names it. One elsewhere gives no orders here (A16).
    remedy === null
      ? ''
      : (isElsewhere ? lines : whole)([
          [
            isElsewhere
              ? 'it advises'
              : outcome.retry === undefined && story.kind === 'change'
                ? 'to undo'
                : readRemedy(remedy).kind,
            escapeText(remedy).replaceAll('latchkey ', `${context.command} `),
          ],
        ]),
    lines(Object.entries(recordOf(story.facts)).flatMap(([name, value]) => factLine(context, name, value))),
    claims.length === 0
      ? ''
      : lines([
          ['it claims', claims.map(([name, text]) => `${escapeText(name)} "${claimText(String(text))}"`).join(', ')],
        ]),
    related.length === 0 ? '' : `  related\n${related.map((row) => relatedLine(context, row)).join('')}`,
  ].join('');
}

function whenText(context: Context, story: Row): string {
  const at = numberOf(story.at);
  const count = numberOf(story.count) ?? 1;
  const last = numberOf(story.lastAt);
  const now = context.host.clock.now();
  if (at === null) return '';
  const times = count > 1 ? `, ${count} times, last ${renderAge(last ?? at, now)}` : '';
  return `  ${renderAge(at, now)}${times}`;
}

function retryText(retry: unknown): string {
  switch (retry) {
    case 'never':
      return '  (trying again alone does not help)';
    case 'after':
      return '  (trying again later helps)';
    case 'onApproval':
      return '  (helps once somebody approved)';
    default:
      return '';
  }
}

function ruleText(rule: Row, paint: Paint): string {
  return `${paint('cyan', escapeText(textOf(rule.clause) ?? '?'))}  ${escapeText(textOf(rule.text) ?? '')}`;
}

function relatedLine(context: Context, row: Row): string {
  const at = numberOf(row.at);
  const age = at === null ? '' : renderAge(at, context.host.clock.now());
  const words = [row.kind, row.code].map((word) => escapeText(textOf(word) ?? '?'));
  return `    ${escapeText(textOf(row.id) ?? '?')}  ${words.join(' ')}  ${age}\n`;
}

const LABELS: Readonly<Record<string, string>> = {
  deviceId: 'device',
  publicKey: 'public key',
  requestId: 'request',
  remote: 'from',
  lastSeenAtMs: 'last seen',
  lastSeenReason: 'last event',
  decidedAtMs: 'decided',
  untilMs: 'until',
  heldNow: 'holds now',
  nextConnect: 'next connect',
  rejectedBy: 'rejected by',
  leftOutBy: 'left out by',
  said: 'in words',
};

/** What a remedy is called, and nothing else is. */
const ORDER = /^\W*(?:run|do|to undo)\b/i;

function factLine(context: Context, name: string, value: unknown): readonly (readonly [string, string])[] {
  const label = Object.hasOwn(LABELS, name) ? (LABELS[name] ?? name) : name;
  if (name === 'grants' || name === 'listed') {
    return recordsOf(value).map((row) => [name === 'grants' ? 'holds' : 'listed', holdText(context, row)] as const);
  }
  const text = valueText(context, name, value);
  return text === null ? [] : [[ORDER.test(label) ? `'${escapeText(label)}'` : escapeText(label), text]];
}

/** `null`: there is nothing to be said. */
function valueText(context: Context, name: string, value: unknown): string | null {
  const now = context.host.clock.now();
  if (value === undefined || (value === null && name !== 'asked' && name !== 'compare')) return null;
  if (value === null) return name === 'asked' ? 'its whole grant' : 'none shown';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (name.endsWith('AtMs') && typeof value === 'number') return renderAge(value, now);
  if (name === 'untilMs' && typeof value === 'number') return renderEnd(value, now);
  if (typeof value === 'string' || typeof value === 'number') return claimText(String(value));
  if (isRecord(value)) return textOf(value.kind) === null ? claimText(JSON.stringify(value)) : byText(value);
  if (recordsOf(value).length > 0) return scopesText(context, recordsOf(value));
  const names = textsOf(value);
  if (names.length > 0) return names.map(escapeText).join(', ');
  return name === 'gone' ? null : 'nothing';
}

function byText(by: Row): string {
  if (by.kind === 'time') return 'time';
  return by.kind === 'itself' ? 'the device itself' : giverText(by, []);
}

function scopesText(context: Context, rows: readonly Row[]): string {
  const now = context.host.clock.now();
  const texts = rows.map((row) => {
    const end = numberOf(row.untilMs);
    return `${escapeText(textOf(row.scope) ?? '?')}${end === null ? '' : ` until ${renderEnd(end, now)}`}`;
  });
  return texts.join(', ') || 'no scope';
}

/** One role of a device: what it holds and by whom, or what is listed. */
function holdText(context: Context, row: Row): string {
  const now = context.host.clock.now();
  const role = escapeText(textOf(row.role) ?? 'operator');
  const at = numberOf(row.atMs);
  if (row.state === undefined) {
    const paired = `paired by ${giverText(row.by, [])}${at === null ? '' : ` ${renderAge(at, now)}`}`;
    return `${role}: ${scopesText(context, recordsOf(row.scopes))}; ${paired}`;
  }
  const end = numberOf(row.untilMs);
  const names = textsOf(row.scopes).map(escapeText).join(', ') || 'the role alone';
  const until = end === null ? '' : ` until ${renderEnd(end, now)}`;
  return `${escapeText(textOf(row.state) ?? '?')} ${escapeText(textOf(row.requestId) ?? '?')}: ${role}: ${names}${until}`;
}
