import { codeOf, EXIT, Failure, isFailure } from '../system/failure.ts';
import { escapeText, shellWord } from '../system/text.ts';
import { type Context, contextOf, type Globals, type Host } from './context.ts';
import { inWords } from './reason.ts';
import { remedyFields, remedyText, withPlace } from './remedy.ts';

/** Runs one command line. Resolves with what the process exits with; never rejects. */
export async function main(host: Host): Promise<number> {
  const [first, second] = host.argv;
  // By far the most frequent question of scripts: answered without loading anything.
  if (second === undefined && (first === '--version' || first === '-V')) {
    host.output({ json: false, color: false }).out(`${host.version}\n`);
    return EXIT.ok;
  }
  const { buildProgram } = await import('./program.ts');
  let code: number = EXIT.ok;
  const program = buildProgram(host, (given) => {
    code = given;
  });
  try {
    const shown = host.argv.length === 0 ? ['--help'] : host.argv;
    await program.parseAsync(shown, { from: 'user' });
    return code;
  } catch (error) {
    return failed(error, program, host);
  }
}

type Program = ReturnType<typeof import('./program.ts').buildProgram>;

async function failed(error: unknown, program: Program, host: Host): Promise<number> {
  const globals = program.opts<Globals>();
  const output = host.output({ json: globals.json === true, color: globals.color !== false });
  let failure: Failure;
  if (codeOf(error)?.startsWith('commander.') === true) {
    const { usageAnswer } = await import('./usage.ts');
    const answer = usageAnswer(error as Error & { code: string }, program, host.argv);
    if (answer.kind === 'text') {
      (answer.code === EXIT.ok ? output.out : output.err)(answer.text);
      return answer.code;
    }
    failure = answer.failure;
  } else {
    failure = await toFailure(error, globals, host);
  }
  report(failure, error, globals, output);
  return failure.exitCode;
}

async function toFailure(error: unknown, globals: Globals, host: Host): Promise<Failure> {
  if (isFailure(error)) return error;
  const { failureOf, GatewayBusy, GatewayDown } = await import('./reach.ts');
  if (error instanceof GatewayDown || error instanceof GatewayBusy) {
    const context: Context = contextOf(globals, host);
    return failureOf(error, context);
  }
  const closed = closedTo(error);
  if (closed !== null) return closed;
  return new Failure(EXIT.failed, {
    what: 'latchkey failed in a way that nobody foresaw',
    why: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    run: `latchkey --verbose ${host.argv.map(shellWord).join(' ')}`,
  });
}

/** A directory that is read-only, for this user or altogether. */
function closedTo(error: unknown): Failure | null {
  const code = codeOf(error);
  const { path } = error as { path?: unknown };
  if (typeof path !== 'string' || (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS')) return null;
  const { dirname } = process.getBuiltinModule('node:path');
  const why = `${code}: its owner could, if the directory lets anybody write`;
  return new Failure(EXIT.permission, { what: `can't write ${path}`, why, run: `ls -ld ${shellWord(dirname(path))}` });
}

/** Three lines on standard error; with `--json` also one document on standard output. */
function report(failure: Failure, cause: unknown, globals: Globals, output: ReturnType<Host['output']>): void {
  const { what, exitCode } = failure;
  const why = inWords(failure.why);
  const run = withPlace(failure.run, globals);
  if (globals.json === true) {
    output.out(`${JSON.stringify({ ok: false, error: { what, why, ...remedyFields(run), exitCode } }, null, 2)}\n`);
  }
  output.err(`latchkey: ${escapeText(what)}\n  why: ${escapeText(why)}\n${remedyText(run)}\n`);
  if (globals.verbose !== true || !(cause instanceof Error)) return;
  for (const line of (cause.stack ?? '').split('\n')) output.err(`  ${escapeText(line)}\n`);
}
