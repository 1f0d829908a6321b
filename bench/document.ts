// bench/RESULTS.md has two writers. Each replaces its own part and leaves the other's as it is.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** The second part begins with this line and goes on to the end; everything before it is the first. */
const SECOND = '## Beside OpenClaw';

export interface Parts {
  /** Beside the raw limits: with the title of the document. */
  readonly limits: string;
  /** Beside OpenClaw: begins with its own heading; `''`: it was never measured. */
  readonly openclaw: string;
}

export function partsOf(text: string): Parts {
  const at = text.startsWith(`${SECOND}\n`) ? 0 : text.indexOf(`\n${SECOND}\n`) + 1;
  if (at === 0 && !text.startsWith(SECOND)) return { limits: text, openclaw: '' };
  return { limits: text.slice(0, at), openclaw: text.slice(at) };
}

export function documentOf({ limits, openclaw }: Parts): string {
  return [limits.trimEnd(), openclaw.trimEnd()]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

/** Writes one part anew. */
export function replacePart(path: string, part: Partial<Parts>): void {
  const old = partsOf(existsSync(path) ? readFileSync(path, 'utf8') : '');
  writeFileSync(path, documentOf({ ...old, ...part }));
}

/** The second part. @param lines without its heading */
export function besideOpenClaw(lines: readonly string[]): string {
  return [SECOND, '', ...lines].join('\n');
}
