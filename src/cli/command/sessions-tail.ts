import { EXIT } from '../../system/failure.ts';
import { escapeLines, escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { painter } from '../output.ts';
import { type Call, withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';
import { countOf, timeOf } from './sessions.ts';

type Row = Readonly<Record<string, unknown>>;

const LIMIT = 20;
/** Of one look while it follows: what comes faster than this is looked at again at once. */
const FOLLOW_LIMIT = 200;
const POLL_MS = 1_000;

/** `latchkey sessions tail [KEY] [--follow]`: with `--json` one object a line, the last with `"done": true`. */
export async function tail(context: Context, [key = 'main']: readonly string[], options: Row): Promise<number> {
  const limit = countOf(context, options.limit, LIMIT);
  const shown = new Shown(context);
  let isOver = options.follow !== true;
  const stop = () => {
    isOver = true;
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    await withGateway(context, async (call) => {
      shown.take(await page(call, key, limit));
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
  #conversation: string | null = null;
  #seq = 0;
  #count = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  take(answer: Row): void {
    const conversation = textOf(answer.sessionId);
    // A reset begins another one, whose numbers begin again.
    if (conversation !== this.#conversation) this.#seq = 0;
    this.#conversation = conversation;
    const fresh = recordsOf(answer.messages).filter((message) => seqOf(message) > this.#seq);
    for (const message of fresh) this.#print(message);
    this.#seq = fresh.reduce((last, message) => Math.max(last, seqOf(message)), this.#seq);
    this.#count += fresh.length;
  }

  #print(message: Row): void {
    const { output, globals } = this.#context;
    if (globals.json === true) return output.out(`${JSON.stringify(message)}\n`);
    const paint = painter(output.colour);
    const text = recordsOf(message.content)
      .flatMap((part) => textOf(part.text) ?? (part.type === 'toolCall' ? `(calls ${String(part.name)})` : []))
      .join('\n')
      .split('\n')
      // Nothing within a message stands where the head of one stands, or looks like it: it could pretend to be another.
      .map((line) => `  ${escapeLines(line)}`)
      .join('\n');
    const from = textOf(recordOf(message.__openclaw).senderId) ?? textOf(message.toolName);
    const who = escapeText(`${textOf(message.role) ?? '?'}${from === null ? '' : ` ${from}`}`);
    output.out(`${paint('dim', timeOf(message.timestamp))} ${paint('bold', who)}\n${text}\n\n`);
  }

  end(): void {
    if (this.#context.globals.json === true)
      this.#context.output.out(`${JSON.stringify({ done: true, messages: this.#count })}\n`);
  }
}

function seqOf(message: Row): number {
  return numberOf(recordOf(message.__openclaw).seq) ?? 0;
}
