import { EXIT } from '../../system/failure.ts';
import { escapeLines, escapeText } from '../../system/text.ts';
import { type Adviser, advisedRow, adviserOf } from '../advice.ts';
import type { Context } from '../context.ts';
import { hung, Margin } from '../margin.ts';
import { painter } from '../output.ts';
import { renderBytes } from '../part.ts';
import { type Call, withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';
import { countOf, timeOf, unknown } from './sessions.ts';
import { CUT, endLines, RunEnds } from './sessions-end.ts';

type Row = Readonly<Record<string, unknown>>;

const LIMIT = 20;
/** Of one look while it follows: what comes faster than this is looked at again at once. */
const FOLLOW_LIMIT = 200;
const POLL_MS = 1_000;

/** `latchkey sessions tail [KEY] [--follow]`: with `--json` one object a line, the last with `"done": true`. */
export async function tail(context: Context, [key = 'main']: readonly string[], options: Row): Promise<number> {
  const limit = countOf(context, options.limit, LIMIT);
  const shown = new Shown(await adviserOf(context, key));
  let isOver = options.follow !== true;
  const stop = () => {
    isOver = true;
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    await withGateway(context, async (call) => {
      const first = await page(call, key, limit);
      if (textOf(first.sessionId) === null) throw unknown(context, key);
      // What the gateway answered itself is two messages, and one of those that were asked for.
      shown.take({ ...first, messages: recordsOf(first.messages).slice(-limit) });
      while (!isOver && context.output.isUnread !== true) {
        await new Promise<void>((resolve) => context.host.clock.after(POLL_MS, resolve));
        if (!isOver) shown.take(await page(call, key, FOLLOW_LIMIT));
      }
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  shown.end();
  return EXIT.ok;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function page(call: Call, sessionKey: string, limit: number): Promise<Row> {
  return recordOf(await call('chat.history', { sessionKey, limit }));
}

/** What was printed so far: each message once. */
class Shown {
  readonly #context: Context;
  readonly #adviser: Adviser;
  #conversation: string | null = null;
  #seq = 0;
  #ends = new RunEnds();
  #count = 0;

  constructor(adviser: Adviser) {
    this.#context = adviser.context;
    this.#adviser = adviser;
  }

  take(answer: Row): void {
    const conversation = textOf(answer.sessionId);
    // A reset begins another one, whose numbers begin again.
    if (conversation !== this.#conversation) [this.#seq, this.#ends] = [0, new RunEnds()];
    this.#conversation = conversation;
    const fresh = recordsOf(answer.messages).filter((message) => seqOf(message) > this.#seq);
    this.#ends.learn(answer.runEnds);
    for (const message of fresh) {
      const { runId, kind } = recordOf(message.__openclaw);
      this.#end(this.#ends.before(kind === 'command' ? null : textOf(runId)));
      this.#print(message);
      // Nothing comes behind it in its run.
      if (message.stopReason === CUT) this.#end(this.#ends.rest());
    }
    this.#end(this.#ends.rest());
    this.#seq = fresh.reduce((last, message) => Math.max(last, seqOf(message)), this.#seq);
    this.#count += fresh.length;
  }

  #print(message: Row): void {
    const { output, globals } = this.#context;
    if (globals.json === true) return output.out(`${JSON.stringify(message)}\n`);
    const paint = painter(output.colour);
    const text = recordsOf(message.content)
      .flatMap((part) => textOf(part.text) ?? besides(part))
      .join('\n');
    const from = textOf(recordOf(message.__openclaw).senderId) ?? textOf(message.toolName);
    const who = escapeText(`${textOf(message.role) ?? '?'}${from === null ? '' : ` ${from}`}`);
    const cut = message.stopReason === CUT ? `${paint('yellow', '[cut off here]')}\n` : '';
    const { width = null } = output;
    const time = timeOf(message.timestamp);
    const [first = '', ...rest] = hung(`${time} ${who}`, 2, width).split('\n');
    const head = [`${paint('dim', time)} ${paint('bold', first.slice(time.length + 1))}`, ...rest].join('\n');
    output.out(`${head}\n${behind(text, width)}\n${cut}\n`);
  }

  /** In brackets, where nothing that was said can stand. */
  #end(end: Row | null): void {
    if (end === null) return;
    const { output, globals } = this.#context;
    if (globals.json === true)
      return output.out(`${JSON.stringify({ event: 'run', ...advisedRow(end, this.#adviser) })}\n`);
    // A bracket is before and behind it.
    const columns = output.width == null ? null : output.width - 2;
    const text = endLines(end, this.#adviser, columns).join('\n ');
    output.out(`${painter(output.colour)('yellow', `[${text}]`)}\n\n`);
  }

  end(): void {
    if (this.#context.globals.json === true)
      this.#context.output.out(`${JSON.stringify({ done: true, messages: this.#count })}\n`);
  }
}

/** Nothing within a message stands where the head of one stands, or looks like it: it could pretend to be another. */
function behind(text: string, width: number | null): string {
  const said = escapeLines(text);
  return width === null ? said.replaceAll(/^/gm, '  ') : new Margin(width).set(said);
}

/** What there is in a message besides text. */
function besides(part: Row): string | readonly string[] {
  if (part.type === 'toolCall') return `(calls ${String(part.name)})`;
  if (part.type !== 'attachment') return [];
  const bytes = numberOf(part.bytes);
  const about = [textOf(part.name) ?? '?', textOf(part.mimeType) ?? '?', bytes === null ? '?' : renderBytes(bytes)];
  return `(attachment ${about.join(', ')})`;
}

function seqOf(message: Row): number {
  return numberOf(recordOf(message.__openclaw).seq) ?? 0;
}
