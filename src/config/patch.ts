import json5 from 'json5';
import { changesBetween, secretsIn } from './apply.ts';
import { EditRefused, type Path, setValue, unsetValue } from './edit.ts';
import { isRecord, own } from './record.ts';
import { REDACTED } from './redact.ts';
import { commentsOf } from './syntax.ts';

/** Characters that may be read over and over for one rewrite: about a second of work. */
const WORK_MAX = 10_000_000;

/**
 * The text with what it means changed to `target`, value by value, so that everything else stays as it was written.
 * @throws EditRefused, TooDeep; SyntaxError for a text that is no JSON5
 */
export function rewritten(text: string, target: unknown): string {
  const changes = changesBetween(text === '' ? {} : json5.parse(text), target);
  if (changes.length * text.length > WORK_MAX)
    throw new EditRefused([], `${changes.length} changes at once are too many`);
  return changes.reduce(
    (now, { path, after }) => (after === undefined ? unsetValue(now, path) : setValue(now, path, after)),
    text,
  );
}

/**
 * The text after a merge patch (RFC 7396): objects are merged, `null` takes a key out, lists are replaced whole. The
 * redaction text in a secret field leaves it as it is.
 */
export function patched(text: string, patch: unknown): string {
  if (!isRecord(patch)) throw new EditRefused([], 'a patch must be an object');
  const before: unknown = text === '' ? {} : json5.parse(text);
  return rewritten(text, unredacted(merged(before, patch), before));
}

function merged(before: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const out: Record<string, unknown> = {};
  if (isRecord(before)) for (const [name, value] of Object.entries(before)) put(out, name, value);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name];
    else put(out, name, merged(own(before, name), value));
  }
  return out;
}

/** Also where the name is one that an assignment takes for something else: `__proto__`. */
function put(out: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * The whole text as somebody sent it, in place of `before`. Secrets that were shown to them as taken out are put back.
 * A text without a comment is what a program made of the values: its values are edited in, so that the comments of
 * `before` survive it.
 */
export function replaced(before: string, sent: string): string {
  const old: unknown = before === '' ? {} : json5.parse(before);
  const target: unknown = json5.parse(sent);
  const whole = unredacted(target, old);
  if (before !== '' && commentsOf(sent).length === 0 && isRecord(old) && isRecord(target))
    return rewritten(before, whole);
  return rewritten(sent, whole);
}

/** @throws EditRefused where the redaction text stands for nothing */
function unredacted(target: unknown, before: unknown): unknown {
  return secretsIn(target).reduce<unknown>((value, { path, value: sent }) => {
    if (sent !== REDACTED) return value;
    const secret = valueAt(before, path);
    if (secret === undefined || secret === REDACTED) {
      throw new EditRefused(path, 'there is no value yet that could stay as it is');
    }
    return withValue(value, path, secret);
  }, target);
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce(
    (at, name) => (Array.isArray(at) && /^\d+$/.test(name) ? (at[Number(name)] as unknown) : own(at, name)),
    value,
  );
}

function withValue(value: unknown, [head, ...rest]: Path, put: unknown): unknown {
  if (head === undefined || !isRecord(value)) return put;
  return { ...value, [head]: withValue(value[head], rest, put) };
}

/** The whole text as somebody sent it, where the one before can't be read: its secrets are those last in force. */
export function mended(lastGood: unknown, sent: string): string {
  return rewritten(sent, unredacted(json5.parse(sent), lastGood));
}

/** The merge patch that makes `after` of `before`; an object that is put in whole keeps nothing of the old one. */
export function patchBetween(before: unknown, after: unknown): unknown {
  if (!isRecord(before) || !isRecord(after)) return after;
  const out: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [own(before, name), own(after, name)];
    if (now === undefined) put(out, name, null);
    else if (changesBetween(old, now).length > 0) put(out, name, patchBetween(old, now));
  }
  return out;
}
