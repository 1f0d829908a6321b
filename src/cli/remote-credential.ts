import { readFileSync } from 'node:fs';
import type { Given } from '../client/handshake.ts';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import { shellWord } from '../system/text.ts';
import { askHidden } from './ask.ts';
import type { Context } from './context.ts';
import type { Credential, RemoteTarget } from './remote-target.ts';
import { isRecord } from './value.ts';

/** A14: what a setup code says: base64url of `{url, urls?, bootstrapToken, gatewayKey?, tlsFingerprint?}`. */
export interface SetupCode {
  /** Where the gateway may be dialed, the best first; may be empty. */
  readonly urls: readonly string[];
  readonly bootstrapToken: string;
  readonly gatewayKey: string | null;
  /** Lower-case hex SHA-256. */
  readonly tlsFingerprint: string | null;
}

const SIZE_MAX = 16 * 1024;
/** A gateway has a few addresses; each that is tried takes its time. */
const URLS_MAX = 8;

/** Reads what was given, from wherever it is. @throws Failure 2 or 78 */
export async function readCredential(
  context: Context,
  credential: Credential | null,
): Promise<{ readonly given: Given; readonly code: SetupCode | null }> {
  if (credential === null) return { given: {}, code: null };
  const value = await secretText(context, credential);
  if (credential.kind === 'token') return { given: { token: value }, code: null };
  if (credential.kind === 'password') return { given: { password: value }, code: null };
  const code = parseSetupCode(value);
  if (code === null) {
    throw new Failure(EXIT.usage, {
      what: 'the setup code can not be read',
      why: 'it is not whole, or it is something else',
      run: "on the gateway's host: latchkey devices code   (it makes a new one)",
    });
  }
  return { given: { bootstrapToken: code.bootstrapToken }, code };
}

async function secretText(context: Context, credential: Credential): Promise<string> {
  switch (credential.from) {
    case 'LATCHKEY_GATEWAY_TOKEN':
      return credential.value;
    case 'argument':
      context.output.err(
        `latchkey: every user of this host can read the ${credential.kind} in the arguments of this command; --${credential.kind} - or --${credential.kind}-file FILE hides it\n`,
      );
      return credential.value;
    case 'file':
      return lineOf(readText(credential.path), credential);
    case 'stdin':
      return lineOf(await readInput(credential.kind.replace('-', ' ')), credential);
    case 'config': {
      const { resolveSecret } = await import('../config/secret.ts');
      const { input, path, file } = credential;
      return resolveSecret(input, { path, file, env: context.host.env });
    }
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(EXIT.usage, {
      what: `can't read ${path}`,
      why: codeOf(error) ?? String(error),
      run: `ls -l ${shellWord(path)}`,
    });
  }
}

/** Up to the end of the line: on a terminal nobody ends the input, and what is typed there is not shown. */
async function readInput(kind: string): Promise<string> {
  if (process.stdin.isTTY === true) return (await askHidden(`The ${kind} (it is not shown): `)) ?? '';
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += String(chunk);
    if (/\n/.test(text.trimStart()) || text.length > SIZE_MAX) break;
  }
  return text;
}

function lineOf(text: string, { kind, from }: Credential): string {
  const [line = '', ...more] = text.trim().split(/\r?\n/);
  if (line !== '' && line.length <= SIZE_MAX && (from === 'stdin' || more.length === 0)) return line;
  throw new Failure(EXIT.usage, {
    what: `there is no ${kind.replace('-', ' ')} in what was given`,
    why: line === '' ? 'it is empty' : 'it is more than one line, or far too long',
    run: `latchkey --${kind}-file FILE status`,
  });
}

/** Where a credential came from, for people: `--token-file /run/secret`, `gateway.remote.token in FILE`. */
export function sourceOf({ kind, ...credential }: Credential): string {
  switch (credential.from) {
    case 'argument':
      return `--${kind}`;
    case 'stdin':
      return `--${kind} -`;
    case 'file':
      return `--${kind}-file ${credential.path}`;
    case 'LATCHKEY_GATEWAY_TOKEN':
      return credential.from;
    case 'config':
      return `${credential.path} in ${credential.file}`;
  }
}

/** `null`: it is none. What is copied off a screen may be broken over lines. */
export function parseSetupCode(text: string): SetupCode | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text.replace(/\s/g, ''), 'base64url').toString('utf8'));
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { url = null, urls = [], bootstrapToken, gatewayKey = null, tlsFingerprint = null } = value;
  const isCode =
    (url === null || typeof url === 'string') &&
    Array.isArray(urls) &&
    urls.every((more) => typeof more === 'string') &&
    typeof bootstrapToken === 'string' &&
    bootstrapToken !== '' &&
    (gatewayKey === null || (typeof gatewayKey === 'string' && /^[A-Za-z0-9_-]{43}$/.test(gatewayKey))) &&
    (tlsFingerprint === null || (typeof tlsFingerprint === 'string' && /^[0-9a-f]{64}$/i.test(tlsFingerprint)));
  if (!isCode) return null;
  const places = [...new Set(url === null ? urls : [url, ...urls])].slice(0, URLS_MAX);
  return { urls: places, bootstrapToken, gatewayKey, tlsFingerprint: tlsFingerprint?.toLowerCase() ?? null };
}

export function badAddress(from: RemoteTarget['from'], why: string): Failure {
  return new Failure(EXIT.usage, {
    what: `${from === 'setup-code' ? 'the URL in the setup code' : from} can't be used`,
    why,
    run: 'latchkey --url wss://HOST:PORT status',
  });
}
