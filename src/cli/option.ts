import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from './duration.ts';

/** As in system/log.ts, which a command line that logs nothing need not load. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

/** Readers of options that several commands take. Each refuses what it can't read, in the parser's own words. */

export const duration = (text: string): number => {
  const size = parseDuration(text);
  if (size === null)
    throw new InvalidArgumentError('A duration is a whole number and a unit: 500ms, 30s, 10m, 12h, 7d.');
  return size;
};

export const port = (text: string): number => {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (number < 0 || number > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return number;
};

/** What is given to take away what an agent has of its own. */
export const DEFAULT = 'default';

/** `DEFAULT`: as all agents are bounded. (The parser takes `null` for an option without its value.) */
export const dollars = (text: string): number | typeof DEFAULT => {
  if (text === DEFAULT) return DEFAULT;
  const number = /^\d{1,7}(\.\d{1,6})?$/.test(text) ? Number(text) : -1;
  if (number < 0 || number > 1_000_000) {
    throw new InvalidArgumentError('US dollars are a number such as 1 or 0.50, at most 1000000; or default.');
  }
  return number;
};

/** As `dollars`. */
export const tokens = (text: string): number | typeof DEFAULT => {
  if (text === DEFAULT) return DEFAULT;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new InvalidArgumentError('Tokens are a whole number, 1 or more; or default.');
  return number;
};

export const address = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (!isPlain || !/^(wss?|https?):$/.test(url.protocol)) {
    throw new InvalidArgumentError('An address is wss://host:port, and nothing behind it.');
  }
  return text;
};

/** Several, by repeating the option or with commas between. */
export const names = (text: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  ...text.split(',').filter((name) => name !== ''),
];

export const scopes = (command: Command, what: string) => command.option('--scope <scope>', what, names);
export const device = (command: Command) =>
  command.option('--device <device>', 'the device, where it is not the first argument');
export const role = (command: Command) =>
  command.addOption(new Option('--role <role>', 'operator or node').choices(['operator', 'node']).default('operator'));
export const level = (command: Command) =>
  command.addOption(
    new Option('--level <level>', 'this level and above: trace, debug, info, warn, error').choices(LEVELS),
  );
