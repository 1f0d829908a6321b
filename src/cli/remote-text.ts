import type { Distrust } from '../client/challenge.ts';
import type { ConnectionLost, NoAnswer, RemoteError } from '../client/client.ts';
import type { StillWaiting, Waiting } from '../client/handshake.ts';
import { idOf } from '../client/hello.ts';
import type { DialFailed } from '../client/node/websocket.ts';
import type { ErrorContext } from '../core/protocol/error.ts';
import { EXIT, Failure, isFailure } from '../system/failure.ts';
import { escapeText, shellWord } from '../system/text.ts';
import type { Context } from './context.ts';
import { renderEnd } from './duration.ts';
import { painter } from './output.ts';

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
  /** The id of this host's key. */
  readonly deviceId: string;
}

/** A8, A19: who asks where for what, under which code, until when, and what to run there. */
export function waitingText(context: Context, place: Place, waiting: Waiting): string {
  const paint = painter(context.output.colour);
  const { code, asked, requestId, expiresAtMs } = waiting;
  const scopes = asked.length === 0 ? 'to be paired' : asked.map((scope) => escapeText(scope)).join(', ');
  const shown =
    code === null
      ? [
          '  There is no code to compare: the request was opened by another run. If it is not yours, reject it there:',
          `    latchkey devices reject ${requestId}`,
          '  Else approve it there:',
        ]
      : [
          '',
          `      ${paint('bold', code)}`,
          '',
          '  Compare this code with the one that is shown there, then approve there:',
        ];
  return `${[
    `latchkey: waiting for approval at ${escapeText(place.url)}`,
    ...shown,
    `    latchkey devices approve ${requestId}`,
    `  asks for ${scopes}; device ${place.deviceId.slice(0, 12)}; gateway key ${waiting.gatewayKey}`,
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
export function failureOfConnect(error: unknown, context: Context, place: Place, remedies: Remedies): unknown {
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
        run: `${THERE}latchkey devices approve ${requestId}`,
      });
    }
    case 'RemoteError':
      return failureOfRefusal(error as RemoteError, 'connect', remedies);
    case 'ConnectionLost':
    case 'NoAnswer':
      return failureOfLoss(error as ConnectionLost | NoAnswer, `connecting to ${place.url}`, context);
    default:
      return error;
  }
}

/** A16: the remedy comes from this side's own table; the remote's text is shown as its words. */
export function failureOfRefusal(
  refused: RemoteError,
  method: string,
  remedies: Remedies,
  openRequest: string | null = null,
): Failure {
  const { code, details, retryable, retryAfterMs } = refused.error;
  const requestId = idOf(details?.requestId) ?? openRequest;
  const known =
    refused.refusal === null ? null : remedies(refused.refusal, { method, ...(requestId ? { requestId } : {}) });
  const isForeign = refused.refusal === null && code === 'NOT_PAIRED';
  const isLater = retryable === true || retryAfterMs !== undefined || known?.retry === 'after';
  const remedy = isForeign
    ? `openclaw devices ${requestId === null ? 'list' : `approve ${requestId}`}`
    : (known?.remedy ?? 'latchkey gateway probe');
  // Some of them say where, some are no command of the gateway's host.
  const isThere = /^(latchkey|openclaw) /.test(remedy);
  const text = {
    what: `${method} was refused (${escapeText(refused.refusal ?? code)})`,
    why: `the gateway says: ${escapeText(refused.message.slice(0, 500))}`,
    run: `${isThere ? THERE : ''}${remedy}`,
  };
  return new Failure(isLater ? EXIT.later : EXIT.failed, text, { cause: refused });
}

export function failureOfLoss(error: ConnectionLost | NoAnswer, doing: string, context: Context): Failure {
  return new Failure(EXIT.later, {
    what: `${doing} came to no end`,
    why: escapeText(error.message.slice(0, 500)),
    run: `${context.command} --timeout 30s health`,
  });
}

function ofDial(error: DialFailed, context: Context, { url }: Place): Failure {
  const why = escapeText(error.message);
  const fingerprint = error.fingerprint ?? '';
  switch (error.kind) {
    case 'unreachable':
    case 'silent':
      return new Failure(EXIT.later, {
        what: `no gateway answers at ${url}`,
        why,
        run: `${THERE}latchkey gateway probe`,
      });
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
            : `${THERE}latchkey gateway probe`,
      });
  }
}

function ofDistrust(error: Distrust, context: Context, { url }: Place): Failure {
  const { kind, pinned, offered } = error;
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
    default:
      return new Failure(EXIT.failed, {
        what,
        why: escapeText(error.message),
        run: `${THERE}latchkey devices list   (compare what it shows; try from another network)`,
      });
  }
}
