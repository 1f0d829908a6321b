import { join } from 'node:path';
import { EXIT, Failure, isFailure } from '../../system/failure.ts';
import { type Entry, LEVELS, type Level, renderPretty } from '../../system/log.ts';
import { readLog } from '../../system/log-read.ts';
import { escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { type Call, withGateway } from '../reach.ts';
import { type GatewayDown, isBusy, isDown } from '../unanswered.ts';
import { isRecord, numberOf, recordOf, textOf, textsOf } from '../value.ts';

const LIMIT = 200;
const LIMIT_MAX = 5_000;
/** Of one answer: what is looked through for lines that fit. */
const BYTES_MAX = 1_000_000;
const POLL_MS = 1_000;

interface Wanted {
  readonly limit: number;
  readonly level: Level | null;
  /** A plain part of the line: no pattern, so nothing that could take long to match. */
  readonly grep: string | null;
}

/** One answer, from the gateway or from the files: their cursors are the same. */
interface Chunk {
  readonly lines: readonly string[];
  readonly cursor: number;
  readonly truncated: boolean;
  readonly reset: boolean;
}

/**
 * `latchkey logs [--follow] [--level] [--grep] [--limit]`: over RPC, or from the files when the gateway is down. With
 * `--json` one object a line, the last with `"done": true`. Writes nothing (A6).
 */
export async function logs(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const wanted = wantedOf(context, options);
  const shown = new Shown(context, wanted);
  if (options.follow === true) await follow(context, wanted, shown);
  else shown.take(await once(context, wanted));
  shown.end();
  return EXIT.ok;
}

function wantedOf(context: Context, { level, grep, limit }: Readonly<Record<string, unknown>>): Wanted {
  const usage = (what: string, why: string) =>
    new Failure(EXIT.usage, { what, why, run: `${context.command} logs --level warn --limit 50` });
  const rank = LEVELS.find((known) => known === level);
  if (level !== undefined && rank === undefined)
    throw usage("--level can't be used", `it is one of ${LEVELS.join(', ')}`);
  const lines = limit === undefined ? LIMIT : /^\d{1,4}$/.test(String(limit)) ? Number(limit) : 0;
  if (lines < 1 || lines > LIMIT_MAX) throw usage("--limit can't be used", `it is a number from 1 to ${LIMIT_MAX}`);
  return { limit: lines, level: rank ?? null, grep: typeof grep === 'string' ? grep : null };
}

/** What is asked for: with a filter, all that one answer holds, of which the newest that fit are shown. */
function askOf(wanted: Wanted, cursor: number | null) {
  const isFiltered = wanted.level !== null || wanted.grep !== null || cursor !== null;
  const limit = isFiltered ? LIMIT_MAX : wanted.limit;
  return { limit, maxBytes: BYTES_MAX, ...(cursor === null ? {} : { cursor }) };
}

async function once(context: Context, wanted: Wanted): Promise<Chunk> {
  try {
    return await withGateway(context, (call) => fromGateway(call, wanted, null));
  } catch (error) {
    if (!isDown(error)) throw error;
    return fromFiles(context, wanted, null, error);
  }
}

async function fromGateway(call: Call, wanted: Wanted, cursor: number | null): Promise<Chunk> {
  const answer = recordOf(await call('logs.tail', askOf(wanted, cursor)));
  return {
    lines: textsOf(answer.lines),
    cursor: numberOf(answer.cursor) ?? 0,
    truncated: answer.truncated === true,
    reset: answer.reset === true,
  };
}

/** As the directory's owner, which `withGateway` made sure of before it said that nobody is there. */
async function fromFiles(context: Context, wanted: Wanted, cursor: number | null, down: GatewayDown): Promise<Chunk> {
  const file = join(context.state.path, 'logs', 'gateway.jsonl');
  const answer = await readLog(file, askOf(wanted, cursor));
  // Neither a gateway nor anything that one wrote.
  if (answer.size === 0 && answer.lines.length === 0 && cursor === null) throw down;
  return answer;
}

/** Polls until it is told to stop; a gateway that goes away or comes back changes where from, and loses no line. */
async function follow(context: Context, wanted: Wanted, shown: Shown): Promise<void> {
  const stop = new Stop(context);
  let cursor: number | null = null;
  const take = async (chunk: Chunk) => {
    shown.take(chunk, cursor === null ? wanted.limit : null);
    const more = cursor !== null && chunk.truncated;
    cursor = chunk.cursor;
    if (!more) await stop.wait(POLL_MS);
  };
  const isOver = () => stop.isDone || shown.isUnread;
  try {
    while (!isOver()) {
      try {
        await withGateway(context, async (call) => {
          while (!isOver()) {
            const chunk = await Promise.race([fromGateway(call, wanted, cursor), stop.told]);
            if (chunk !== null) await take(chunk);
          }
        });
      } catch (error) {
        if (isOver()) return;
        if (isDown(error)) await take(await fromFiles(context, wanted, cursor, error));
        else if (cursor !== null && passes(error)) await stop.wait(POLL_MS);
        else throw error;
      }
    }
  } finally {
    stop.forget();
  }
}

/** The connection was lost, or the gateway is busy: it is asked again. */
function passes(error: unknown): boolean {
  return isBusy(error) || (isFailure(error) && error.exitCode === EXIT.later);
}

/** Ctrl-C, or the end of a service: no failure, but the end of following. */
class Stop {
  readonly told: Promise<null>;
  isDone = false;
  readonly #context: Context;
  readonly #stop: () => void;

  constructor(context: Context) {
    this.#context = context;
    let tell: (nothing: null) => void = () => {};
    this.told = new Promise<null>((resolve) => {
      tell = resolve;
    });
    this.#stop = () => {
      this.isDone = true;
      tell(null);
    };
    for (const signal of SIGNALS) process.on(signal, this.#stop);
  }

  async wait(delayMs: number): Promise<void> {
    let cancel = () => {};
    const passed = new Promise<void>((resolve) => {
      cancel = this.#context.host.clock.after(delayMs, resolve);
    });
    await Promise.race([passed, this.told]);
    cancel();
  }

  forget(): void {
    for (const signal of SIGNALS) process.off(signal, this.#stop);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What was printed so far. */
class Shown {
  readonly #context: Context;
  readonly #wanted: Wanted;
  #count = 0;
  #reset = false;

  constructor(context: Context, wanted: Wanted) {
    this.#context = context;
    this.#wanted = wanted;
  }

  /** Nobody reads what is printed. */
  get isUnread(): boolean {
    return this.#context.output.isUnread === true;
  }

  /** @param limit the newest so many alone; `null`: all of them */
  take(chunk: Chunk, limit: number | null = this.#wanted.limit): void {
    if (chunk.reset) {
      this.#reset = true;
      this.#context.output.err('latchkey: the log was rotated away; some lines before these are not shown\n');
    }
    const fitting = chunk.lines.map(readLine).filter((line) => isWanted(line, this.#wanted));
    const newest = limit === null ? fitting : fitting.slice(-limit);
    this.#count += newest.length;
    const isJson = this.#context.globals.json === true;
    const { colour } = this.#context.output;
    const texts = newest.map((line) => (isJson ? line.json : renderLine(line, colour)));
    if (texts.length > 0) this.#context.output.out(`${texts.join('\n')}\n`);
  }

  end(): void {
    if (this.#context.globals.json !== true) return;
    const { count, reset } = { count: this.#count, reset: this.#reset };
    this.#context.output.out(`${JSON.stringify({ done: true, lines: count, ...(reset ? { reset } : {}) })}\n`);
  }
}

interface Line {
  readonly raw: string;
  /** `null`: not in the shape of this gateway's lines. */
  readonly entry: Entry | null;
  /** One object on one line, in which nothing acts on a terminal. */
  readonly json: string;
}

function readLine(raw: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    value = null;
  }
  if (!isRecord(value)) return { raw, entry: null, json: JSON.stringify({ text: escapeText(raw) }) };
  const { time, level, subsystem, message, ...fields } = value;
  const known = LEVELS.find((name) => name === level);
  // Within JSON text what escapeText makes of a character is that character's own escape.
  const json = escapeText(JSON.stringify(value));
  if (known === undefined || typeof time !== 'string') return { raw, entry: foreignEntry(value), json };
  const entry: Entry = {
    at: Date.parse(time),
    level: known,
    part: escapeText(textOf(subsystem) ?? '?'),
    message: escapeText(textOf(message) ?? ''),
    fields: safe(fields) as Entry['fields'],
  };
  return { raw, entry, json };
}

/** A line of OpenClaw's log: its parts stand under numbers, what it is about in the first of them. */
function foreignEntry({ _meta, time, ...parts }: Readonly<Record<string, unknown>>): Entry | null {
  const meta = recordOf(_meta);
  const named = textOf(meta.logLevelName)?.toLowerCase();
  const level = LEVELS.find((name) => name === (named === 'fatal' ? 'error' : named));
  const at = Date.parse(textOf(time) ?? textOf(meta.date) ?? '');
  if (level === undefined || Number.isNaN(at)) return null;
  const numbered = Object.keys(parts).flatMap((name) => (/^\d+$/.test(name) ? [parts[name]] : []));
  const texts = numbered.filter((part) => typeof part === 'string');
  const subsystem = /"(?:subsystem|module)":"([\w./:-]{1,64})"/.exec(texts[0] ?? '')?.[1];
  const message = texts.slice(subsystem === undefined ? 0 : 1).join(' ');
  return { at, level, part: subsystem ?? 'gateway', message: escapeText(message), fields: {} };
}

/** Every text in it escaped, however deep. */
function safe(value: unknown): unknown {
  if (typeof value === 'string') return escapeText(value);
  if (Array.isArray(value)) return value.map(safe);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, below]) => [escapeText(name), safe(below)]));
}

function renderLine(line: Line, colour: boolean): string {
  return line.entry === null ? escapeText(line.raw) : renderPretty(line.entry, colour);
}

function isWanted(line: Line, { level, grep }: Wanted): boolean {
  if (level !== null && (line.entry === null || LEVELS.indexOf(line.entry.level) < LEVELS.indexOf(level))) return false;
  return grep === null || line.raw.includes(grep) || renderLine(line, false).includes(grep);
}
