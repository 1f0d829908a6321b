import json5 from 'json5';
import { isFailure } from '../system/failure.ts';
import { isSecret } from './apply.ts';
import { jsonSchema, type Lookup, lookupSchema } from './describe.ts';
import { type Path, setValue, unsetValue } from './edit.ts';
import { checkFiles, type LoadedConfig, type LoadOptions, loadConfig } from './load.ts';
import { redactConfig } from './redact.ts';
import { type Written, writeConfig } from './write.ts';

/** What the commands need of the configuration where no gateway answers; one file when shipped. */
export { KEYS } from './apply.ts';
export { defaultOf } from './default.ts';
export { configPath } from './load.ts';
export { isWellKnown, VARIABLES } from './models.ts';
export { patchBetween, valueAt } from './patch.ts';
export { nearestPath, parsePath, spelledPath } from './path.ts';
export { REDACTED } from './redact.ts';
export type { Lookup, Path };
export { isSecret, jsonSchema, lookupSchema };

/** The configuration as it stands in its file, without any secret value. @throws Failure 78 naming line, key and why */
export function readConfig(load: LoadOptions): Pick<LoadedConfig, 'path' | 'warnings'> & {
  readonly exists: boolean;
  readonly config: unknown;
  /** Whether a gateway would start with it. */
  readonly valid: boolean;
  readonly problem: { readonly what: string; readonly why: string; readonly run: string } | null;
} {
  const loaded = loadConfig(load);
  const { path, text, parsed, warnings } = loaded;
  const problem = problemOf(loaded);
  return { path, exists: text !== null, config: redactConfig(parsed), warnings, valid: problem === null, problem };
}

function problemOf(loaded: LoadedConfig) {
  try {
    checkFiles(loaded);
    return null;
  } catch (error) {
    if (!isFailure(error)) throw error;
    const { what, why, run } = error;
    return { what, why, run };
  }
}

/** Sets one value in the file, or takes it out (`undefined`). @throws as writeConfig */
export function changeConfig(
  load: LoadOptions,
  wait: (delayMs: number) => Promise<void>,
  path: Path,
  value: unknown,
): Promise<Written> {
  const check = async (loaded: LoadedConfig) => checkFiles(loaded);
  return writeConfig({ ...load, wait, check }, (text) =>
    value === undefined ? unsetValue(text ?? '', path) : setValue(text ?? '', path, value),
  );
}

/** `config` with a value at `path`, or without it (`undefined`). Items of lists by number; one after the last is added. */
export function withValue(config: unknown, path: Path, value: unknown): unknown {
  const text = JSON.stringify(config ?? {});
  return JSON.parse(value === undefined ? unsetValue(text, path) : setValue(text, path, value));
}

/** A value as somebody typed it: JSON5, else the text itself; where only a text can stand, always the text. */
export function typedValue(text: string, path: Path): unknown {
  let value: unknown;
  try {
    value = json5.parse(text);
  } catch {
    // Not JSON5: the text itself is meant.
    return text;
  }
  // A secret of digits is a text too; only a place of one is more.
  if (isSecret(path)) return typeof value === 'object' && value !== null ? value : text;
  return isText(path) && typeof value !== 'string' ? text : value;
}

function isText(path: Path): boolean {
  const schema = lookupSchema(path)?.schema;
  return typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'string';
}
