/** A user's name of fewer characters is a word like any other: it would be missing in half of what is told. */
const NAME_MIN = 8;

/**
 * What is secret in the value of a header: the whole of it, and what a server may repeat alone: all behind the scheme
 * (`Bearer KEY`), each word and each parameter there (`Token token="KEY"`, `session=KEY; …`), and for `Basic` the user and
 * the password.
 */
export function secretsOf(value: string): readonly string[] {
  const whole = value.trim();
  const scheme = /^[A-Za-z][\w-]*(?=\s)/.exec(whole)?.[0] ?? '';
  const rest = whole.slice(scheme.length).trim();
  const words = rest.split(/[\s,;]+/).filter((word) => word.length >= NAME_MIN);
  const found = [value, whole, rest, ...words, ...words.flatMap(parameterOf), ...basicOf(scheme, rest)];
  return [...new Set(found)].filter((text) => text !== '');
}

/** `name=text`, with or without quotation marks. The filling of base64 is none. */
function parameterOf(word: string): readonly string[] {
  const at = word.indexOf('=');
  const text = at === -1 ? '' : word.slice(at + 1).replace(/^"|"$/g, '');
  return text.length < NAME_MIN ? [] : [text];
}

function basicOf(scheme: string, rest: string): readonly string[] {
  if (scheme.toLowerCase() !== 'basic') return [];
  const pair = Buffer.from(rest, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) return [pair];
  const user = pair.slice(0, colon);
  return [pair, pair.slice(colon + 1), ...(user.length >= NAME_MIN ? [user] : [])];
}
