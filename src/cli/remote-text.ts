import type { Distrust } from '../client/challenge.ts';
import type { ConnectionLost, NoAnswer, RemoteError } from '../client/client.ts';
import type { Signer, StillWaiting, Waiting } from '../client/handshake.ts';
import { idOf } from '../client/hello.ts';
import type { DialFailed } from '../client/node/websocket.ts';
import type { ErrorContext } from '../core/protocol/error.ts';
import { EXIT, Failure, isFailure } from '../system/failure.ts';
import { escapeText, shellWord } from '../system/text.ts';
import type { Context } from './context.ts';
import { renderEnd } from './duration.ts';
import { painter } from './output.ts';
import { otherScheme } from './remedy.ts';
import { type Advice, adviceOf, isOpenClawMismatch } from './remote-foreign.ts';

/** On the gateway's own host no flag is known here: its state directory may have any name. */
const THERE = "on the gateway's host: ";

/** `remedyFor` of core/protocol/error.ts. */
export type Remedies = (
  name: string,
  context: ErrorContext,
) => { readonly retry: string; readonly remedy: string } | null;

export interface Place {
  /** As it is remembered: `wss://host:port`. */
  readonly url: string;
  /** This host's key. */
  readonly device: Signer & { forAddress(address: string): Signer };
  /** What is asked for. */
  readonly scopes: readonly string[];
  /** Where the credential that was given came from; `null`: none was. */
  readonly shown: string | null;
  /**
   * `proofless`: the last one that answered there proved no key, so it is no Latchkey, whatever it says. `remembered`:
   * it was shown what an earlier hello had brought.
   */
  readonly said: { proofless: boolean; remembered: boolean };
  /** Its key was known before it was dialed: what it names can be relied on. */
  readonly isKnown: boolean;
  readonly remedies: Remedies;
}

/**
 * A19: what pairs this very key. Whoever stands between can name a request of their own, but not our key: so where no
 * code can be compared this is shown, and no request's id is.
 */
function ensureCommand({ device, scopes }: Place): string {
  const named = scopes.length === 0 ? ['--none'] : scopes.map((scope) => `--scope ${shellWord(scope)}`);
  return `latchkey devices ensure --key ${device.publicKey} --role operator ${named.join(' ')}`;
}

/** A8, A19: who asks where for what, under which code, until when, and what to run there. */
export function waitingText(context: Context, place: Place, waiting: Waiting): string {
  const paint = painter(context.output.colour);
  const { code, asked, requestId, expiresAtMs } = waiting;
  const scopes = asked.length === 0 ? 'to be paired' : asked.map((scope) => escapeText(scope)).join(', ');
  const shown =
    code === null
      ? [
          '  There is no code to compare, so nothing says whose request it is. Reject it there, and ask again from here:',
          `    latchkey devices reject ${requestId}`,
          '  Or pair this very key there, whoever asked:',
          `    ${ensureCommand(place)}`,
        ]
      : [
          '',
          `      ${paint('bold', code)}`,
          '',
          '  Compare this code with the one that is shown there, then approve there:',
          `    latchkey devices approve ${requestId}`,
        ];
  return `${[
    `latchkey: waiting for approval at ${escapeText(place.url)}`,
    ...shown,
    `  asks for ${scopes}; device ${place.device.id.slice(0, 12)}; gateway key ${waiting.gatewayKey}`,
    `  until ${renderEnd(expiresAtMs, context.host.clock.now())}; Ctrl-C leaves the request open, and the same command goes on with it`,
  ].join('\n')}\n`;
}

/** The command that accepts what a gateway shows now. */
export function trustCommand(context: Context, url: string, what: string): string {
  const { profile, stateDir } = context.globals;
  const from =
    (profile === undefined ? '' : ` --profile ${shellWord(profile)}`) +
    (stateDir === undefined ? '' : ` --state-dir ${shellWord(stateDir)}`);
  return `latchkey${from} gateway trust --url ${shellWord(url)} ${what}`;
}

