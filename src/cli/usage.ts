import type { Command } from 'commander';
import { EXIT, type ExitCode, Failure } from '../system/failure.ts';
import { nearest } from '../system/text.ts';

type Answer =
  | { readonly kind: 'text'; readonly text: string; readonly code: ExitCode }
  | { readonly kind: 'failure'; readonly failure: Failure };

/** What the parser's exception means: help that was asked for, or a command line that can't be understood. */
export function usageAnswer(error: Error & { code: string }, program: Command, argv: readonly string[]): Answer {
  const at = commandAt(program, argv);
  switch (error.code) {
    case 'commander.version':
      return { kind: 'text', text: `${program.version()}\n`, code: EXIT.ok };
    case 'commander.helpDisplayed':
      return { kind: 'text', text: at.helpInformation(), code: EXIT.ok };
    case 'commander.help':
      // A group of commands without the one that is meant.
      return { kind: 'text', text: at.helpInformation(), code: EXIT.usage };
    default:
      return { kind: 'failure', failure: misunderstood(error, at) };
  }
}

function misunderstood(error: Error & { code: string }, at: Command): Failure {
  const [first = ''] = error.message.replace(/^error: /, '').split('\n');
  // The parser says what and why in one line: `option '--for <duration>' argument '3x' is invalid. A duration is …`.
  const [what = first, ...rest] = first.split(/(?<=[a-z])\. (?=[A-Z])/);
  const line = pathOf(at);
  const word = /'([^']*)'/.exec(first)?.[1] ?? '';
  const known =
    error.code === 'commander.unknownOption'
      ? optionsOf(at)
      : error.code === 'commander.unknownCommand'
        ? at.commands.map((command) => command.name())
        : [];
  const near = nearest(word.split('=')[0] ?? '', known);
  return new Failure(EXIT.usage, {
    what,
    why:
      near !== null ? `did you mean ${near}?` : rest.length > 0 ? rest.join('. ') : (WHY[error.code] ?? 'see its help'),
    run: near !== null && error.code === 'commander.unknownCommand' ? `${line} ${near}` : `${line} --help`,
  });
}

/** Where the parser's own line doesn't say it. */
const WHY: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'there is no such option',
  'commander.unknownCommand': 'there is no such command',
  'commander.excessArguments': 'it takes fewer arguments',
  'commander.missingArgument': 'it acts on nothing by default',
  'commander.optionMissingArgument': 'the option needs a value',
  'commander.missingMandatoryOptionValue': 'the option has to be given',
};

function optionsOf(command: Command): readonly string[] {
  const own = command.options.flatMap((option) => [option.long, option.short]).filter((name) => name != null);
  return command.parent === null ? [...own, '--help'] : [...own, ...optionsOf(command.parent)];
}

/** The command that the words of the line lead to. */
function commandAt(program: Command, argv: readonly string[]): Command {
  let at = program;
  for (const word of argv) {
    const next = at.commands.find((command) => command.name() === word);
    if (next !== undefined) at = next;
  }
  return at;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
