// The frames of one check, in order, for whoever has to see what happened.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Trace } from '../partner/websocket.ts';

/** The newest lines that are kept, and the characters of each. */
const LINES_MAX = 4_000;
const TEXT_MAX = 2_000;

export class FrameLog {
  readonly #lines: string[] = [];
  readonly #secrets: readonly string[];
  #sockets = 0;
  #dropped = 0;
  #beganMs = performance.now();

  /** @param secrets never written down */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.filter((secret) => secret.length > 0);
  }

  /** Takes the lines of one more connection. */
  connection(): Trace {
    this.#sockets += 1;
    const name = `#${this.#sockets}`;
    return (direction, what) => this.add(`${name} ${direction === 'sent' ? '>>' : '<<'} ${what}`);
  }

  add(text: string): void {
    let line = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (${text.length} characters)` : text;
    for (const secret of this.#secrets) line = line.replaceAll(secret, '[secret]');
    this.#lines.push(`${(performance.now() - this.#beganMs).toFixed(1)} ms ${line}`);
    if (this.#lines.length <= LINES_MAX) return;
    this.#lines.shift();
    this.#dropped += 1;
  }

  clear(): void {
    this.#lines.length = 0;
    this.#dropped = 0;
    this.#sockets = 0;
    this.#beganMs = performance.now();
  }

  /** Returns the path of the file, readable for this user alone. */
  write(folder: string, name: string, head: readonly string[]): string {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${name.replace(/[^A-Za-z0-9.]+/g, '-')}.log`);
    const dropped = this.#dropped === 0 ? [] : [`(${this.#dropped} older lines were dropped)`];
    writeFileSync(path, `${[...head, '', ...dropped, ...this.#lines].join('\n')}\n`, { mode: 0o600 });
    return path;
  }
}
