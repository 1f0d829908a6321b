import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import type { SecretInput } from './schema.ts';

const EXEC_MS = 10_000;
const SIZE_MAX = 64 * 1024;

export interface SecretContext {
  /** The field: `gateway.auth.token`. */
  readonly path: string;
  /** The configuration's file: relative names are looked up beside it. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The secret of a field. Fails closed: what can't be found is never taken for none.
 * @throws Failure 78 naming field, source and id
 */
export function resolveSecret(input: SecretInput, context: SecretContext): string {
  if (typeof input === 'string') return input;
  switch (input.source) {
    case 'env':
      return ofEnv(input.id, context);
    case 'file':
      return ofFile(input.id, context);
    case 'exec':
      return ofProgram(input.id, context);
    case 'keyring':
      throw unresolved(
        context,
        `keyring '${input.id}'`,
        'this release reads no keyring',
        `put the secret into a file of mode 600 and write {source: "file", id: "/path/to/it"} in ${context.file}`,
      );
  }
}

function ofEnv(name: string, context: SecretContext): string {
  const value = context.env[name];
  if (value) return value;
  const why = value === undefined ? 'the variable is not set' : 'the variable is empty';
  throw unresolved(context, `env '${name}'`, why, `export ${name}=…   (or name another source in ${context.file})`);
}

function ofFile(name: string, context: SecretContext): string {
  const path = name.startsWith('~/') ? join(homedir(), name.slice(2)) : resolve(dirname(context.file), name);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw unresolved(context, `file '${path}'`, codeOf(error) ?? 'it cannot be read', `ls -l '${path}'`);
  }
  return checked(text, context, `file '${path}'`, `ls -l '${path}'`);
}

function ofProgram(argv: readonly string[], context: SecretContext): string {
  const [program = '', ...args] = argv;
  // Arguments may be secrets themselves: only the program is named.
  const source = `exec '${program}'`;
  const again = `run '${program}' yourself as the gateway's user, with the arguments in ${context.file}`;
  const { status, signal, stdout, error } = spawnSync(program, args, {
    cwd: dirname(context.file),
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: EXEC_MS,
    maxBuffer: SIZE_MAX,
    encoding: 'utf8',
    env: context.env as NodeJS.ProcessEnv,
  });
  if (error !== undefined) {
    const code = codeOf(error);
    throw unresolved(context, source, code === 'ETIMEDOUT' ? `no answer in ${EXEC_MS} ms` : (code ?? 'failed'), again);
  }
  if (status !== 0) throw unresolved(context, source, `it ended with ${status ?? signal}`, again);
  return checked(stdout, context, source, again);
}

function checked(text: string, context: SecretContext, source: string, run: string): string {
  const secret = text.replace(/\r?\n$/, '');
  if (secret.trim() === '') throw unresolved(context, source, 'it is empty', run);
  if (secret.length > SIZE_MAX) throw unresolved(context, source, `it is longer than ${SIZE_MAX} characters`, run);
  if (/[\r\n]/.test(secret)) throw unresolved(context, source, 'it has more than one line', run);
  return secret;
}

function unresolved(context: SecretContext, source: string, why: string, run: string): Failure {
  return new Failure(EXIT.configuration, { what: `can't resolve ${context.path} from ${source}`, why, run });
}
