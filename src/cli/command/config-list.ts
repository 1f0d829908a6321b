import { EXIT, Failure } from '../../system/failure.ts';
import { claimText, shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { isRecord, recordsOf } from '../value.ts';

type Tools = typeof import('../../config/direct.ts');
type Path = readonly string[];

/** How many keys lead to the first list that the path goes on from; `null`: to none. */
export function listAt(path: Path, t: Tools): number | null {
  const at = path.findIndex((_, i) => {
    const schema = i === 0 ? null : t.lookupSchema(path.slice(0, i))?.schema;
    return isRecord(schema) && schema.type === 'array';
  });
  return at === -1 ? null : at;
}

/**
 * Items of lists stand by number, and one behind the last may be added.
 * @param config as it stands in the file
 * @param given the value as it was typed; `null`: none was, or it is not to be repeated
 * @throws Failure 2 for anything else, naming the key that was meant
 */
export function checkItem(context: Context, path: Path, config: unknown, given: string | null, t: Tools): void {
  const at = listAt(path, t);
  if (at === null) return;
  const list = t.valueAt(config, path.slice(0, at));
  const items = Array.isArray(list) ? list : [];
  const part = path[at] ?? '';
  if (/^\d+$/.test(part) && Number(part) <= items.length) return;
  const before = path.slice(0, at).join('.');
  // What stands at a place that is no record has no id.
  const found = items.findIndex((item) => recordsOf([item]).some(({ id }) => id === part));
  const size = items.length === 1 ? 'one item' : `${items.length} items`;
  const means = found === -1 ? '' : `; '${claimText(part)}' is number ${found}`;
  const meant = found === -1 ? before : t.spelledPath([...path.slice(0, at), String(found), ...path.slice(at + 1)]);
  const verb = context.doing.split(' ')[1] ?? 'get';
  const line = found === -1 ? `config get ${before}` : `config ${verb} ${shellWord(meant)}`;
  const value = verb === 'set' && found !== -1 ? shellWord(given ?? 'VALUE') : '';
  throw new Failure(EXIT.usage, {
    what: `${claimText(t.spelledPath(path.slice(0, at + 1)))} is no item of ${before}`,
    why: `${before} is a list of ${size}, which stand by number, from [0] on${means}`,
    run: `${context.command} ${line} ${value}`.trimEnd(),
  });
}
