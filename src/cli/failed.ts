import { codeOf, EXIT, Failure, isFailure } from '../system/failure.ts';
import { escapeText, shellWord } from '../system/text.ts';
import { contextOf, type Globals, type Host } from './context.ts';
import { failureLines } from './margin.ts';
import { inWords } from './reason.ts';
import { failureOf } from './refused.ts';
import { remedyFields, remedyText, withPlace } from './remedy.ts';
import { isBusy, isDown } from './unanswered.ts';
import { usageAnswer } from './usage.ts';

type Program = ReturnType<typeof import('./program.ts').buildProgram>;

/** Says what went wrong, in three lines; resolves with what the process exits with. */
export function failed(error: unknown, program: Program, host: Host): number {
  const globals = program.opts<Globals>();
  const output = host.output({ json: globals.json === true, color: globals.color !== false });
  let failure: Failure;
  if (codeOf(error)?.startsWith('commander.') === true) {
    const answer = usageAnswer(error as Error & { code: string }, program, host);
    if (answer.kind === 'text') {
      (answer.code === EXIT.ok ? output.out : output.err)(answer.text);
      return answer.code;
    }
    failure = answer.failure;
  } else {
    failure = toFailure(error, globals, host);
  }
  report(failure, error, globals, output);
  return failure.exitCode;
}

function toFailure(error: unknown, globals: Globals, host: Host): Failure {
  if (isFailure(error)) return error;
  if (isDown(error) || isBusy(error)) return failureOf(error, contextOf(globals, host));
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
  output.err(`${failureLines(what, why, output)}${remedyText(run)}\n`);
  if (globals.verbose !== true || !(cause instanceof Error)) return;
  for (const line of (cause.stack ?? '').split('\n')) output.err(`  ${escapeText(line)}\n`);
}
