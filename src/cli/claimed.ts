import { claimText } from '../system/text.ts';
import { textOf } from './value.ts';

type Row = Readonly<Record<string, unknown>>;

/** Names are claims (A15): quoted, escaped, at most 64 characters. */
export function nameOf(row: Row): string {
  const name = textOf(row.displayName);
  return name === null ? 'no name' : `"${[...claimText(name)].slice(0, 64).join('')}"`;
}

/** What it says that it is: `cli 2026.3.13, linux`. */
export function kindOf({ clientId, clientVersion, clientMode, platform }: Row): string {
  const words = new Set([clientId, clientMode, platform].flatMap((word) => textOf(word) ?? []).map(claimText));
  const [first = 'kind unknown', ...rest] = words;
  const version = textOf(clientVersion);
  return [version === null ? first : `${first} ${claimText(version)}`, ...rest].join(', ');
}
