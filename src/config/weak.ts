/** What is wrong with a shared secret; `null`: nothing. */
export type Weakness = { readonly kind: 'weak' | 'placeholder'; readonly why: string };

/** Words that stand in examples, or where a program put the absence of a value. */
const PLACEHOLDERS = new Set([
  'undefined',
  'null',
  'none',
  'nan',
  'true',
  'false',
  '[object object]',
  'changeme',
  'change-me',
  'change_me',
  'changeit',
  'replace-me',
  'replace_me',
  'replaceme',
  'secret',
  'token',
  'password',
  'passwort',
  'mysecret',
  'my-secret',
  'mytoken',
  'my-token',
  'mypassword',
  'supersecret',
  'your-token',
  'your_token',
  'yourtoken',
  'your-secret',
  'your-token-here',
  'your-secret-here',
  'your-gateway-token',
  'your-long-random-token',
  'insert-token-here',
  'todo',
  'tbd',
  'xxx',
  'test',
  'testtoken',
  'test-token',
  'example',
  'default',
  'admin',
  'letmein',
  'qwerty',
  'dummy',
  'placeholder',
  'openclaw',
  'latchkey',
  'gateway',
  '__openclaw_redacted__',
  '[redacted]',
]);

const SHORTEST = 20;
const BITS_MIN = 64;

/**
 * Whether a secret would stand up to somebody who can send guesses: ≥ 20 characters, not a placeholder, and not made of
 * so few different ones that it has less than 64 bits however it was chosen.
 */
export function weaknessOf(secret: string): Weakness | null {
  const word = secret.trim().toLowerCase();
  const bare = word.replace(/^[<[{("'$%]+|[>\]})"'%]+$/g, '');
  if (PLACEHOLDERS.has(word) || PLACEHOLDERS.has(bare)) return { kind: 'placeholder', why: 'it is a placeholder' };
  if (/^(<.*>|\$\{.*\}|\{\{.*\}\}|%\w+%|\$\w+)$/.test(word)) {
    return { kind: 'placeholder', why: 'it names a variable that nothing has filled in' };
  }
  if (/^(.)\1*$/su.test(word)) return { kind: 'placeholder', why: 'it is one character over and over' };
  const size = [...secret].length;
  if (size < SHORTEST) return { kind: 'weak', why: `it has ${size} characters; ${SHORTEST} are the least` };
  if (period(word) <= size / 2) return { kind: 'weak', why: 'it repeats itself' };
  if (isRow(word)) return { kind: 'weak', why: 'it is a row of neighbouring characters' };
  if (bits(secret) < BITS_MIN) return { kind: 'weak', why: 'it is made of too few different characters' };
  return null;
}

/** The length of the shortest text whose repetition this is; its own length when there is none. */
function period(text: string): number {
  const at = (text + text).indexOf(text, 1);
  return at === -1 ? text.length : at;
}

/** Neighbours all along: `abcdefghijklmnopqrstuvwxyz`, `01234567890123456789`. */
function isRow(text: string): boolean {
  let near = 0;
  for (let i = 1; i < text.length; i += 1) {
    const step = text.charCodeAt(i) - text.charCodeAt(i - 1);
    if (Math.abs(step) <= 1) near += 1;
  }
  return near >= (text.length - 1) * 0.8;
}

/** Shannon's measure of the characters as they are: an upper bound, so that nothing good is called weak. */
function bits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  const size = [...text].length;
  let each = 0;
  for (const count of counts.values()) each -= (count / size) * Math.log2(count / size);
  return each * size;
}

/** One secret that the configuration names. */
export interface NamedSecret {
  /** `gateway.auth.token` */
  readonly path: string;
  readonly value: string;
}

/** What is wrong with the secrets of a configuration, each in one sentence without the secret. */
export function secretFindings(secrets: readonly NamedSecret[]): readonly string[] {
  const findings: string[] = [];
  const first = new Map<string, string>();
  for (const { path, value } of secrets) {
    const weakness = weaknessOf(value);
    if (weakness !== null) findings.push(`${path} is ${weakness.kind}: ${weakness.why}`);
    const other = first.get(value);
    if (other === undefined) first.set(value, path);
    else findings.push(`${path} is reused: it is the same as ${other}`);
  }
  return findings;
}

/** What is wrong with the secrets that stand in a configuration themselves; those elsewhere are not looked at. */
export function weakConstants(parsed: {
  readonly gateway?: { readonly auth?: Readonly<Record<string, unknown>> };
}): readonly string[] {
  const { auth } = parsed.gateway ?? {};
  const named = ['token', 'password'].flatMap((field): NamedSecret[] => {
    const value = auth?.[field];
    return typeof value === 'string' ? [{ path: `gateway.auth.${field}`, value }] : [];
  });
  return secretFindings(named);
}