/** What a person is told of a connect that failed. By name, not by class: bundles have classes of their own. */
export function failureOfConnect(error: unknown, context: Context, place: Place): unknown {
  if (!(error instanceof Error) || isFailure(error)) return error;
  switch (error.name) {
    case 'DialFailed':
      return ofDial(error as DialFailed, context, place);
    case 'Distrust':
      return ofDistrust(error as Distrust, context, place);
    case 'StillWaiting': {
      const { requestId, code, expiresAtMs } = (error as StillWaiting).waiting;
      const shown = code === null ? '' : ` (code ${code})`;
      return new Failure(EXIT.later, {
        what: `nobody has approved this device at ${place.url} yet`,
        why: `request ${requestId}${shown} is open until ${renderEnd(expiresAtMs, context.host.clock.now())}`,
        run: `${THERE}${code === null ? ensureCommand(place) : `latchkey devices approve ${requestId}`}`,
      });
    }
    case 'RemoteError':
      return failureOfRefusal(error as RemoteError, 'connect', place);
    case 'ConnectionLost':
    case 'NoAnswer':
      return failureOfLoss(error as ConnectionLost | NoAnswer, `connecting to ${place.url}`, context);
    default:
      return error;
  }
}

/** Its text for people: to whoever types commands the name of a method says nothing. */
export function wordsOf({ refusal, message }: RemoteError, method: string): string {
  const words = refusal === 'params_invalid' ? message.replace(`invalid ${method} params: `, '') : message;
  return escapeText(words.slice(0, 500));
}

/**
 * A16: the remedy comes from this side's own table; the remote's text is shown as its words.
 * @param openRequest what its hello named
 * @param doing the command's words, for people
 */
export function failureOfRefusal(
  refused: RemoteError,
  method: string,
  place: Place,
  openRequest: string | null = null,
  doing = method,
): Failure {
  const { code, retryable, retryAfterMs } = refused.error;
  const requestId = idOf(refused.error.details?.requestId) ?? openRequest;
  // A19: a request that a stranger names may be the stranger's own.
  const about = { method, ...(requestId !== null && place.isKnown ? { requestId } : {}) };
  const isOurs = refused.refusal !== null && !place.said.proofless;
  const known = isOurs ? place.remedies(refused.refusal, about) : null;
  // A5: a no holds for a day; nobody's script waits for that.
  const isNo = refused.refusal === 'rejected';
  const isLater = !isNo && (retryable === true || retryAfterMs !== undefined || known?.retry === 'after');
  const said = `the gateway says: ${wordsOf(refused, method)}`;
  const advice = adviceFor(refused, method, place, { requestId, ...(known === null ? {} : { known }) });
  const text = {
    what: `${doing} was refused (${escapeText(refused.refusal ?? code)})`,
    why: advice.about === null ? said : `${escapeText(advice.about)}; ${said}`,
    run: advice.run,
  };
  return new Failure(isLater ? EXIT.later : EXIT.failed, text, { cause: refused });
}

function adviceFor(
  refused: RemoteError,
  method: string,
  place: Place,
  { requestId, known }: { readonly requestId: string | null; readonly known?: { readonly remedy: string } },
): Advice {
  const { device, url, shown, said } = place;
  const isNamed = refused.refusal !== null && !said.proofless;
  // Whoever proved its key is Latchkey, of another release perhaps; what it can't name is told by OpenClaw's codes.
  const isCoded = refused.error.code === 'NOT_PAIRED' || (shown !== null && isOpenClawMismatch(refused));
  if (!isNamed && (said.proofless || isCoded)) {
    return adviceOf(refused, method, { url, deviceId: device.forAddress(url).id, shown, remembered: said.remembered });
  }
  if (shown === null || refused.refusal !== 'secret_mismatch') {
    return { about: null, run: remedyOf(place, requestId, known?.remedy) };
  }
  const note = `(then give that one by ${shown}; a key that is paired needs none)`;
  return { about: `${shown} is not this gateway's`, run: `${THERE}latchkey gateway secret show   ${note}` };
}

