import type { EventFrame } from '../../core/protocol/frame.ts';
import { EXIT, Failure, isFailure } from '../../system/failure.ts';
import { newId } from '../../system/random.ts';
import { escapeLines, escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { type Call, withGateway } from '../reach.ts';
import { remedyText, withPlace } from '../remedy.ts';
import { isBusy, isDown } from '../unanswered.ts';
import { recordOf, textOf } from '../value.ts';

/** One question to the gateway whether it is over; short, so that a gateway that went away is noticed. */
const LOOK_MS = 5_000;
const AGAIN_MS = 250;
/** A gateway that went away in the middle is waited for so long. */
const AWAY_MS = 60_000;

/**
 * `latchkey agent -m TEXT`: says it, prints the answer as it comes, and ends with the run. A run that ended otherwise than
 * well exits 1. With `--json` one object a line, the last with `"done": true`.
 */
export async function agent(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const id = textOf(options.id) ?? newId();
  const agentId = textOf(options.agent);
  const given = String(options.message ?? '');
  const text = given === '-' ? await spoken() : given;
  if (text.trim() === '') throw nothing(context);
  const said = {
    sessionKey: textOf(options.session) ?? '',
    message: text,
    idempotencyKey: id,
    ...(agentId === null ? {} : { agentId }),
  };
  const heard = new Heard(context, id);
  const say = () =>
    withGateway<Outcome | null>(
      context,
      async (call) => {
        heard.accepted(recordOf(await call('chat.send', said)));
        return options.detach === true ? {} : waited(context, call, id).catch(unlessAway);
      },
      heard.hear,
    );
  // Whether it was accepted can't be known: under the same id it is said once, however often.
  const first = await say().catch(unlessCut);
  const outcome = first ?? (await again(context, say));
  return options.detach === true ? heard.detached() : heard.end(outcome);
}

type Outcome = Readonly<Record<string, unknown>>;

/** Asks until it is over. */
async function waited(context: Context, call: Call, runId: string): Promise<Outcome> {
  const timeoutMs = Math.min(LOOK_MS, Math.floor(context.timeoutMs / 2));
  for (;;) {
    const outcome = recordOf(await call('agent.wait', { runId, timeoutMs }));
    if (outcome.status !== 'timeout') return outcome;
  }
}

/** The gateway ended, or restarts: what was accepted is there when it comes back, and what was not is said once more. */
async function again(context: Context, say: () => Promise<Outcome | null>): Promise<Outcome> {
  const { clock } = context.host;
  context.output.err('latchkey: the gateway went away; waiting for it\n');
  const endMs = clock.monotonicMs() + AWAY_MS;
  for (;;) {
    await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve));
    try {
      const outcome = await say();
      if (outcome !== null) return outcome;
    } catch (error) {
      if (!isAway(error) || clock.monotonicMs() >= endMs) throw error;
    }
  }
}

const isAway = (error: unknown): boolean =>
  isDown(error) || isBusy(error) || (isFailure(error) && error.exitCode === EXIT.later);

function unlessAway(error: unknown): null {
  if (isAway(error)) return null;
  throw error;
}

/** It went away between the question and its answer; one that wasn't there is not waited for. */
function unlessCut(error: unknown): null {
  if (isFailure(error) && (error.cause as Error | undefined)?.name === 'ConnectionLost') return null;
  throw error;
}

async function spoken(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  return text;
}

function nothing(context: Context): Failure {
  return new Failure(EXIT.usage, {
    what: 'there is nothing to say',
    why: 'the message is empty',
    run: `${context.command} agent -m 'hello'`,
  });
}

/** What came of the run so far, and what of it stands on the terminal. */
class Heard {
  readonly #context: Context;
  readonly #id: string;
  readonly #isJson: boolean;
  #isAccepted = false;
  #text = '';

  constructor(context: Context, id: string) {
    this.#context = context;
    this.#id = id;
    this.#isJson = context.globals.json === true;
  }

  accepted({ status }: Outcome): void {
    const isNews = !this.#isAccepted;
    this.#isAccepted = true;
    if (isNews && this.#isJson) this.#line({ event: 'accepted', runId: this.#id, status });
  }

  detached(): number {
    if (this.#isJson) this.#line({ done: true, runId: this.#id, detached: true });
    else this.#context.output.out(`${this.#id}\n`);
    return EXIT.ok;
  }

  readonly hear = ({ event, payload }: EventFrame): void => {
    const { runId, state, message } = recordOf(payload);
    if (event !== 'chat' || runId !== this.#id) return;
    const [part] = Array.isArray(recordOf(message).content) ? (recordOf(message).content as unknown[]) : [];
    const text = textOf(recordOf(part).text);
    if (text !== null && (state === 'delta' || state === 'final' || state === 'aborted')) this.#show(text);
  };

  /** All that is said so far: what is new of it is shown. */
  #show(text: string): void {
    const goesOn = text.startsWith(this.#text);
    const fresh = goesOn ? text.slice(this.#text.length) : text;
    if (fresh === '') return;
    if (this.#isJson) this.#line({ event: 'text', text: fresh, ...(goesOn ? {} : { replace: true }) });
    // A model says no colours: only the program's own look like its own.
    else this.#context.output.out(escapeLines(goesOn || this.#text === '' ? fresh : `\n${fresh}`));
    this.#text = text;
  }

  end(outcome: Outcome): number {
    const { status, error, code, remedy } = outcome;
    const isOk = status === 'ok';
    if (this.#isJson) this.#line({ done: true, ...outcome, runId: this.#id, text: this.#text });
    else if (this.#text !== '') this.#context.output.out('\n');
    if (isOk) return EXIT.ok;
    const { command, output } = this.#context;
    const why = [textOf(error) ?? 'it was not said why', ...(textOf(code) === null ? [] : [`(${code})`])].join(' ');
    const { globals } = this.#context;
    const run = textOf(remedy) === null ? `${command} sessions tail` : withPlace(String(remedy), globals);
    output.err(`latchkey: the agent did not finish\n  why: ${escapeText(why)}\n${remedyText(run)}\n`);
    return EXIT.failed;
  }

  #line(value: unknown): void {
    this.#context.output.out(`${JSON.stringify(value)}\n`);
  }
}
