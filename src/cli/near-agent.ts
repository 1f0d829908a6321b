import { Failure, isFailure } from '../system/failure.ts';
import { nearest, shellWord } from '../system/text.ts';
import type { Context } from './context.ts';
import type { Call } from './reach.ts';
import { isRecord, recordOf, recordsOf, textOf } from './value.ts';

type Params = Readonly<Record<string, unknown>>;

const ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * A refused call; where it names an agent that there isn't, with the one that was probably meant: by its id, or by what
 * it is called.
 */
export async function withNearAgent(error: unknown, context: Context, call: Call, params: Params): Promise<unknown> {
  if (!isFailure(error) || !isRecord(error.cause) || error.cause.refusal !== 'unknown_agent') return error;
  const given = givenIn(params);
  // Who may not see them, or is cut off meanwhile, is told what was refused.
  const answer = await call('agents.list').catch(() => null);
  const named = recordsOf(recordOf(answer).agents).flatMap(({ id, name }) =>
    // Nothing that a gateway says is put into a command, unless it is an id.
    typeof id === 'string' && ID.test(id) ? [{ id, words: [id, textOf(name) ?? id] }] : [],
  );
  const word = given === null ? null : nearest(given, [...new Set(named.flatMap(({ words }) => words))]);
  const near = named.find(({ words }) => word !== null && words.includes(word))?.id;
  if (given === null || near === undefined) return error;
  const { what, why, run, exitCode, cause } = error;
  const text = { what, why: `${why}; did you mean ${near}?`, run: corrected(context, given, near) ?? run };
  return new Failure(exitCode, text, { cause });
}

/** The agent that was named, by itself or in the key of a session. */
function givenIn({ agentId, sessionKey, key }: Params): string | null {
  const inKey = /^agent:([^:]+):/.exec(textOf(sessionKey) ?? textOf(key) ?? '')?.[1];
  return textOf(agentId) ?? inKey ?? null;
}

/** The line as it was meant; `null`: the name stands nowhere in it, or it may hold a secret. */
function corrected({ host }: Context, given: string, near: string): string | null {
  if (host.argv.some((word) => /^--(token|password|setup-code|params|value)/.test(word))) return null;
  const words = host.argv.map((word, at) => {
    if (word === `--agent=${given}`) return `--agent=${near}`;
    if (word.startsWith(`agent:${given}:`)) return `agent:${near}:${word.slice(`agent:${given}:`.length)}`;
    // What follows a message's option is what is said, also where it is the same word.
    return word === given && !/^(-m|--message|--name)$/.test(host.argv[at - 1] ?? '') ? near : word;
  });
  const isOther = words.some((word, at) => word !== host.argv[at]);
  return isOther ? `latchkey ${words.map(shellWord).join(' ')}` : null;
}
