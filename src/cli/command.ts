import type { Command } from 'commander';
import type { MethodName } from '../core/protocol/registry.ts';
import type { ExitCode } from '../system/failure.ts';
import type { Context } from './context.ts';

/** What a command's body gives back: what the process exits with. */
export type Body = (
  context: Context,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<number>;

/** Stands in `--help`, and the tests run it on a real gateway: it can't rot. */
export interface Example {
  /**
   * As a person types it, `latchkey` included. Words in capitals stand for what is different everywhere: REQUEST, DEVICE,
   * SESSION, AGENT, NAME, KEY, URL, METHOD, ID.
   */
  readonly line: string;
  readonly exit: ExitCode;
  /** A field of the answer with `--json`: names with dots between, `0` for the first of a list. */
  readonly field: string;
  /** What the field holds; absent: anything. */
  readonly value?: string | number | boolean;
}

/** One command: everything that is said of it. The body is loaded when it is run, not before. */
export interface CommandLiteral {
  /** Its name, and its arguments as the parser writes them: `approve [request]`. */
  readonly name: string;
  readonly summary: string;
  readonly example: Example;
  /** The methods that it calls: what a client elsewhere asks scopes for. `gateway call` names its own. */
  readonly calls: readonly MethodName[];
  /** What it calls besides where an option is given. */
  readonly callsWith?: Readonly<Record<string, readonly MethodName[]>>;
  /** A11: with no gateway running it decides on the state directory itself. */
  readonly offline?: true;
  /** It neither reads nor writes a state directory. */
  readonly stateless?: true;
  /** About this host alone: another gateway that is named is refused, not passed over. */
  readonly here?: true;
  readonly options?: (command: Command) => Command;
  readonly load: () => Promise<Body>;
}

/** Commands under one word: `devices`. */
export interface Group {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandLiteral[];
  readonly groups?: readonly Group[];
}
