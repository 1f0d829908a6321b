import type { ConnectionLost, NoAnswer, RemoteError } from '../client/client.ts';
import { remedyFor } from '../core/protocol/error.ts';
import { EXIT, Failure } from '../system/failure.ts';
import { escapeText, shellWord } from '../system/text.ts';
import { type Context, tell } from './context.ts';
import { elsewhere, elsewhereText, statusElsewhere } from './elsewhere.ts';
import { readRun } from './running.ts';
import { GatewayBusy, type GatewayDown, isBusy } from './unanswered.ts';
import { isRecord } from './value.ts';

/** In one file with what explains a refusal when shipped. */
export { withNearAgent } from './near-agent.ts';

/** What a call that failed means to a person. */
export function explained(error: unknown, context: Context, method: string): unknown {
  if (isNamed<RemoteError>(error, 'RemoteError')) return refusalOf(error, context, method);
  if (isNamed<NoAnswer>(error, 'NoAnswer')) return new GatewayBusy(`it gave no answer within ${error.afterMs} ms`);
  if (isNamed<ConnectionLost>(error, 'ConnectionLost')) {
    const text = {
      what: `${context.doing || method} was not answered`,
      why: `the connection to the gateway was lost: ${error.message}`,
      run: `${context.command} gateway probe`,
    };
    return new Failure(EXIT.later, text, { cause: error });
  }
  return error;
}

/** A16: the remedy comes from this side's own table; the remote's text is shown as its words. */
function refusalOf(error: RemoteError, context: Context, method: string): Failure {
  const { details, code, retryAfterMs, retryable } = error.error;
  // To whoever types commands the name of a method says nothing.
  const told =
    error.refusal === 'params_invalid' ? error.message.replace(`invalid ${method} params: `, '') : error.message;
  const requestId = isRecord(details) && typeof details.requestId === 'string' ? details.requestId : undefined;
  const known =
    error.refusal === null
      ? null
      : remedyFor(error.refusal, { command: context.command, method, ...(requestId ? { requestId } : {}) });
  // A17: the remedy stays what mends it; this is for who wants to know more.
  if (isRecord(details) && typeof details.decision === 'string')
    tell(context, `decision: ${context.command} why ${shellWord(escapeText(details.decision))}`);
  const later = retryable === true || retryAfterMs !== undefined || known?.retry === 'after';
  const text = {
    what: `${context.doing || method} was refused (${escapeText(error.refusal ?? code)})`,
    why: `the gateway says: ${escapeText(told.slice(0, 500))}`,
    run: remedyHere(error.refusal, known, context),
  };
  const exit = error.refusal === 'config_invalid' ? EXIT.configuration : later ? EXIT.later : EXIT.failed;
  return new Failure(exit, text, { cause: error });
}

/** Of what was typed wrong the help of the command says more than the wire's own words. */
function remedyHere(
  refusal: string | null,
  known: { readonly remedy: string } | null,
  { command, doing }: Context,
): string {
  if (refusal === 'params_invalid' && doing !== '') return `latchkey ${doing} --help`;
  return known?.remedy ?? `${command} status`;
}

/** What a person is told of a gateway that isn't there, or doesn't answer. */
export function failureOf(error: GatewayDown | GatewayBusy, context: Context): Failure {
  const run = readRun(context.state.path);
  if (isBusy(error)) {
    const pid = run?.alive === true ? ` (pid ${run.pid})` : '';
    return new Failure(EXIT.later, {
      what: `the gateway${pid} is busy`,
      why: error.message,
      run: `${context.command} gateway probe`,
    });
  }
  const starting = run?.alive === true ? `; pid ${run.pid} is there, perhaps still starting or stopping` : '';
  const others = starting === '' ? elsewhere(context) : [];
  const other = statusElsewhere(context, others);
  const start = `${context.command} gateway run`;
  return new Failure(EXIT.later, {
    what: `the gateway of ${context.state.path} is not running`,
    why: [`${error.message}${starting}`, elsewhereText(others)].filter((text) => text !== '').join('; '),
    run: other === null ? start : `${start}   (if the one that runs was meant, look at it first: ${other})`,
  });
}

function isNamed<T extends Error>(error: unknown, name: string): error is T {
  return error instanceof Error && error.name === name;
}
