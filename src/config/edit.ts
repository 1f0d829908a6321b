import json5 from 'json5';
import { dotted, pointerOf } from './locate.ts';
import { renderKey, renderValue, type Style } from './render.ts';
import { type ListNode, type Member, type Node, type ObjectNode, repeatedKeys, syntaxOf } from './syntax.ts';

/**
 * Changes single values of a JSON5 text and leaves every other byte as it is: comments, quotes, commas, indentation,
 * line ends, a byte order mark. What is added is written as its neighbours are.
 */

/** Keys from the outermost in; an item of a list by its index. */
export type Path = readonly string[];

/** The text can't be edited there. `why` quotes no value: it may be a secret. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused';
  readonly path: Path;
  readonly why: string;
  constructor(path: Path, why: string) {
    super(`${dotted(pointerOf(path))}: ${why}`);
    this.path = path;
    this.why = why;
  }
}

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text with `value` at `path`; missing parents are made. An empty text counts as `{}`.
 * @throws EditRefused, TooDeep; SyntaxError for a text that is no JSON5
 */
export function setValue(text: string, path: Path, value: unknown): string {
  if (text === '') return setValue('{}\n', path, value);
  const root = rootOf(text);
  const { node, depth } = deepest(root, path);
  const style = styleOf(text, root);
  if (depth === path.length) {
    return spliced(text, [{ start: node.start, end: node.end, text: renderValue(value, style, baseOf(text, node)) }]);
  }
  const rest = path.slice(depth + 1);
  const name = path[depth] ?? '';
  const whole = rest.reduceRight<unknown>((inner, key) => own(key, inner), value);
  if (node.kind === 'scalar') throw new EditRefused(path.slice(0, depth), 'it is no object');
  if (node.kind === 'list' && name !== String(node.members.length)) {
    throw new EditRefused(path.slice(0, depth + 1), `the list has ${node.members.length} items`);
  }
  return spliced(text, insertion(text, node, name, whole, { ...style, trailingComma: endsWithComma(node, style) }));
}

/**
 * The text without the key, or the item of a list, at `path`. Comments stay. What isn't there is not taken out.
 * @throws EditRefused, TooDeep; SyntaxError for a text that is no JSON5
 */
export function unsetValue(text: string, path: Path): string {
  if (text === '') return text;
  const root = rootOf(text);
  if (path.length === 0) throw new EditRefused(path, 'the whole configuration is not taken out');
  const { node, depth } = deepest(root, path.slice(0, -1));
  if (depth < path.length - 1 || node.kind === 'scalar') return text;
  const index = node.members.findIndex((member) => member.name === path.at(-1));
  return index === -1 ? text : spliced(text, removal(text, node, index));
}

/** An own property, `__proto__` included. */
function own(key: string, value: unknown): Record<string, unknown> {
  return Object.defineProperty({}, key, { value, enumerable: true, configurable: true, writable: true });
}

function rootOf(text: string): Node {
  // Accepts what is read later, and nothing else.
  json5.parse(text);
  const root = syntaxOf(text);
  if (root === null) throw new SyntaxError('the text holds no value');
  const [repeated] = repeatedKeys(root);
  if (repeated !== undefined) throw new EditRefused(repeated.path, 'the key stands there twice');
  return root;
}

/** The innermost value on the way along `path` that is there, and how many keys lead to it. */
function deepest(root: Node, path: Path): { readonly node: Node; readonly depth: number } {
  let node = root;
  for (const [depth, name] of path.entries()) {
    const next = node.kind === 'scalar' ? undefined : node.members.find((member) => member.name === name);
    if (next === undefined) return { node, depth };
    node = next.value;
  }
  return { node, depth: path.length };
}

function spliced(text: string, splices: readonly Splice[]): string {
  let out = '';
  let at = 0;
  for (const { start, end, text: instead } of [...splices].sort((a, b) => a.start - b.start || a.end - b.end)) {
    out += text.slice(at, start) + instead;
    at = end;
  }
  return out + text.slice(at);
}

// ---- adding -----------------------------------------------------------------------------------------------------------

function insertion(text: string, node: ObjectNode | ListNode, name: string, value: unknown, style: Style): Splice[] {
  const last = node.members.at(-1);
  const inside = last === undefined ? node.start + 1 : Math.max(last.value.end, (last.comma ?? -1) + 1);
  const closing = node.end - 1;
  // Behind everything that stands there, comments included.
  const at = inside + text.slice(inside, closing).trimEnd().length;
  const lines = takesLines(text, node);
  const gap = text.slice(at, closing);
  const base = lineIndent(text, node.start);
  const indent = lines ? (memberIndent(text, node) ?? base + style.indent) : null;
  const key = node.kind === 'list' ? '' : `${renderKey(name, style)}: `;
  const member = `${key}${renderValue(value, style, indent)}`;
  const comma =
    last !== undefined && last.comma === null ? [{ start: last.value.end, end: last.value.end, text: ',' }] : [];
  if (indent === null) {
    const before = last === undefined && node.kind === 'list' ? '' : ' ';
    const after = gap === '' && node.kind === 'object' ? ' ' : '';
    return [...comma, { start: at, end: at, text: `${before}${member}${after}` }];
  }
  const close = LINE_BREAK.test(gap) ? '' : `${style.newline}${base}`;
  const written = `${style.newline}${indent}${member}${style.trailingComma ? ',' : ''}${close}`;
  // Blanks before the bracket belong to the line that now ends earlier.
  return [...comma, { start: at, end: close === '' ? at : closing, text: written }];
}

const LINE_BREAK = /[\n\r\u2028\u2029]/;

