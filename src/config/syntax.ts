import json5 from 'json5';

/** A value as it stands in a JSON5 text: `start` is its first character, `end` the one after its last. */
export type Node = ScalarNode | ObjectNode | ListNode;

interface ScalarNode {
  readonly kind: 'scalar';
  readonly start: number;
  readonly end: number;
}

export interface ObjectNode {
  readonly kind: 'object';
  readonly start: number;
  end: number;
  readonly members: Member[];
}

export interface ListNode {
  readonly kind: 'list';
  readonly start: number;
  end: number;
  readonly members: Member[];
}

/** One key and its value, or one item of a list. */
export interface Member {
  /** The key as JSON5 reads it; the index, for an item of a list. */
  readonly name: string;
  /** Where the key begins; for an item, where the item does. */
  readonly start: number;
  /** How the key is written, quotes included; `''` for an item. */
  readonly key: string;
  readonly value: Node;
  /** Where the comma behind it stands; `null`: there is none. */
  comma: number | null;
}

/** Deeper than anything that a configuration means; a bound for whoever walks one. */
export const DEPTH_MAX = 64;

/** The text is nested deeper than `DEPTH_MAX`. */
export class TooDeep extends Error {
  override readonly name = 'TooDeep';
}

const TOKEN =
  /(?<space>[\s\ufeff]+|\/\/[^\n\r\u2028\u2029]*|\/\*[\s\S]*?\*\/)|(?<text>"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*')|(?<mark>[{}[\]:,])|(?<word>[^\s{}[\]:,"'/]+)/y;

interface Frame {
  readonly node: ObjectNode | ListNode;
  /** The key whose value comes next; `null`: a key comes next. */
  key: { readonly text: string; readonly start: number } | null;
}

/**
 * The values of a text that a JSON5 parser accepted, each with its place. Nothing is lost: what lies between them,
 * comments included, is what the text has there. `null`: the text holds no value.
 * @throws TooDeep
 */
export function syntaxOf(text: string): Node | null {
  const frames: Frame[] = [];
  let root: Node | null = null;
  const add = (value: Node) => {
    const top = frames.at(-1);
    if (top === undefined) {
      root ??= value;
      return;
    }
    const { node, key } = top;
    const name = node.kind === 'list' ? String(node.members.length) : keyOf(key?.text ?? '');
    node.members.push({ name, key: key?.text ?? '', start: key?.start ?? value.start, value, comma: null });
    top.key = null;
  };
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const { text: quoted, mark, word } = match.groups ?? {};
    const top = frames.at(-1);
    const start = match.index;
    const scalar = quoted ?? word;
    if (mark === '{' || mark === '[') {
      if (frames.length >= DEPTH_MAX) throw new TooDeep();
      const node = { kind: mark === '{' ? 'object' : 'list', start, end: start, members: [] } as ObjectNode | ListNode;
      add(node);
      frames.push({ node, key: null });
    } else if (mark === '}' || mark === ']') {
      const closed = frames.pop();
      if (closed !== undefined) closed.node.end = TOKEN.lastIndex;
    } else if (mark === ',') {
      const last = top?.node.members.at(-1);
      if (last !== undefined) last.comma = start;
    } else if (scalar !== undefined) {
      if (top?.node.kind === 'object' && top.key === null) top.key = { text: scalar, start };
      else add({ kind: 'scalar', start, end: TOKEN.lastIndex });
    }
  }
  return root;
}

/** The name that a key stands for: quotes and escapes taken away. */
function keyOf(written: string): string {
  if (/^[\w$]+$/.test(written)) return written;
  return Object.keys(json5.parse<Record<string, unknown>>(`{${written}:0}`))[0] ?? '';
}

/** The keys that stand twice in one object, of which JSON5 takes the last without a word. */
export function repeatedKeys(root: Node | null): readonly { readonly path: readonly string[]; readonly at: Member }[] {
  const found: { path: readonly string[]; at: Member }[] = [];
  walk(root, [], (node, path) => {
    if (node.kind !== 'object') return;
    const seen = new Set<string>();
    for (const at of node.members) {
      if (seen.has(at.name)) found.push({ path: [...path, at.name], at });
      seen.add(at.name);
    }
  });
  return found;
}

/** Every value with its path, outer ones first. */
export function walk(
  node: Node | null,
  path: readonly string[],
  visit: (node: Node, path: readonly string[]) => void,
): void {
  if (node === null) return;
  visit(node, path);
  if (node.kind === 'scalar') return;
  for (const { name, value } of node.members) walk(value, [...path, name], visit);
}

/** Where the comments of a text stand, in order. */
export function commentsOf(text: string): readonly { readonly start: number; readonly end: number }[] {
  const found: { start: number; end: number }[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    if (match[0].startsWith('/')) found.push({ start: match.index, end: TOKEN.lastIndex });
  }
  return found;
}
