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
