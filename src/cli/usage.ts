import type { Command } from 'commander';
import { EXIT, type ExitCode, Failure } from '../system/failure.ts';
import { isNpmStart } from '../system/process.ts';
import { nearest, shellWord } from '../system/text.ts';
import type { Host } from './context.ts';

type Answer =
  | { readonly kind: 'text'; readonly text: string; readonly code: ExitCode }
  | { readonly kind: 'failure'; readonly failure: Failure };

/** What the parser's exception means: help that was asked for, or a command line that can't be understood. */
export function usageAnswer(
  error: Error & { code: string },
  program: Command,
  { argv, env }: Pick<Host, 'argv' | 'env'>,
): Answer {
  const at = commandAt(program, argv);
  switch (error.code) {
    case 'commander.version':
      return { kind: 'text', text: `${program.version()}\n`, code: EXIT.ok };
    case 'commander.helpDisplayed':
      return { kind: 'text', text: at.helpInformation(), code: EXIT.ok };
    case 'commander.help':
      return (
        helpAnswer(program, argv) ??
        // A group of commands without the one that is meant.
        ({ kind: 'text', text: at.helpInformation(), code: EXIT.usage } as const)
      );
    default:
      return { kind: 'failure', failure: misunderstood(error, at, argv, isNpmStart(env)) };
  }
}

/** `help`, `help status`, `devices help approve`; `null`: the line has no such word. */
function helpAnswer(program: Command, argv: readonly string[]): Answer | null {
  const words = argv.filter((word) => !word.startsWith('-'));
  const place = words.indexOf('help');
  if (place === -1) return null;
  let at = commandAt(program, words.slice(0, place));
  for (const word of words.slice(place + 1)) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) return { kind: 'failure', failure: unknownTopic(word, at) };
    at = next;
  }
  return { kind: 'text', text: at.helpInformation(), code: EXIT.ok };
}

function unknownTopic(word: string, at: Command): Failure {
  const near = nearest(
    word,
    at.commands.map((command) => command.name()),
  );
  return new Failure(EXIT.usage, {
    what: `there is no help on '${word}'`,
    why: near === null ? `${pathOf(at)} has no such command` : `did you mean ${near}?`,
    run: `${pathOf(at)}${near === null ? '' : ` ${near}`} --help`,
  });
}

function misunderstood(error: Error & { code: string }, at: Command, argv: readonly string[], isNpm: boolean): Failure {
  const [first = ''] = error.message.replace(/^error: /, '').split('\n');
  // The parser says what and why in one line: `option '--for <duration>' argument '3x' is invalid. A duration is …`.
  const [what = first, ...rest] = first.split(/(?<=[a-z'])\. (?=[A-Z])/);
  const line = pathOf(at);
  const word = /'([^']*)'/.exec(first)?.[1] ?? '';
  const known =
    error.code === 'commander.unknownOption'
      ? optionsOf(at)
      : error.code === 'commander.unknownCommand'
        ? at.commands.map((command) => command.name())
        : [];
  const near = nearest(word.split('=')[0] ?? '', known);
  if (error.code === 'commander.unknownCommand' && at.parent === null && word === 'version') {
    return new Failure(EXIT.usage, { what, why: 'the version is asked by an option', run: `${line} --version` });
  }
  // `npx --no latchkey --url …`: without `--` npx keeps the options to itself, and hands on their values.
  if (error.code === 'commander.unknownCommand' && argv[0] === word && /^wss?:\/\//.test(word)) {
    return new Failure(EXIT.usage, {
      what: `a gateway's address stands where a command is expected`,
      why: 'the option --url before it is missing; npx keeps options to itself unless -- stands before latchkey',
      // The other words may be values too, of --token for one.
      run: `npx --no -- latchkey --url ${shellWord(word)} status`,
    });
  }
  const said = rest.length > 0 ? rest.join('. ') : (WHY[error.code] ?? `it is used so: ${line} ${at.usage()}`);
  return new Failure(EXIT.usage, {
    what,
    why: near !== null ? `did you mean ${near}?` : said,
    run: near !== null ? corrected(argv, word, near, isNpm) : missingOf(error, at, word, first),
  });
}

/** The line as it was meant. What may be a secret is not repeated: then its help has to do. */
function corrected(argv: readonly string[], word: string, near: string, isNpm: boolean): string {
  const [name = '', ...value] = word.split('=');
  const right = [near, ...value].join('=');
  const words = argv.map((given) => (given === word || given === name ? right : given));
  const isOpen = !argv.some((given) => /^--(token|password|setup-code|params|value)/.test(given));
  // What `npm start` adds itself was not typed.
  if (isOpen && isNpm && words[0] === 'gateway' && words[1] === 'run') {
    return `npm start -- ${words.slice(2).map(shellWord).join(' ')}`;
  }
  return isOpen ? `latchkey ${words.map(shellWord).join(' ')}` : `latchkey --help`;
}

/** Where one of its arguments is missing: what shows what it could be. */
function missingOf(error: Error & { code: string }, at: Command, word: string, said: string): string {
  if (error.code === 'commander.missingArgument' && word === 'request') return 'latchkey devices list';
  if (error.code === 'commander.missingArgument' && word === 'key') {
    // Of a session, or of the configuration.
    return at.parent?.name() === 'sessions' ? 'latchkey sessions list' : 'latchkey config schema';
  }
  return `${pathOf(owning(/option '([^']+)'/.exec(said)?.[1], at))} --help`;
}

/** Whose help names the option that is used wrongly: that of every command stands in the program's own. */
function owning(flags: string | undefined, at: Command): Command {
  const isOwn = flags === undefined || at.options.some((option) => option.flags === flags);
  return isOwn || at.parent === null ? at : owning(flags, at.parent);
}

/** Where the parser's own line doesn't say it. */
const WHY: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'there is no such option',
  'commander.unknownCommand': 'there is no such command',
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