function remedyOf({ device, isKnown }: Place, requestId: string | null, remedy = 'latchkey gateway probe'): string {
  // Some of them say where, some are no command of the gateway's host.
  const there = /^latchkey /.test(remedy) ? THERE : '';
  const isUnsure = requestId !== null && !isKnown && /^latchkey devices list/.test(remedy);
  return `${there}${remedy}${isUnsure ? `   (approve what device ${device.id} asks, nothing else)` : ''}`;
}

export function failureOfLoss(error: ConnectionLost | NoAnswer, doing: string, context: Context): Failure {
  const text = {
    what: `${doing} came to no end`,
    why: escapeText(error.message.slice(0, 500)),
    run: `${context.command} --timeout 30s health`,
  };
  return new Failure(EXIT.later, text, { cause: error });
}

function ofDial(error: DialFailed, context: Context, { url }: Place): Failure {
  const why = escapeText(error.message);
  const fingerprint = error.fingerprint ?? '';
  switch (error.kind) {
    case 'unreachable':
    case 'silent':
      return new Failure(
        EXIT.later,
        {
          what: `no gateway answers at ${url}`,
          why,
          run: `${THERE}latchkey gateway probe`,
        },
        { cause: error },
      );
    case 'insecure':
      return new Failure(EXIT.usage, {
        what: `nothing was sent to ${url}`,
        why,
        run: `latchkey --url ${shellWord(url.replace(/^ws:/, 'wss:'))} status   (or --insecure where everybody on the way may read it)`,
      });
    case 'certificate':
      return new Failure(EXIT.configuration, {
        what: `nothing was sent to ${url}`,
        why: `${why}; its SHA-256 is ${fingerprint}`,
        run: `${trustCommand(context, url, `--tls-fingerprint ${fingerprint}`)}   (after comparing it with what the gateway's host shows)`,
      });
    case 'changed-certificate':
      return new Failure(EXIT.configuration, {
        what: `nothing was sent to ${url}`,
        why: `${why}; the SHA-256 that it shows is ${fingerprint}`,
        run: `${trustCommand(context, url, `--tls-fingerprint ${fingerprint}`)}   (only if the gateway's host shows this one)`,
      });
    case 'refused':
    case 'foreign':
      return new Failure(EXIT.failed, {
        what: `${url} is no gateway that can be connected to`,
        why,
        run:
          error.status === 421
            ? `${THERE}name this host name in gateway.allowedHosts of latchkey.json`
            : error.status === null || error.status === 400
              ? otherScheme(context, url)
              : `${THERE}latchkey gateway probe`,
      });
  }
}

function ofDistrust(error: Distrust, context: Context, place: Place): Failure {
  const { kind, pinned, offered, requestId } = error;
  const { url } = place;
  const what = `${url} is not trusted`;
  switch (kind) {
    case 'changed-key':
      return new Failure(EXIT.configuration, {
        what,
        why: `its key is ${offered}, and was ${pinned}: another gateway, or somebody between`,
        run: `${trustCommand(context, url, `--key ${offered}`)}   (only if the gateway's host shows this key)`,
      });
    case 'no-proof':
      return new Failure(EXIT.configuration, {
        what,
        why: `it does not prove the key that is known of it (${pinned}): another program, or somebody between`,
        run: `${trustCommand(context, url, '--forget')}   (only if you put another program there yourself)`,
      });
    case 'no-code':
    case 'false-code':
      return new Failure(EXIT.failed, {
        what,
        why: `${escapeText(error.message)}: somebody may stand between and ask in your place`,
        run: `${THERE}latchkey devices reject ${requestId}   (never approve it; then ask again from here, or pair this very key there: ${ensureCommand(place)})`,
      });
    default:
      return new Failure(EXIT.failed, {
        what,
        why: escapeText(error.message),
        run: `${THERE}latchkey devices list   (compare what it shows; try from another network)`,
      });
  }
}
