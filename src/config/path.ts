import { nearest } from '../system/text.ts';
import { leavesOf } from './apply.ts';
import type { Path } from './edit.ts';

/** `gateway.auth.token`, `agents.list[0].id`, `models["a.b"]` as keys; `null`: it can't be understood. */
export function parsePath(text: string): Path | null {
  const part = /(?:^|\.)([^.[\]"']+)|\[(\d+)\]|\[("(?:\\.|[^"\\])*")\]/y;
  const path: string[] = [];
  if (text.startsWith('.')) return null;
  let at = 0;
  while (at < text.length) {
    part.lastIndex = at;
    const found = part.exec(text);
    if (found === null) return null;
    const [whole, name, index, quoted] = found;
    const key = name ?? index ?? unquoted(quoted ?? '');
    if (key === null) return null;
    path.push(key);
    at += whole.length;
  }
  return path.length > 0 ? path : null;
}

/** A path as `parsePath` reads it. */
export function spelledPath(path: Path): string {
  return path.reduce((text, part) => {
    if (/^\d+$/.test(part)) return `${text}[${part}]`;
    return /^[^.[\]"']+$/.test(part) ? `${text}${text === '' ? '' : '.'}${part}` : `${text}[${JSON.stringify(part)}]`;
  }, '');
}

function unquoted(text: string): string | null {
  try {
    return String(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A key of the schema, or an object of keys, that was probably meant; `null`: none is near. */
export function nearestPath(path: Path): string | null {
  const known = new Set<string>();
  for (const leaf of leavesOf()) {
    const parts = leaf.split('.');
    for (let length = 1; length <= parts.length; length += 1) known.add(parts.slice(0, length).join('.'));
  }
  return nearest(path.join('.'), [...known]);
}
