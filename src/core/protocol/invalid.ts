import { INVALID_TEXT_MAX } from './limit.ts';

/** One thing that a validator found, in the shape of typebox's `Errors`. */
export interface Issue {
  readonly keyword: string;
  /** JSON pointer; '' is the root. */
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** What was wrong is quoted from the client: control characters out, so that it can't forge a log line. */
function quoted(text: string): string {
  return text.replace(/\p{C}/gu, '?').slice(0, 64);
}

function names(params: object, key: string): readonly string[] {
  const value = (params as Record<string, unknown>)[key];
  return Array.isArray(value) ? value.map((name) => quoted(String(name))) : [];
}

function textsOf(issue: Issue): readonly string[] {
  const { keyword, params, message } = issue;
  const path = quoted(issue.instancePath);
  const at = path === '' ? '' : `at ${path}: `;
  switch (keyword) {
    case 'required':
      return names(params, 'requiredProperties').map((n) => `${at}must have required property '${n}'`);
    case 'additionalProperties':
      return names(params, 'additionalProperties').map((n) => `at ${path || 'root'}: unexpected property '${n}'`);
    case 'boolean':
      // Said again, with its name, by `additionalProperties`.
      return [];
    case 'const':
    case 'enum':
      return [`${at}must be equal to one of the allowed values`];
    case 'anyOf':
      // Each branch says for itself what it wanted.
      return [];
    case 'pattern':
      return [`${at}has characters that don't belong there`];
    default:
      return [`${at}${message}`];
  }
}

/** "Or null", of a value that is of the right kind and wrong otherwise: nobody meant null. */
function isOtherBranch({ keyword, params, instancePath }: Issue, issues: readonly Issue[]): boolean {
  if (keyword !== 'type' || (params as { type?: unknown }).type !== 'null') return false;
  return issues.some((other) => other.instancePath === instancePath && !/^(type|anyOf)$/.test(other.keyword));
}

/**
 * What is wrong with a request, in OpenClaw's words (PROTOCOL.md §2.1):
 * `at /auth: unexpected property 'x'; must have required property 'client'`. At most 500 characters.
 */
export function invalidText(issues: readonly Issue[]): string {
  const texts = [...new Set(issues.filter((issue) => !isOtherBranch(issue, issues)).flatMap(textsOf))];
  const text = texts.length === 0 ? 'must be an object' : texts.join('; ');
  return text.length > INVALID_TEXT_MAX ? `${text.slice(0, INVALID_TEXT_MAX - 1)}…` : text;
}
