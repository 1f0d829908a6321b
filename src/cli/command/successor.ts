import { Failure, isFailure } from '../../system/failure.ts';
import { escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import type { Call } from '../reach.ts';
import { recordOf, recordsOf, textOf } from '../value.ts';

/**
 * A5.3: the id that was named acts no more. Where the same device asks in that role under another id now, and this caller
 * may see it, the failure says so; it is to be looked at first, since it may ask for more.
 */
export async function withSuccessor(error: unknown, context: Context, call: Call, id: string): Promise<unknown> {
  const cause = recordOf(isFailure(error) ? error.cause : null);
  if (!isFailure(error) || cause.refusal !== 'conflict') return error;
  try {
    const { deviceId, role } = recordOf(recordOf(await call('decision.explain', { id })).facts);
    const pending = recordsOf(recordOf(await call('device.pair.list')).pending);
    const next = pending.find(
      (row) => row.state !== 'rejected' && row.deviceId === deviceId && row.role === role && row.requestId !== id,
    );
    const nextId = textOf(next?.requestId);
    if (nextId === null) return error;
    const why = `${error.why}; the same device asks now under the id ${escapeText(nextId)}`;
    return new Failure(error.exitCode, { what: error.what, why, run: `${context.command} devices list` }, { cause });
  } catch {
    // What is only to help is not in the way of what was said.
    return error;
  }
}
