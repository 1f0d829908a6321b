import { secretsIn } from './apply.ts';
import type { ConfigProblem } from './live.ts';
import type { LoadedConfig } from './load.ts';

/** OpenClaw's clients know this text and send it back unchanged for "leave it as it is". */
export const REDACTED = '__OPENCLAW_REDACTED__';

/** What a view is made of: a live configuration, or one that stands. */
export interface ConfigSource {
  /** As it stands in the file; where that is bad, as it last stood there. */
  readonly file: LoadedConfig;
  readonly now: LoadedConfig;
  readonly text: string | null;
  readonly pending: readonly string[];
  readonly problem: ConfigProblem | null;
}

/** `config.get`'s answer (PROTOCOL.md §5.2). */
export interface ConfigView {
  readonly path: string;
  readonly exists: boolean;
  /** Made from `parsed`: the file's own comments may hold what was taken out. */
  readonly raw: string | null;
  readonly parsed: unknown;
  readonly valid: boolean;
  readonly config: unknown;
  /** What 2.19 and 9.6 call it with its references put in; here references stay references. */
  readonly resolved: unknown;
  /** 9.6's names: as the file says, and as it is in force. */
  readonly sourceConfig: unknown;
  readonly runtimeConfig: unknown;
  readonly configRevisionHash: string;
  /** For compare-and-set only: no digest of the text, or a weak secret could be guessed from it. */
  readonly hash: string;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  readonly warnings: readonly { readonly path: string; readonly message: string }[];
  readonly legacyIssues: readonly never[];
  readonly pending: readonly string[];
  readonly problem: ConfigProblem | null;
}

/** A copy of a configuration as written, every secret field replaced. Where a secret is stays visible, how to get it not. */
export function redactConfig(parsed: unknown): unknown {
  return secretsIn(parsed).reduce((value, { path }) => replaced(value, path), parsed);
}

function replaced(value: unknown, path: readonly string[]): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return redactedField(value);
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, head)) return value;
  const record = value as Readonly<Record<string, unknown>>;
  return { ...record, [head]: replaced(record[head], rest) };
}

function redactedField(value: unknown): unknown {
  const isPlace = typeof value === 'object' && value !== null && 'source' in value;
  if (!isPlace || value.source === 'exec') return REDACTED;
  return value;
}

/** @param hash of the file's text, made with a key that stays in the gateway */
export function viewConfig(source: ConfigSource, hash: (text: string) => string): ConfigView {
  const { file, now, text, pending, problem } = source;
  const parsed = redactConfig(file.parsed);
  const revision = hash(text ?? '');
  return {
    path: file.path,
    exists: text !== null,
    raw: text === null ? null : `${JSON.stringify(parsed, null, 2)}\n`,
    parsed,
    valid: problem === null,
    config: parsed,
    resolved: parsed,
    sourceConfig: parsed,
    runtimeConfig: redactConfig(now.parsed),
    configRevisionHash: revision,
    hash: revision,
    issues: problem === null ? [] : [{ path: '', message: `${problem.what}: ${problem.why}` }],
    warnings: file.warnings.map((message) => ({ path: '', message })),
    legacyIssues: [],
    pending,
    problem,
  };
}
