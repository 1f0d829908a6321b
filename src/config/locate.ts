import { type Node, repeatedKeys, syntaxOf, walk } from './syntax.ts';

/** Where a value stands in a JSON5 text. Lines count from 1. */
export interface Place {
  readonly line: number;
}

export interface Places {
  /** By JSON pointer (`/gateway/port`): where the key stands, or the item of a list. */
  readonly at: ReadonlyMap<string, Place>;
  /** Keys that stand twice in one object: JSON5 takes the last without a word. */
  readonly repeated: readonly { readonly pointer: string; readonly line: number; readonly firstLine: number }[];
}

/** The line of `pointer`, or of the nearest thing around it that was written. */
export function lineOf(places: Places, pointer: string): number {
  for (let path = pointer; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    const place = places.at.get(path);
    if (place !== undefined) return place.line;
  }
  return 1;
}

/**
 * Finds the lines of everything in a JSON5 text that a JSON5 parser accepted.
 * @throws TooDeep
 */
export function locate(text: string): Places {
  const root: Node | null = syntaxOf(text);
  const line = lineCounter(text);
  const at = new Map<string, Place>();
  const first = new Map<string, number>();
  walk(root, [], (node, path) => {
    if (node.kind === 'scalar') return;
    for (const { name, start } of node.members) {
      const pointer = pointerOf([...path, name]);
      at.set(pointer, { line: line(start) });
      if (!first.has(pointer)) first.set(pointer, line(start));
    }
  });
  const repeated = repeatedKeys(root).map(({ path, at: member }) => {
    const pointer = pointerOf(path);
    return { pointer, line: line(member.start), firstLine: first.get(pointer) ?? 1 };
  });
  return { at, repeated };
}

/** The line that a place in the text is in. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [...text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)].map((found) => found.index + found[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

export function pointerOf(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** `/gateway/auth/token` as people write it: `gateway.auth.token`. */
export function dotted(pointer: string): string {
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
}