/** Whether what is added to the node stands on a line of its own. */
function takesLines(text: string, node: ObjectNode | ListNode): boolean {
  const inner = text.slice(node.start + 1, node.end - 1);
  const [first] = node.members;
  if (first !== undefined) {
    // A line comment ends with its line, so what comes behind one needs another.
    return (
      LINE_BREAK.test(text.slice(node.start + 1, first.start)) || /\/\//.test(inner.slice(first.start - node.start))
    );
  }
  // Of an empty one the rest of the text tells: an object that stands alone is opened.
  if (LINE_BREAK.test(inner)) return true;
  return node.kind === 'object' && (node.start === rootStart(text) || LINE_BREAK.test(text.trim()));
}

function rootStart(text: string): number {
  return syntaxOf(text)?.start ?? 0;
}

/** With which blanks the first member's line begins, if it begins a line. */
function memberIndent(text: string, node: ObjectNode | ListNode): string | null {
  const [first] = node.members;
  return first === undefined ? null : indentBefore(text, first.start);
}

/** The blanks between the beginning of the line and `offset`, if there is nothing else. */
function indentBefore(text: string, offset: number): string | null {
  const before = lineBefore(text, offset);
  return before.trim() === '' ? before : null;
}

/** The blanks that the line of `offset` begins with. */
function lineIndent(text: string, offset: number): string {
  return /^\s*/.exec(lineBefore(text, offset))?.[0] ?? '';
}

/** The line of `offset` up to there, without a byte order mark. */
function lineBefore(text: string, offset: number): string {
  let start = offset;
  while (start > 0 && !LINE_BREAK.test(text[start - 1] ?? '')) start -= 1;
  return text.slice(start === 0 && text.startsWith('\ufeff') ? 1 : start, offset);
}

/** The indentation for a value that replaces `node`; `null`: what stands there is on one line with others. */
function baseOf(text: string, node: Node): string | null {
  if (node.kind !== 'scalar' && LINE_BREAK.test(text.slice(node.start, node.end))) return lineIndent(text, node.start);
  const line = lineBefore(text, node.start);
  // `port: 1` alone on its line, with at most one key before it.
  const alone = /^\s*("(\\.|[^"\\])*"|'(\\.|[^'\\])*'|[\w$]+)?\s*:?\s*$/.test(line);
  return alone && LINE_BREAK.test(text) ? lineIndent(text, node.start) : null;
}

// ---- taking out -------------------------------------------------------------------------------------------------------

function removal(text: string, node: ObjectNode | ListNode, index: number): Splice[] {
  const member = node.members[index] as Member;
  const before = node.members[index - 1];
  const isLast = index === node.members.length - 1;
  const cut = (start: number, end: number): Splice => ({ start, end, text: '' });
  const comma = member.comma;
  // One comma goes with it: its own, or the one before the last where nothing may follow.
  const other = comma ?? (isLast ? (before?.comma ?? null) : null);
  const joined = comma !== null && /^[^\S\n\r\u2028\u2029]*$/.test(text.slice(member.value.end, comma));
  const end = joined ? comma + 1 : member.value.end;
  const range = swept(text, member.start, end);
  return other === null || joined ? [range] : [range, cut(other, other + 1)];
}

/** The range, and the blanks or the whole line that only it filled. */
function swept(text: string, start: number, end: number): Splice {
  const blanks = /^[^\S\n\r\u2028\u2029]*/.exec(text.slice(end))?.[0].length ?? 0;
  const newline = /^(\r\n|[\n\r\u2028\u2029])/.exec(text.slice(end + blanks))?.[0].length ?? 0;
  const indent = indentBefore(text, start);
  if (indent !== null && newline > 0) return { start: start - indent.length, end: end + blanks + newline, text: '' };
  // On a line with others: the blanks before it go, and those behind it stay.
  const lead = /[^\S\n\r\u2028\u2029]*$/.exec(text.slice(0, start))?.[0].length ?? 0;
  return { start: indent === null ? start - lead : start, end: indent === null ? end : end + blanks, text: '' };
}

// ---- style ------------------------------------------------------------------------------------------------------------

function endsWithComma(node: ObjectNode | ListNode, style: Style): boolean {
  const last = node.members.at(-1);
  return last === undefined ? style.trailingComma : last.comma !== null;
}

/** How a text is written shows in its first members. */
const LOOKED_AT_MAX = 200;

function styleOf(text: string, root: Node): Style {
  const newline = /\r\n|[\n\r]/.exec(text)?.[0] ?? '\n';
  let quote: '"' | "'" | null = null;
  let keyQuote: '"' | "'" | null = null;
  let bareKeys: boolean | null = null;
  let indent: string | null = null;
  let trailingComma: boolean | null = null;
  let left = LOOKED_AT_MAX;
  const look = (node: Node): void => {
    if (node.kind === 'scalar') {
      const mark = text[node.start];
      if (mark === '"' || mark === "'") quote ??= mark;
      return;
    }
    const own = memberIndent(text, node);
    const outer = lineIndent(text, node.start);
    if (own?.startsWith(outer) && own.length > outer.length) indent ??= own.slice(outer.length);
    if (own !== null) trailingComma ??= node.members.at(-1)?.comma !== null;
    for (const { key, value } of node.members) {
      left -= 1;
      if (left < 0) return;
      const mark = key[0];
      if (mark === '"' || mark === "'") keyQuote ??= mark;
      if (key !== '') bareKeys ??= mark !== '"' && mark !== "'";
      look(value);
    }
  };
  look(root);
  return {
    newline,
    quote: quote ?? keyQuote ?? '"',
    bareKeys: bareKeys ?? false,
    indent: indent ?? '  ',
    trailingComma: trailingComma ?? false,
  };
}
