import type { Clock } from './clock.ts';
import { Redactor } from './redact.ts';
import { claimText, escapeText } from './text.ts';

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** What a client says about itself: at most 256 bytes of it are logged, escaped, and marked as its words. */
export class Claim {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Marks a text as a client's (`null` stays nothing). */
export function claimed(text: string | null | undefined): Claim | undefined {
  return text == null ? undefined : new Claim(text);
}

export type Fields = Readonly<Record<string, unknown>>;

/** Where finished lines go. Never throws. */
export interface LogSink {
  readonly level: Level;
  write(entry: Entry): void;
  /** Everything is out when it returns. */
  flush(): void;
}

/** A line, already redacted, escaped and cut. */
export interface Entry {
  readonly at: number;
  readonly level: Level;
  readonly part: string;
  readonly message: string;
  /** What clients say of themselves stands together under `claimed`, by its field's name, and nowhere else. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Log {
  trace(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /**
   * A16: at most one line a minute for `key`; the next one says by `repeated` how many were left out. At most 1,000
   * keys are remembered, so `key` may come from outside.
   */
  onceAMinute(key: string, level: Level, message: string, fields?: Fields): void;
  /** The same log, for a part of the program. */
  child(part: string): Log;
  /** Registers a secret: it is in no line from now on. Call before anything that could name it. */
  hide(secret: string | null | undefined): void;
  /** A text without those, and without what looks like one. */
  clean(text: string): string;
  flush(): void;
}

const MINUTE_MS = 60_000;
const KEYS_MAX = 1_000;
/** A field of our own may be longer than a client's, but a line stays a line. */
const TEXT_MAX = 4_096;
const DEPTH_MAX = 5;
const ITEMS_MAX = 50;
/** Of a whole line: what lists and depth could still add up to. Whoever reads the log can count on it. */
const LINE_MAX = 32_768;

/** What a log and its children share. */
interface Shared {
  readonly clock: Clock;
  readonly sinks: readonly LogSink[];
  readonly redactor: Redactor;
  readonly seen: Map<string, { sinceMs: number; leftOut: number }>;
}

export function createLog(options: {
  readonly clock: Clock;
  readonly sinks: readonly LogSink[];
  readonly redactor?: Redactor;
}): Log {
  return new SinkLog('gateway', {
    clock: options.clock,
    sinks: options.sinks,
    redactor: options.redactor ?? new Redactor(),
    seen: new Map(),
  });
}

class SinkLog implements Log {
  readonly #part: string;
  readonly #shared: Shared;

  constructor(part: string, shared: Shared) {
    this.#part = part;
    this.#shared = shared;
  }

  trace(message: string, fields: Fields = {}): void {
    this.#line('trace', message, fields);
  }
  debug(message: string, fields: Fields = {}): void {
    this.#line('debug', message, fields);
  }
  info(message: string, fields: Fields = {}): void {
    this.#line('info', message, fields);
  }
  warn(message: string, fields: Fields = {}): void {
    this.#line('warn', message, fields);
  }
  error(message: string, fields: Fields = {}): void {
    this.#line('error', message, fields);
  }

  onceAMinute(key: string, level: Level, message: string, fields: Fields = {}): void {
    const { seen, clock } = this.#shared;
    const nowMs = clock.monotonicMs();
    const last = seen.get(key);
    if (last !== undefined && nowMs - last.sinceMs < MINUTE_MS) {
      last.leftOut += 1;
      return;
    }
    seen.delete(key);
    seen.set(key, { sinceMs: nowMs, leftOut: 0 });
    if (seen.size > KEYS_MAX) {
      const oldest = seen.keys().next().value;
      if (oldest !== undefined) seen.delete(oldest);
    }
    this.#line(level, message, last?.leftOut ? { ...fields, repeated: last.leftOut } : fields);
  }

