import { codeOf, EXIT, Failure, isFailure } from '../system/failure.ts';
import { escapeText } from '../system/text.ts';
import { type Context, contextOf, type Globals, type Host } from './context.ts';

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
  return new Failure(EXIT.failed, {
    what: 'latchkey failed in a way that nobody foresaw',
    why: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    run: `latchkey --verbose ${host.argv.slice(0, 2).join(' ')}`,
  });
}

/** Three lines on standard error; with `--json` also one document on standard output. */
function report(failure: Failure, cause: unknown, globals: Globals, output: ReturnType<Host['output']>): void {
  const { what, why, run, exitCode } = failure;
  if (globals.json === true) {
    output.out(`${JSON.stringify({ ok: false, error: { what, why, run, exitCode } }, null, 2)}\n`);
  }
  output.err(`latchkey: ${escapeText(what)}\n  why: ${escapeText(why)}\n  run: ${escapeText(run)}\n`);
  if (globals.verbose !== true || !(cause instanceof Error)) return;
  for (const line of (cause.stack ?? '').split('\n')) output.err(`  ${escapeText(line)}\n`);
}
