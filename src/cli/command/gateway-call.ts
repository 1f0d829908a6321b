import type { MethodName } from '../../core/protocol/registry.ts';
import { EXIT, Failure } from '../../system/failure.ts';
import { type Context, print } from '../context.ts';
import { callGateway } from '../reach.ts';
import { isRecord } from '../value.ts';

/** `latchkey gateway call METHOD [--params JSON]`: one request as the owner; its payload, as JSON. */
export async function gatewayCall(
  context: Context,
  [method = '']: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const params = typeof options.params === 'string' ? paramsOf(options.params, context) : undefined;
  // Its scope is asked for where it is one that this side knows.
  const calls = [method as MethodName];
  const payload = (await callGateway({ ...context, calls }, method, params)) ?? null;
  print(context, payload, () => `${JSON.stringify(payload, null, 2)}\n`);
  return EXIT.ok;
}

function paramsOf(text: string, context: Context): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isRecord(value)) return value;
  throw new Failure(EXIT.usage, {
    what: "--params can't be used",
    why: 'it is not a JSON object',
    run: `${context.command} gateway call health --params '{"probe":true}'`,
  });
}
