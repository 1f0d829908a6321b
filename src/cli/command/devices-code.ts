import { EXIT } from '../../system/failure.ts';
import { escapeText, shellWord } from '../../system/text.ts';
import { configured } from '../configured.ts';
import { type Context, print } from '../context.ts';
import { urlOf } from '../door.ts';
import { renderEnd } from '../duration.ts';
import { painter } from '../output.ts';
import { callGateway } from '../reach.ts';
import { aimOf } from '../remote-target.ts';
import { readRun } from '../running.ts';
import { numberOf, recordOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** `latchkey devices code [--role …] [--scope …|--none] [--public-url URL]`: a setup code, as text and as a picture (A14). */
export async function devicesCode(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const scopes =
    options.none === true ? { scopes: [] } : options.scope === undefined ? {} : { scopes: textsOf(options.scope) };
  // A picture is for a person's phone; where nobody looks it would only be in the way.
  const isSeen = context.output.colour || context.output.interactive;
  const isDrawn = options.qr !== false && isSeen && context.globals.json !== true;
  // Before the code is made: nothing that may fail comes after.
  const qr = isDrawn ? await import('../../system/qr.ts') : null;
  // Read first: a command that works on the state itself writes its own name there.
  const down = await downAt(context, options.publicUrl);
  const answer = recordOf(
    await callGateway(context, 'device.code.create', {
      role: options.role,
      ...scopes,
      ...(down.url === undefined ? {} : { publicUrl: down.url }),
    }),
  );
  const assumed = down.isAssumed ? assumption(context, textOf(answer.gatewayUrl) ?? '') : null;
  if (assumed !== null) context.output.err(assumed);
  const rows = qr?.qrSquares(textOf(answer.setupCode) ?? '', 2) ?? null;
  print(
    context,
    answer,
    () => `${rows === null ? '' : `${drawn(rows, context.output.colour)}\n`}${render(context, answer)}`,
  );
  return EXIT.ok;
}

interface DownAt {
  /** The address for the code: the one that was given, or where the last gateway was. */
  readonly url: string | undefined;
  /** No gateway runs that could say where it is. */
  readonly isAssumed: boolean;
}

async function downAt(context: Context, given: unknown): Promise<DownAt> {
  if (typeof given === 'string') return { url: given, isAssumed: false };
  const run = readRun(context.state.path);
  if ((run?.alive === true && !run.brief) || (await aimOf(context)) !== null)
    return { url: undefined, isAssumed: false };
  const { door } = await configured(context);
  const isHere = door?.addresses.every((address) => /^(127\.|::1$)/.test(address)) === true;
  const port = run === null || run.brief ? null : run.port;
  if (port === null || door === null || !isHere) return { url: undefined, isAssumed: true };
  return { url: urlOf({ address: '127.0.0.1', port, secure: door.secure }), isAssumed: true };
}

function assumption(context: Context, url: string): string {
  const port = URL.canParse(url) ? new URL(url).port : '';
  const other = `${context.command} devices code --public-url ${shellWord(url.replace(/:\d+$/, ':PORT'))}`;
  return `latchkey: no gateway runs, so the code leads to port ${port}, where one is expected\n  for one that is started elsewhere: ${escapeText(other)}\n`;
}

function render(context: Context, answer: Row): string {
  const paint = painter(context.output.colour);
  const scopes = textsOf(answer.scopes).map(escapeText);
  const url = escapeText(textOf(answer.gatewayUrl) ?? '?');
  const more = textsOf(answer.gatewayUrls).slice(1).map(escapeText);
  const end = numberOf(answer.expiresAtMs);
  const insecure = answer.encrypted !== true && answer.beyondHost === true ? ' --insecure' : '';
  return [
    `${paint('bold', escapeText(textOf(answer.setupCode) ?? '?'))}\n`,
    '\n',
    `  gives       ${escapeText(textOf(answer.role) ?? 'operator')}: ${scopes.length === 0 ? 'no scope' : scopes.join(', ')}\n`,
    `  good        once, until ${end === null ? 'it is used' : renderEnd(end, context.host.clock.now())}\n`,
    `  leads to    ${[url, ...more].join(', ')}  (${escapeText(textOf(answer.urlSource) ?? 'unknown')})\n`,
    '\n',
    'On the other machine; it asks for the code on standard input, so that no list of processes shows it:\n',
    `  latchkey --url ${shellWord(url)}${insecure} --setup-code - status\n`,
    ...warnings(context, answer, url).map((line) => paint('yellow', `\n${line}\n`)),
  ].join('');
}

function warnings(context: Context, answer: Row, url: string): readonly string[] {
  if (answer.beyondHost !== true) {
    const port = URL.canParse(url) ? new URL(url).port : '';
    return [
      [
        'Only this host reaches that address. Either lead the other machine here first:',
        `  ssh -N -L ${port}:127.0.0.1:${port} ${shellWord('USER@THIS-HOST')}`,
        'or name the address under which it reaches this gateway (docs/reach.md):',
        `  ${context.command} devices code --public-url wss://NAME`,
      ].join('\n'),
    ];
  }
  if (answer.encrypted === true) return [];
  return ['The way there is not encrypted: whoever listens on it can use the code first (docs/reach.md).'];
}

/**
 * Two rows of a QR code on each line. What is light is drawn and what is dark left out: on the usual dark terminal that
 * is right as it stands; with colours it is on any.
 */
export function drawn(rows: readonly (readonly boolean[])[], colour: boolean): string {
  const lines: string[] = [];
  for (let y = 0; y < rows.length; y += 2) {
    const [upper = [], lower = []] = [rows[y], rows[y + 1]];
    const line = upper
      .map((dark, x) => (dark ? (lower[x] === false ? '▄' : ' ') : lower[x] === false ? '█' : '▀'))
      .join('');
    lines.push(colour ? `\u001b[97;40m${line}\u001b[0m` : line);
  }
  return `${lines.join('\n')}\n`;
}
