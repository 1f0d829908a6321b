import type { Command } from 'commander';

/** What can stand on the command line, told by where on it. */
export interface Words {
  /** The commands that lead there: `devices approve`; empty: none yet. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly OptionWord[];
  /** What its first argument can be, where that is known. */
  readonly arguments: readonly string[];
}

interface Word {
  readonly name: string;
  /** One line, no control characters: it comes from the catalog. */
  readonly summary: string;
}

export interface OptionWord {
  /** `--json`; and `-v` where there is one. */
  readonly long: string;
  readonly short: string | null;
  readonly summary: string;
  /** What stands behind it; `null`: nothing. */
  readonly value: 'file' | 'directory' | 'text' | null;
  /** What the value can be, where that is known. */
  readonly choices: readonly string[];
}

/**
 * Every place on the command line, the first of them the beginning. Options of the program hold everywhere.
 * @param keys of the configuration
 */
export function wordsOf(program: Command, keys: readonly string[]): readonly Words[] {
  const everywhere = optionsOf(program);
  const at = (command: Command, path: string): Words[] => [
    {
      path,
      commands: command.commands.map((below) => ({ name: below.name(), summary: below.description() })),
      options: command === program ? everywhere : [...optionsOf(command), ...everywhere],
      arguments:
        command.registeredArguments[0]?.name() === 'key' ? keys : (command.registeredArguments[0]?.argChoices ?? []),
    },
    ...command.commands.flatMap((below) => at(below, path === '' ? below.name() : `${path} ${below.name()}`)),
  ];
  return at(program, '');
}

const HELP: OptionWord = {
  long: '--help',
  short: '-h',
  summary: 'what it does, with an example',
  value: null,
  choices: [],
};

function optionsOf(command: Command): readonly OptionWord[] {
  const own = command.options.flatMap(({ long, short, description, required, optional, argChoices }) =>
    long == null
      ? []
      : [
          {
            long,
            short: short ?? null,
            summary: description,
            value: valueKind(long, required || optional),
            choices: argChoices ?? [],
          },
        ],
  );
  return command.parent === null ? [...own, HELP] : own;
}

function valueKind(long: string, takesOne: boolean): OptionWord['value'] {
  if (!takesOne) return null;
  return /-dir$/.test(long) ? 'directory' : /-file$/.test(long) ? 'file' : 'text';
}

/** All options of all places that take a value, each once. */
export function valued(places: readonly Words[]): readonly OptionWord[] {
  const found = new Map<string, OptionWord>();
  for (const { options } of places) for (const o of options) if (o.value !== null) found.set(o.long, o);
  return [...found.values()];
}

/** Those of them whose values are known. */
export const chosen = (places: readonly Words[]): readonly OptionWord[] =>
  valued(places).filter(({ choices }) => choices.length > 0);

/** As a word between single quotes of a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
