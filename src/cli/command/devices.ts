import { EXIT, Failure } from '../../system/failure.ts';
import { claimText, escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import { renderGoingOn } from './devices-runs.ts';
import { renderGiven } from './given.ts';
import { deviceNamed, requestNamed } from './named.ts';
import { renderRotated } from './rotated.ts';
import { withSuccessor } from './successor.ts';

type Options = Readonly<Record<string, unknown>>;
type Row = Readonly<Record<string, unknown>>;

/** Characters of the name under which a device is listed. */
const NAME_MAX = 64;

/** `latchkey devices reject REQUEST` */
export async function reject(context: Context, [given = '']: readonly string[]): Promise<number> {
  return withGateway(context, async (call) => {
    const requestId = await requestNamed(context, call, given);
    const answer = await call('device.pair.reject', { requestId }).catch(async (error) => {
      throw await withSuccessor(error, context, call, requestId);
    });
    const stays = isLatchkeys(recordOf(answer))
      ? 'For a day it stays listed, and can still be approved.'
      : 'This gateway keeps no list of them: the device may ask again.';
    print(context, answer, () => `Rejected. ${stays}\n`);
    return EXIT.ok;
  });
}

/** `latchkey devices narrow DEVICE --scope … | --none` */
export async function narrow(context: Context, args: readonly string[], options: Options): Promise<number> {
  deviceGiven(context, args, options);
  const scopes = exactScopes(context, options, 'devices narrow');
  return decide(context, args, options, 'device.grant.narrow', { role: options.role, scopes }, (answer) => {
    const left = textsOf(answer.scopes);
    const held = left.length === 0 ? 'nothing' : left.join(', ');
    return `Narrowed: it holds ${held} now.\n${renderGoingOn(context, answer)}`;
  });
}

/** `latchkey devices rotate DEVICE [--scope …]` */
export async function rotate(context: Context, args: readonly string[], options: Options): Promise<number> {
  const scopes = options.scope === undefined ? {} : { scopes: textsOf(options.scope) };
  return decide(context, args, options, 'device.token.rotate', { role: options.role, ...scopes }, (answer) => {
    const note = textOf(answer.note) ?? 'It closes nothing: to end access, revoke.';
    if (isLatchkeys(answer))
      return `Rotated: the device gets its new token with its next connect.\n${escapeText(note)}\n`;
    return 'Rotated: the old token of the device opens nothing there any more.\nThis gateway hands the new one to nobody who comes with the old one: give the device its shared secret once.\n';
  });
}

/** `latchkey devices revoke DEVICE [--role …] [--rotate-secret]` */
export async function revoke(context: Context, args: readonly string[], options: Options): Promise<number> {
  return decide(context, args, options, 'device.token.revoke', { role: options.role }, (answer) =>
    renderGone(context, `Revoked as ${escapeText(textOf(answer.role) ?? 'operator')}.`, answer, options),
  );
}

/** `latchkey devices remove DEVICE [--with-all] [--rotate-secret]` */
export async function remove(context: Context, args: readonly string[], options: Options): Promise<number> {
  const withAll = options.withAll === true ? { withAll: true } : {};
  return decide(context, args, options, 'device.pair.remove', withAll, (answer) =>
    renderGone(context, 'Removed in every role.', answer, options),
  );
}

/** `latchkey devices rename DEVICE [NAME]` */
export async function rename(context: Context, args: readonly string[], options: Options): Promise<number> {
  // With --device the only argument is the name.
  const [device, name] = typeof options.device === 'string' ? [undefined, args[0]] : args;
  const label = checkName(context, textOf(options.name) ?? name ?? null);
  const words = device === undefined ? [] : [device];
  return decide(context, words, options, 'device.pair.rename', { label }, (answer) => {
    const shown = textOf(answer.label);
    return shown === null ? 'Renamed: shown as it names itself.\n' : `Renamed: shown as "${claimText(shown)}".\n`;
  });
}

/** `latchkey devices ensure --key KEY --scope … | --none` */
export async function ensure(context: Context, _args: readonly string[], options: Options): Promise<number> {
  const scopes = exactScopes(context, options, 'devices ensure');
  const until = typeof options.for === 'number' ? context.host.clock.now() + options.for : null;
  const { key } = options;
  if (typeof key !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(key)) {
    throw new Failure(EXIT.usage, {
      what: "--key can't be used",
      why: "a device's public key is 43 characters of base64url, as the device shows it",
      run: 'latchkey devices ensure --help',
    });
  }
  checkName(context, textOf(options.name));
  return withGateway(context, async (call) => {
    const answer = recordOf(
      await call('device.pair.ensure', {
        publicKey: key,
        role: options.role,
        scopes,
        ...(until === null ? {} : { untilMs: until }),
        ...(typeof options.name === 'string' ? { displayName: options.name } : {}),
      }),
    );
    const word = answer.changed === false ? 'Ensured: it was so already' : 'Ensured';
    print(context, answer, () => renderGiven(context, word, recordOf(answer.device), answer));
    return EXIT.ok;
  });
}

/** A decision about one device, and the secret's rotation after it where that was wanted. */
async function decide(
  context: Context,
  args: readonly string[],
  options: Options,
  method: string,
  params: Row,
  render: (answer: Row) => string,
): Promise<number> {
  const given = deviceGiven(context, args, options);
  return withGateway(context, async (call) => {
    const answer = recordOf(await call(method, { deviceId: await deviceNamed(context, call, given), ...params }));
    const rotated = options.rotateSecret === true ? await call('gateway.secret.rotate', {}) : undefined;
    const document = rotated === undefined ? answer : { ...answer, secret: rotated };
    print(context, document, () => `${render(answer)}${rotated === undefined ? '' : renderRotated(context, rotated)}`);
    return EXIT.ok;
  });
}

/** Latchkey says of each decision whether it changed anything; OpenClaw says nothing of what follows from one. */
const isLatchkeys = (answer: Row): boolean => answer.changed !== undefined || answer.note !== undefined;

function deviceGiven(context: Context, args: readonly string[], options: Options): string {
  const given = textOf(options.device) ?? args[0] ?? null;
  if (given !== null) return given;
  throw new Failure(EXIT.usage, {
    what: 'no device is named',
    why: `${context.doing} acts on one device: its id, the beginning of it, or its name`,
    run: `${context.command} devices list`,
  });
}

/** @throws Failure 2 for one that no list would show whole */
function checkName(context: Context, name: string | null): string | null {
  if (name === null || (name !== '' && [...name].length <= NAME_MAX)) return name;
  throw new Failure(EXIT.usage, {
    what: "the name can't be used",
    why: `a name is 1 to ${NAME_MAX} characters, and this one has ${[...name].length}`,
    run: `latchkey ${context.doing} --help`,
  });
}

/** "Exactly these" must be said: an option that was forgotten would take everything. */
function exactScopes(context: Context, options: Options, command: string): readonly string[] {
  const scopes = textsOf(options.scope);
  if (scopes.length > 0 !== (options.none === true)) return scopes;
  throw new Failure(EXIT.usage, {
    what: scopes.length > 0 ? '--scope and --none are both given' : 'no scope is given',
    why: 'what the device holds afterwards is exactly what is named: --scope for each, or --none',
    run: `${context.command} ${command} --help`,
  });
}

/** A9: what is over, and what is not. */
function renderGone(context: Context, word: string, answer: Row, options: Options): string {
  const closed = numberOf(answer.closedSessions);
  const sessions = closed === null ? '' : ` ${closed} ${closed === 1 ? 'session' : 'sessions'} closed.`;
  const approved = recordsOf(answer.approved).map((row) => {
    const name = textOf(row.displayName);
    return `${escapeText((textOf(row.deviceId) ?? '?').slice(0, 12))}${name === null ? '' : ` "${claimText(name)}"`}`;
  });
  const lines = [`${word}${sessions}\n`, renderGoingOn(context, answer)];
  if (approved.length > 0 && options.withAll !== true) {
    lines.push(`Devices that it approved are still paired: ${approved.join(', ')}\n`);
  }
  if (answer.secretHolderCanReturn === true && options.rotateSecret !== true) {
    lines.push(
      'The shared secret had paired it: whoever knows the secret can still open sessions.\n',
      `To end that too: ${context.command} gateway secret rotate\n`,
    );
  }
  return lines.join('');
}
