import type { Transport } from '../client/client.ts';
import type { MethodName } from '../core/protocol/registry.ts';
import type { Clock } from '../system/clock.ts';
import type { Lock } from '../system/lock.ts';
import { resolveStateDir, type StateDirChoice } from '../system/state-dir.ts';
import { shellWord } from '../system/text.ts';
import type { CommandLiteral } from './command.ts';
import type { Output } from './output.ts';

/** Options that every command takes, before or after its name. */
export interface Globals {
  readonly profile?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
  /** Another gateway than this state directory's, and what to show it. */
  readonly url?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly setupCode?: string;
  readonly setupCodeFile?: string;
  readonly insecure?: boolean;
  /** Milliseconds. */
  readonly wait?: number;
  readonly color?: boolean;
  readonly timeout?: number;
  readonly verbose?: boolean;
}

/** What the composition root gives the command line. */
export interface Host {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly version: string;
  output(options: { readonly json: boolean; readonly color: boolean }): Output;
  /** One line that a person typed; `null` when there is none. */
  ask(question: string): Promise<string | null>;
  /** The gateway itself, loaded on use. */
  runGateway(options: {
    readonly stateDir: string;
    readonly port?: number;
    readonly bind?: string;
    readonly profile?: string;
    /** T18: the profile was named outright, so an inherited configuration path doesn't count. */
    readonly explicitProfile: boolean;
  }): Promise<number>;
  /** Loads every part of the program where the directory is another user's, as long as the program can be read. */
  loadAll(stateDir: string): Promise<void>;
  /** A11: the gateway without its doors, for one command, while none runs. Takes over the lock. */
  openOffline(
    options: { readonly stateDir: string; readonly profile?: string | null; readonly explicitProfile: boolean },
    lock: Lock,
  ): Promise<Offline>;
}

/** The gateway without its doors: one connection to it, and its end. */
export interface Offline {
  readonly transport: Transport;
  /** Puts everything away and gives the lock back. */
  close(): Promise<void>;
}

/** One run of one command. */
export interface Context {
  readonly globals: Globals;
  readonly host: Host;
  readonly output: Output;
  readonly state: StateDirChoice;
  /** There is such a directory, and it is this user's (A11). */
  readonly exists: boolean;
  /** How this state directory is named on a command line that can be pasted: `latchkey --profile work`. */
  readonly command: string;
  /** The words of the command that runs: `devices approve`; empty outside of one. */
  readonly doing: string;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  /** The methods that the command calls, from its literal. */
  readonly calls: readonly MethodName[];
  /** A11: with no gateway running the command decides on the state directory itself. */
  readonly offline: boolean;
}

const TIMEOUT_MS = 10_000;

export function contextOf(
  globals: Globals,
  host: Host,
  literal: Pick<CommandLiteral, 'calls' | 'offline'> = { calls: [] },
  exists = false,
  doing = '',
): Context {
  const state = resolveStateDir({ stateDir: globals.stateDir, profile: globals.profile, env: host.env });
  const profile = globals.profile === undefined ? '' : ` --profile ${shellWord(globals.profile)}`;
  const stateDir = globals.stateDir === undefined ? '' : ` --state-dir ${shellWord(globals.stateDir)}`;
  const url = globals.url === undefined ? '' : ` --url ${shellWord(globals.url)}`;
  return {
    globals,
    host,
    state,
    exists,
    output: host.output({ json: globals.json === true, color: globals.color !== false }),
    command: `latchkey${profile}${stateDir}${url}`,
    doing,
    timeoutMs: globals.timeout ?? TIMEOUT_MS,
    calls: literal.calls,
    offline: literal.offline === true,
  };
}

/** The one document of `--json`, or the text for people. */
export function print(context: Context, document: unknown, text: () => string): void {
  context.output.out(context.globals.json === true ? `${JSON.stringify(document, null, 2)}\n` : text());
}

/** For `-v`: on standard error, like everything that is not the result. */
export function tell(context: Context, line: string): void {
  if (context.globals.verbose === true) context.output.err(`latchkey: ${line}\n`);
}