  child(part: string): Log {
    return new SinkLog(part, this.#shared);
  }

  hide(secret: string | null | undefined): void {
    this.#shared.redactor.add(secret);
  }

  clean(text: string): string {
    return this.#shared.redactor.text(text);
  }

  flush(): void {
    for (const sink of this.#shared.sinks) sink.flush();
  }

  #line(level: Level, message: string, fields: Fields): void {
    const { sinks, clock, redactor } = this.#shared;
    const rank = LEVELS.indexOf(level);
    const open = sinks.filter((sink) => rank >= LEVELS.indexOf(sink.level));
    if (open.length === 0) return;
    const clean: Record<string, unknown> = {};
    const claims: Record<string, string> = {};
    for (const [name, value] of Object.entries(fields)) {
      const safe = cleanValue({ redactor, claims }, name, name, value, 0);
      if (safe !== undefined && name !== 'claimed') clean[name] = safe;
    }
    const said = Object.keys(claims).length === 0 ? clean : { ...clean, claimed: claims };
    const text = cut(escapeText(redactor.text(message.slice(0, 4 * TEXT_MAX))));
    const entry: Entry = { at: clock.now(), level, part: this.#part, message: text, fields: bounded(said) };
    for (const sink of open) sink.write(entry);
  }
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…[+${text.length - TEXT_MAX}]` : text;
}

/** The fields, or that they were too many. */
function bounded(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const size = JSON.stringify(fields).length;
  return size <= LINE_MAX ? fields : { tooLong: size, fields: Object.keys(fields).slice(0, ITEMS_MAX) };
}

interface Washing {
  readonly redactor: Redactor;
  /** What clients said, taken out of the fields, by the path of the field: `client`, `headers.origin`. */
  readonly claims: Record<string, string>;
}

/** A value as it may stand in a line. Redaction comes before cutting: half a secret is one too. */
function cleanValue(washing: Washing, path: string, name: string, value: unknown, depth: number): unknown {
  const { redactor, claims } = washing;
  const again = (key: string, below: unknown) => cleanValue(washing, `${path}.${key}`, key, below, depth + 1);
  switch (typeof value) {
    case 'string':
      return cut(escapeText(redactor.field(name, value.slice(0, 4 * TEXT_MAX))));
    case 'bigint':
      return value.toString();
    case 'number':
    case 'boolean':
      return value;
    case 'object':
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (value instanceof Claim) {
    claims[claimText(path)] = claimText(redactor.field(name, value.text.slice(0, TEXT_MAX)));
    return undefined;
  }
  if (depth >= DEPTH_MAX) return '…';
  if (value instanceof Error) return again(name, errorFields(value));
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) {
    const items = value
      .slice(0, ITEMS_MAX)
      .map((item, at) => cleanValue(washing, `${path}.${at}`, name, item, depth + 1))
      .filter((item) => item !== undefined);
    return value.length > ITEMS_MAX ? [...items, `…[+${value.length - ITEMS_MAX}]`] : items;
  }
  const entries = Object.entries(value).slice(0, ITEMS_MAX);
  return Object.fromEntries(entries.map(([key, below]) => [claimText(key), again(key, below)]));
}

function errorFields(error: Error): Record<string, unknown> {
  const stack = (error.stack ?? '').split('\n').slice(1, 9);
  return {
    name: error.name,
    text: error.message,
    ...('code' in error ? { code: error.code } : {}),
    at: stack.map((line) => line.trim()),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  };
}

/**
 * One JSON object: `{"time": ISO time, "level", "subsystem", "message", …fields, "claimed"?: {…}}`: the first four by the
 * names that OpenClaw's `logs` reads.
 */
export function renderJson(entry: Entry): string {
  const { at, level, part, message, fields } = entry;
  return JSON.stringify({ time: new Date(at).toISOString(), level, subsystem: part, message, ...fields });
}

const COLOUR: Readonly<Record<Level, string>> = { trace: '90', debug: '90', info: '36', warn: '33', error: '31' };

/** One line for a person: local time, level, part, message, `name=value`. */
export function renderPretty(entry: Entry, colour: boolean): string {
  const time = new Date(entry.at).toTimeString().slice(0, 8);
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const { claimed: said, ...own } = entry.fields;
  const claims = typeof said === 'object' && said !== null ? Object.entries(said) : [];
  // What a client says is quoted, whatever it looks like: it can't pass for a field of ours.
  const fields = [
    ...Object.entries(own).map(([name, value]) => {
      const text = typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
      return ` ${paint('90', `${name}=`)}${text}`;
    }),
    ...claims.map(([name, value]) => ` ${paint('90', `claimed.${name}=`)}${JSON.stringify(value)}`),
  ];
  const level = paint(COLOUR[entry.level], entry.level.toUpperCase().padEnd(5));
  return `${paint('90', time)} ${level} ${entry.part}: ${entry.message}${fields.join('')}`;
}
