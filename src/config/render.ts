import { DEPTH_MAX, TooDeep } from './syntax.ts';

/** How a text is written, so that what is added looks like what stands there. */
export interface Style {
  readonly quote: '"' | "'";
  /** Keys that need no quotes are written without. */
  readonly bareKeys: boolean;
  /** What one level is moved in by. */
  readonly indent: string;
  /** What a line ends with. */
  readonly newline: string;
  /** A comma stands behind the last member of what takes several lines. */
  readonly trailingComma: boolean;
}

/** A list of plain values that fits is written on one line. */
const LINE_MAX = 80;

/**
 * A value as JSON5.
 * @param base the indentation of the line that it begins in; `null`: all of it on one line
 * @throws TooDeep; TypeError for what JSON5 can't say
 */
export function renderValue(value: unknown, style: Style, base: string | null, depth = 0): string {
  if (depth > DEPTH_MAX) throw new TooDeep();
  switch (typeof value) {
    case 'string':
      return renderText(value, style.quote);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? renderList(value, style, base, depth) : renderObject(value, style, base, depth);
    default:
      throw new TypeError(`a configuration can't hold a ${typeof value}`);
  }
}

export function renderKey(name: string, style: Style): string {
  return style.bareKeys && /^[A-Za-z_$][\w$]*$/.test(name) ? name : renderText(name, style.quote);
}

function renderList(items: readonly unknown[], style: Style, base: string | null, depth: number): string {
  if (items.length === 0) return '[]';
  const isPlain = items.every((item) => typeof item !== 'object' || item === null);
  if (base === null || isPlain) {
    const line = `[${items.map((item) => renderValue(item, style, null, depth + 1)).join(', ')}]`;
    if (base === null || line.length <= LINE_MAX) return line;
  }
  const inner = base + style.indent;
  return wrapped(
    '[]',
    items.map((item) => renderValue(item, style, inner, depth + 1)),
    style,
    base,
  );
}

function renderObject(value: object, style: Style, base: string | null, depth: number): string {
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  const inner = base === null ? null : base + style.indent;
  const members = entries.map(
    ([name, below]) => `${renderKey(name, style)}: ${renderValue(below, style, inner, depth + 1)}`,
  );
  return base === null ? `{ ${members.join(', ')} }` : wrapped('{}', members, style, base);
}

function wrapped(brackets: '{}' | '[]', members: readonly string[], style: Style, base: string): string {
  const { newline, indent, trailingComma } = style;
  const lines = members.map((member) => `${newline}${base}${indent}${member}`).join(',');
  return `${brackets[0]}${lines}${trailingComma ? ',' : ''}${newline}${base}${brackets[1]}`;
}

/** Line and paragraph separators are escaped: JSON5's reader warns of them in strings. */
function renderText(text: string, quote: '"' | "'"): string {
  const json = JSON.stringify(text).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
  if (quote === '"') return json;
  const inner = json.slice(1, -1).replace(/\\[\s\S]|'/g, (found) => {
    if (found === '\\"') return '"';
    return found === "'" ? "\\'" : found;
  });
  return `'${inner}'`;
}
