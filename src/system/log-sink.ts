import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { codeOf } from './failure.ts';
import { type Entry, type Level, type LogSink, renderJson, renderPretty } from './log.ts';

/** Lines for standard error: for people on a terminal, JSON for a service log. */
export function consoleSink(options: {
  readonly level: Level;
  readonly style: 'pretty' | 'json';
  readonly colour: boolean;
  readonly write?: (text: string) => void;
}): LogSink {
  const write = options.write ?? ((text) => void process.stderr.write(text));
  const render = (entry: Entry) => (options.style === 'json' ? renderJson(entry) : renderPretty(entry, options.colour));
  return {
    level: options.level,
    write(entry) {
      try {
        write(`${render(entry)}\n`);
      } catch {
        // Nobody reads standard error any more; the file still has the line.
      }
    },
    flush() {},
  };
}

export interface FileSinkOptions {
  readonly level: Level;
  /** `…/gateway.jsonl`; older ones beside it as `gateway.1.jsonl` (newest) to `gateway.<keep>.jsonl`. */
  readonly path: string;
  readonly maxBytes: number;
  readonly keep: number;
}

/**
 * JSON lines in a file that never outgrows `maxBytes` by more than one line; at most `keep` older ones stay. Lines of
 * one turn of the event loop are written together; warnings, errors and `flush` write at once. A full disk loses lines,
 * never the process: how many stands in the next line that could be written.
 */
export class FileSink implements LogSink {
  readonly level: Level;
  readonly #options: FileSinkOptions;
  #file: number | null = null;
  #bytes = 0;
  #waiting: string[] = [];
  #lost = 0;
  #timer: NodeJS.Immediate | null = null;
  readonly #onExit = () => this.flush();

  constructor(options: FileSinkOptions) {
    this.level = options.level;
    this.#options = options;
    process.on('exit', this.#onExit);
  }

  write(entry: Entry): void {
    this.#waiting.push(`${renderJson(entry)}\n`);
    if (entry.level === 'warn' || entry.level === 'error') this.flush();
    else this.#timer ??= setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#timer !== null) clearImmediate(this.#timer);
    this.#timer = null;
    const lines = this.#waiting;
    this.#waiting = [];
    for (const line of lines) this.#put(line);
  }

  close(): void {
    this.flush();
    process.off('exit', this.#onExit);
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #put(line: string): void {
    try {
      const size = Buffer.byteLength(line);
      this.#file ??= this.#open();
      if (this.#bytes > 0 && this.#bytes + size > this.#options.maxBytes) {
        this.#rotate();
        this.#file = this.#open();
      }
      if (this.#lost > 0) {
        // `{"time":"…"` of the line itself: it was lost until then.
        const at = line.slice(0, line.indexOf(','));
        this.#bytes += writeSync(
          this.#file,
          `${at},"level":"warn","subsystem":"log","message":"lines lost","lost":${this.#lost}}\n`,
        );
        this.#lost = 0;
      }
      this.#bytes += writeSync(this.#file, line);
    } catch {
      this.#lost += 1;
    }
  }

  #open(): number {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    const file = openSync(this.#options.path, flags, 0o600);
    this.#bytes = fstatSync(file).size;
    return file;
  }

  #rotate(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    this.#bytes = 0;
    const stem = this.#options.path.replace(/\.jsonl$/, '');
    for (let n = this.#options.keep; n >= 1; n -= 1) {
      const from = n === 1 ? this.#options.path : `${stem}.${n - 1}.jsonl`;
      try {
        // The oldest is replaced by the one before it.
        renameSync(from, `${stem}.${n}.jsonl`);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
  }
}
