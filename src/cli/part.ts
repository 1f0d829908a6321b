import { claimText, escapeText, truncateBytes } from '../system/text.ts';
import { hung } from './margin.ts';
import type { Paint } from './output.ts';
import { remedyText } from './remedy.ts';

/** One thing that was looked at. */
export interface Part {
  readonly part: string;
  /** `unseen`: it can't be looked at from here, or this caller may not. */
  readonly state: 'ok' | 'warn' | 'fail' | 'unseen';
  readonly detail: string;
  /** What a person can do about it; absent: nothing is to be done. */
  readonly run?: string;
}

export const ok = (part: string, detail: string): Part => ({ part, state: 'ok', detail });
export const warn = (part: string, detail: string, run: string): Part => ({ part, state: 'warn', detail, run });
export const fail = (part: string, detail: string, run: string): Part => ({ part, state: 'fail', detail, run });
export const unseen = (part: string, detail: string): Part => ({ part, state: 'unseen', detail });

const STYLE = { ok: 'green', warn: 'yellow', fail: 'red', unseen: 'dim' } as const;
const WORD = { ok: 'ok', warn: 'warn', fail: 'FAIL', unseen: '-' } as const;

/** Nothing that is said of a part is longer: it may be somebody else's words. */
const DETAIL_BYTES = 4_096;

/** One line each, whatever a gateway sent, and below what is wrong what to run. `width`: columns of the terminal, if it is one. */
export function renderParts(parts: readonly Part[], paint: Paint, width?: number | null): string {
  return parts
    .map(({ part, state, detail, run }) => {
      const word = WORD[state].padEnd(6);
      const plain = `${word}${claimText(part).padEnd(16)}${escapeText(truncateBytes(detail, DETAIL_BYTES))}`;
      const line = `${paint(STYLE[state], word)}${hung(plain, 20, width).slice(word.length)}\n`;
      return run === undefined ? line : `${line}${remedyText(run, 22)}\n`;
    })
    .join('');
}

/** Nothing failed. What could not be looked at has not failed. */
export function isSound(parts: readonly Part[]): boolean {
  return parts.every(({ state }) => state !== 'fail');
}

/** A size as people say it. */
export function renderBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1_024 && unit < units.length - 1) {
    size /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
