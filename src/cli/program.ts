import { Command } from 'commander';
import { EXIT, Failure } from '../system/failure.ts';
import { CATALOG } from './catalog/catalog.ts';
import type { CommandLiteral, Group } from './command.ts';
import { contextOf, type Globals, type Host } from './context.ts';
import { enter } from './enter.ts';
import { duration } from './option.ts';

/** The command line. `done` is told what the process exits with. */
export function buildProgram(host: Host, done: (code: number) => void): Command {
  const program = new Command(CATALOG.name)
    .description(CATALOG.summary)
    .usage('COMMAND [options]')
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .version(host.version, '-V, --version', 'print the version');
  globals(program);
  const run = (literal: CommandLiteral, command: Command) => async () => {
    const given = program.opts<Globals>();
    if (literal.here === true) refuseElsewhere(given, host, wordsOf(command));
    const { state } = contextOf(given, host);
    // Before this process becomes another user, who may not be able to read the program.
    const body = await literal.load();
    const exists = literal.stateless === true ? false : await enter(host, state.path);
    const context = contextOf(
      given,
      host,
      { ...literal, calls: callsOf(literal, command.opts()) },
      exists,
      wordsOf(command),
    );
    done(await body(context, command.args, command.opts()));
  };
  fill(program, CATALOG, run);
  return program;
}

/** What this run of it calls: nobody is asked for more than it needs. */
function callsOf({ calls, callsWith = {} }: CommandLiteral, options: Readonly<Record<string, unknown>>) {
  const more = Object.entries(callsWith).flatMap(([name, methods]) => (options[name] === undefined ? [] : methods));
  return [...calls, ...more];
}

/** @throws Failure 2 where another gateway is named for a command that is about this host */
function refuseElsewhere(given: Globals, host: Host, words: string): void {
  const { url, ...here } = given;
  if (url === undefined) return;
  throw new Failure(EXIT.usage, {
    what: `${words} is about this host alone`,
    why: '--url names another gateway, and nothing of it would be shown or changed',
    run: `${contextOf(here, host).command} ${words}`,
  });
}

/** `devices approve` */
function wordsOf(command: Command): string {
  const above = command.parent === null ? '' : wordsOf(command.parent);
  return command.parent === null ? '' : `${above} ${command.name()}`.trimStart();
}

type Run = (literal: CommandLiteral, command: Command) => () => Promise<void>;

function fill(parent: Command, group: Group, run: Run): void {
  for (const literal of group.commands) {
    const command = parent.command(literal.name).description(literal.summary).showHelpAfterError(false);
    const plain = command.helpInformation.bind(command);
    // The parser's own text after the help is left out where the help is asked for as text.
    command.helpInformation = () =>
      `${plain()}\nExample:\n  ${literal.example.line}\n\nOptions of every command: latchkey --help\n`;
    (literal.options?.(command) ?? command).action(run(literal, command));
  }
  for (const below of group.groups ?? []) fill(parent.command(below.name).description(below.summary), below, run);
}

/** Taken by every command, before or after its name. */
function globals(program: Command): void {
  program
    .option('--profile <name>', 'state in ~/.latchkey-NAME')
    .option('--state-dir <dir>', 'state in DIR')
    .option('--json', 'one JSON document on standard output')
    .option('--url <url>', 'another gateway: wss://host:port')
    .option('--token <token>', "that gateway's shared secret; - reads it from standard input")
    .option('--token-file <file>', 'the same, from a file')
    .option('--password <password>', 'the same, where that gateway calls it a password')
    .option('--password-file <file>', 'the same, from a file')
    .option('--setup-code <->', 'a setup code of that gateway: - reads it from standard input')
    .option('--setup-code-file <file>', 'the same, from a file')
    .option('--insecure', 'go to another host in clear (ws://)')
    .option('--wait <duration>', 'how long to wait to be approved: 0s, 10m', duration)
    .option('--no-color', 'no colours')
    .option('--timeout <duration>', 'how long to wait for an answer: 500ms, 10s', duration)
    .option('-v, --verbose', 'say more, on standard error');
}
