import type { EventFrame } from '../../core/protocol/frame.ts';
import { EXIT, Failure, isFailure } from '../../system/failure.ts';
import { newId } from '../../system/random.ts';
import { escapeLines, escapeText } from '../../system/text.ts';
import { adviceOf, advisedRow, adviserOf } from '../advice.ts';
import { openUnits } from '../cluster.ts';
import type { Context } from '../context.ts';
import { failureLines, hung, Margin } from '../margin.ts';
import { type Call, withGateway } from '../reach.ts';
import { remedyText } from '../remedy.ts';
import { isBusy, isDown } from '../unanswered.ts';
import { recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import { abortCommand, keyOf, placeOf, tailCommand } from './agent-place.ts';

/** One question to the gateway whether it is over; short, so that a gateway that went away is noticed. */
const LOOK_MS = 5_000;
const AGAIN_MS = 250;
/** A gateway that went away in the middle is waited for so long. */
const AWAY_MS = 60_000;

/**
 * `latchkey agent -m TEXT`: says it, prints the answer as it comes, and ends with the run. A run that ended otherwise than
 * well exits 1. On a terminal the answer stands behind a bar: what is beside it a model did not say. With `--json` one object
 * a line, the last with `"done": true`.
 */
export async function agent(context: Context, _args: readonly string[], options: Options): Promise<number> {
  if (options.abort === true) return (await import('./agent-abort.ts')).abort(context, options);
  const id = textOf(options.id) ?? newId();
  const said = await saidBy(context, options, id);
  const heard = new Heard(context, id, options);
  const say = () =>
    withGateway<Outcome | null>(
      context,
      async (call) => {
        heard.sent();
        heard.accepted(recordOf(await call('chat.send', said)));
        if (options.detach === true) return {};
        const outcome = await waited(context, call, id).catch(unlessAway);
        // What was over before is told by no event.
        if (outcome !== null && heard.isLate) heard.told(await toldBefore(call, placeOf(options), id));
        return outcome;
      },
      heard.hear,
    );
  const stay = onInterrupt(() => heard.left());
  try {
    // Whether it was accepted can't be known: under the same id it is said once, however often.
    const first = await say().catch(unlessCut);
    if (first === null) heard.away();
    const outcome = first ?? (await again(context, say));
    return options.detach === true ? heard.detached() : await heard.end(outcome);
  } finally {
    stay();
  }
}

/** The params of `chat.send`. @throws Failure 2 before anything is sent */
async function saidBy(context: Context, options: Options, id: string) {
  const given = textOf(options.message);
  const text = given === '-' ? await spoken() : (given ?? '');
  if (text.trim() === '') throw nothing(context, given);
  const files = textsOf(options.attach);
  const attachments = files.length === 0 ? [] : (await import('./agent-attach.ts')).attachmentsOf(files);
  const thinking = textOf(options.thinking);
  const { timeout: timeoutMs } = context.globals;
  return {
    ...placeOf(options),
    message: text,
    idempotencyKey: id,
    ...(attachments.length === 0 ? {} : { attachments }),
    ...(thinking === null ? {} : { thinking }),
    // Who sets a bound to the wait wants no run that goes on, and spends, behind it.
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

type Options = Readonly<Record<string, unknown>>;
type Outcome = Readonly<Record<string, unknown>>;

/** Asks until it is over. */
async function waited(context: Context, call: Call, runId: string): Promise<Outcome> {
  const timeoutMs = Math.min(LOOK_MS, Math.floor(context.timeoutMs / 2));
  for (;;) {
    const outcome = recordOf(await call('agent.wait', { runId, timeoutMs }));
    if (outcome.status !== 'timeout') return outcome;
  }
}

/** Messages that are looked through for the answer to one that was said before. */
const BACK_MAX = 200;

/** What was answered to it, from the transcript; `null`: it stands further back, or in another run that it joined. */
async function toldBefore(call: Call, place: ReturnType<typeof placeOf>, id: string): Promise<string | null> {
  const answer = await call('chat.history', { ...place, limit: BACK_MAX }).catch(() => null);
  const texts = recordsOf(recordOf(answer).messages)
    .filter(({ role, __openclaw }) => role === 'assistant' && recordOf(__openclaw).runId === id)
    .flatMap(({ content }) => recordsOf(content).flatMap(({ text }) => textOf(text) ?? []));
  return texts.length === 0 ? null : texts.join('\n');
}

/** Ctrl-C ends this command and no run: `say` says so, and the process ends as it would have without. */
function onInterrupt(say: () => void): () => void {
  const stop = () => {
    process.off('SIGINT', stop);
    say();
    process.kill(process.pid, 'SIGINT');
  };
  process.on('SIGINT', stop);
  return () => void process.off('SIGINT', stop);
}

/** The gateway ended, or restarts: what was accepted is there when it comes back, and what was not is said once more. */
async function again(context: Context, say: () => Promise<Outcome | null>): Promise<Outcome> {
  const { clock } = context.host;
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
  // The end of the last line is its writer's, not what was said.
  return text.replace(/\r?\n$/, '');
}

function nothing(context: Context, given: string | null): Failure {
  return new Failure(EXIT.usage, {
    what: 'there is nothing to say',
    why: given === null ? 'no message is given, by -m' : 'the message is empty',
    run: `${context.command} agent -m 'hello'`,
  });
}

/** What came of the run so far, and what of it stands on the terminal. */
class Heard {
  readonly #context: Context;
  readonly #id: string;
  readonly #isJson: boolean;
  /** `null`: no terminal shows it, and it is printed as it is. */
  readonly #margin: Margin | null;
  readonly #options: Options;
  #isSent = false;
  #isAccepted = false;
  /** It was over when it was said, under this id, for the first time by this command. */
  #isOld = false;
  #isLate = false;
  #text = '';
  /** Of that what is not printed yet: half of a character perhaps. */
  #held = '';

  constructor(context: Context, id: string, options: Options) {
    this.#context = context;
    this.#id = id;
    this.#options = options;
    this.#isJson = context.globals.json === true;
    const { width = null } = context.output;
    this.#margin = width === null ? null : new Margin(width);
  }

  away(): void {
    const { output } = this.#context;
    if (!this.#isJson) output.out(`${this.#rest()}${this.#margin?.leave() ?? ''}`);
    output.err('latchkey: the gateway went away; waiting for it\n');
  }

  sent(): void {
    this.#isSent = true;
  }

  /** It was over before anybody listened here. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** `null`: it was not found. */
  told(text: string | null): void {
    if (text !== null) this.#show(text);
    if (!this.#isOld) return;
    const { output } = this.#context;
    const tail = `\n${remedyText(tailCommand(this.#context, this.#options))}`;
    const where = text === null ? `; what was answered stands further back${tail}` : '; this is what was answered then';
    output.err(`latchkey: this was said already, under the id ${escapeText(this.#id)}${where}\n`);
  }

  /** The person has gone; the run has not. */
  left(): void {
    if (!this.#isSent) return;
    const { output } = this.#context;
    if (!this.#isJson && this.#text !== '') output.out(`${this.#rest()}${this.#margin?.leave() ?? '\n'}`);
    const how = this.#isAccepted ? 'the agent works on' : 'whether the message was accepted is not known';
    output.err(`latchkey: ${how}\n${remedyText(this.#after())}\n`);
  }

  /** What ends the run, and what shows its answer. */
  #after(): string {
    const tail = tailCommand(this.#context, this.#options);
    return `${abortCommand(this.#context, this.#options, this.#id)}   (to stop it; its answer: ${tail})`;
  }

  accepted({ status }: Outcome): void {
    const isNews = !this.#isAccepted;
    this.#isAccepted = true;
    this.#isLate = status === 'ok' || status === 'error' || status === 'aborted';
    if (isNews) this.#isOld = this.#isLate;
    if (isNews && this.#isJson) this.#line({ event: 'accepted', runId: this.#id, status });
  }

  detached(): number {
    if (this.#isJson) this.#line({ done: true, runId: this.#id, detached: true });
    else {
      const { output } = this.#context;
      output.out(`${this.#id}\n`);
      const tail = tailCommand(this.#context, this.#options);
      const stop = abortCommand(this.#context, this.#options, this.#id);
      output.err(`latchkey: the agent works on; its answer:\n${remedyText(`${tail}   (to stop it: ${stop})`)}\n`);
    }
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
    else {
      const said = `${this.#held}${goesOn || this.#text === '' ? '' : '\n'}${fresh}`;
      const end = said.length - openUnits(said);
      this.#held = said.slice(end);
      this.#context.output.out(this.#set(said.slice(0, end)));
    }
    this.#text = text;
  }

  /** A model says no colours: only the program's own look like its own. */
  #set(text: string): string {
    const said = escapeLines(text);
    return this.#margin?.set(said) ?? said;
  }

  /** What was held back: nothing comes behind it. */
  #rest(): string {
    const rest = this.#set(this.#held);
    this.#held = '';
    return rest;
  }

  async end(outcome: Outcome): Promise<number> {
    const { status, error, code } = outcome;
    const { output } = this.#context;
    const isOk = status === 'ok';
    // What is said stands there whatever becomes of the rest.
    if (!this.#isJson && this.#text !== '') output.out(`${this.#rest()}\n`);
    const adviser = isOk ? null : await adviserOf(this.#context, keyOf(this.#options));
    const told = adviser === null ? outcome : advisedRow(outcome, adviser);
    if (this.#isJson) this.#line({ done: true, ...told, runId: this.#id, text: this.#text });
    if (adviser === null) return EXIT.ok;
    const why = [textOf(error) ?? 'it was not said why', ...(textOf(code) === null ? [] : [`(${code})`])].join(' ');
    const { run, advised } = adviceOf(outcome, adviser);
    const theirs = advised === null ? '' : `${hung(`  it advises: ${advised}`, 5, output.errorWidth)}\n`;
    const own = remedyText(run ?? tailCommand(this.#context, this.#options));
    output.err(`${failureLines('the agent did not finish', why, output)}${theirs}${own}\n`);
    return EXIT.failed;
  }

  #line(value: unknown): void {
    this.#context.output.out(`${JSON.stringify(value)}\n`);
  }
}
