import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import { shellWord } from '../system/text.ts';
import type { SecretInput } from './schema.ts';

const EXEC_MS = 10_000;
const KEYRING_MS = 10_000;
const SIZE_MAX = 64 * 1024;
const CONTROL = /\p{Cc}/u;
const HAS_CONTROL = 'there is a control character in it';

export interface SecretContext {
  /** The field: `gateway.auth.token`. */
  readonly path: string;
  /** The configuration's file: relative names are looked up beside it. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The person's keyring; by default the system's. */
  readonly keyring?: Keyring;
}

/** What is kept under an account of a service; `null`: nothing. Rejects where there is no keyring, or it is locked. */
export type Keyring = (service: string, account: string, signal: AbortSignal) => Promise<string | null>;

/**
 * The secret of a field. Fails closed: what can't be found is never taken for none.
 * @throws Failure 78 naming field, source and id
 */
export async function resolveSecret(input: SecretInput, context: SecretContext): Promise<string> {
  if (typeof input === 'string') {
    // A header or a terminal would not take it, and who fails over it quotes it.
    if (CONTROL.test(input))
      throw unresolved(context, 'the configuration', HAS_CONTROL, `write it anew in ${context.file}`);
    return input;
  }
  switch (input.source) {
    case 'env':
      return ofEnv(input.id, context);
    case 'file':
      return readSecretFile(input.id, context);
    case 'exec':
      return ofProgram(input.id, context);
    case 'keyring':
      return ofKeyring(input.id, context);
  }
}

function ofEnv(name: string, context: SecretContext): string {
  const value = Object.hasOwn(context.env, name) ? context.env[name] : undefined;
  if (value) return checked(value, context, `env '${name}'`, `export ${name}=…`);
  const why = value === undefined ? 'the variable is not set' : 'the variable is empty';
  throw unresolved(context, `env '${name}'`, why, `export ${name}=…   (or name another source in ${context.file})`);
}

// ---- file -------------------------------------------------------------------------------------------------------------

function fileOf(name: string, context: SecretContext): string {
  return name.startsWith('~/') ? join(homedir(), name.slice(2)) : resolve(dirname(context.file), name);
}

/** @throws Failure 78 for a file that can't be read, is empty, or holds more than one line */
export function readSecretFile(name: string, context: SecretContext): string {
  const path = fileOf(name, context);
  const run = `ls -l ${shellWord(path)}`;
  let text: string;
  try {
    // A device or a pipe would never end.
    if (!statSync(path).isFile()) throw unresolved(context, `file '${path}'`, 'it is no regular file', run);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as Error).name === 'Failure') throw error;
    throw unresolved(context, `file '${path}'`, codeOf(error) ?? 'it cannot be read', run);
  }
  return checked(text, context, `file '${path}'`, run);
}

/** Changes whenever the file does; `null`: it isn't there. */
export function stampOf(name: string, context: SecretContext): string | null {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(fileOf(name, context), { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    // Reading it says why.
    return null;
  }
}

// ---- exec -------------------------------------------------------------------------------------------------------------

/** No shell reads the arguments. */
async function ofProgram(argv: readonly string[], context: SecretContext): Promise<string> {
  const [program = '', ...args] = argv;
  // Arguments may be secrets themselves: only the program is named.
  const source = `exec '${program}'`;
  const again = `run '${program}' yourself as the gateway's user, with the arguments in ${context.file}`;
  const { spawn } = process.getBuiltinModule('node:child_process');
  const text = await new Promise<string>((give, fail) => {
    const refuse = (why: string) => fail(unresolved(context, source, why, again));
    const child = spawn(program, args, {
      cwd: dirname(context.file),
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: EXEC_MS,
      killSignal: 'SIGKILL',
      env: context.env as NodeJS.ProcessEnv,
      windowsHide: true,
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      if (out.length <= SIZE_MAX) out += part;
    });
    // The error's own words quote the arguments.
    child.once('error', (error) => refuse(codeOf(error) ?? 'it could not be started'));
    child.once('close', (status, signal) => {
      if (status === 0) give(out);
      else refuse(child.killed ? `no end within ${EXEC_MS} ms` : `it ended with ${status ?? signal}`);
    });
  });
  return checked(text, context, source, again);
}

// ---- keyring ----------------------------------------------------------------------------------------------------------

/** `service/account`; without a service it is latchkey's. */
async function ofKeyring(id: string, context: SecretContext): Promise<string> {
  const slash = id.indexOf('/');
  const service = slash === -1 ? 'latchkey' : id.slice(0, slash);
  const account = slash === -1 ? id : id.slice(slash + 1);
  const source = `keyring '${id}'`;
  const run = `put the secret into a file of mode 600 and write {source: "file", id: "/path/to/it"} in ${context.file}`;
  let text: string | null;
  try {
    text = await (context.keyring ?? systemKeyring)(service, account, AbortSignal.timeout(KEYRING_MS));
  } catch (error) {
    throw unresolved(context, source, whyNoKeyring(error), run);
  }
  if (text === null) {
    const store = `secret-tool store --label=latchkey service ${shellWord(service)} username ${shellWord(account)}`;
    throw unresolved(context, source, `it holds nothing of '${account}' for '${service}'`, store);
  }
  return checked(text, context, source, run);
}

/** Comes with an optional dependency: not on every system. On Linux it is the Secret Service, and nothing beside it. */
const systemKeyring: Keyring = async (service, account, signal) => {
  const { AsyncEntry } = await import('@napi-rs/keyring');
  const entry = new AsyncEntry(service, account, { linux: { store: 'secret-service' } });
  return entry.getPassword(signal);
};

function whyNoKeyring(error: unknown): string {
  const code = codeOf(error);
  if (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND')
    return 'the package @napi-rs/keyring is not there';
  if ((error as Error).name === 'AbortError' || code === 'Cancelled') return `no answer within ${KEYRING_MS} ms`;
  const [first = ''] = String((error as Error).message).split('\n');
  return `there is no keyring to read: ${first.slice(0, 200)}`;
}

// ---- what all of them give --------------------------------------------------------------------------------------------

function checked(text: string, context: SecretContext, source: string, run: string): string {
  const secret = text.replace(/\r?\n$/, '');
  if (secret.trim() === '') throw unresolved(context, source, 'it is empty', run);
  if (secret.length > SIZE_MAX) throw unresolved(context, source, `it is longer than ${SIZE_MAX} characters`, run);
  if (/[\r\n]/.test(secret)) throw unresolved(context, source, 'it has more than one line', run);
  if (CONTROL.test(secret)) throw unresolved(context, source, HAS_CONTROL, run);
  return secret;
}

function unresolved(context: SecretContext, source: string, why: string, run: string): Failure {
  return new Failure(EXIT.configuration, { what: `can't resolve ${context.path} from ${source}`, why, run });
}
