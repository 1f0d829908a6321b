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

const TOKEN =
  /(?<space>[\s\ufeff]+|\/\/[^\n\r\u2028\u2029]*|\/\*[\s\S]*?\*\/)|(?<text>"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*')|(?<mark>[{}[\]:,])|(?<word>[^\s{}[\]:,"'/]+)/y;

interface Frame {
  readonly kind: 'object' | 'list';
  readonly pointer: string;
  index: number;
  /** The key whose value comes next; `null`: a key comes next. */
  key: string | null;
}

/**
 * Finds the lines of everything in a JSON5 text that a JSON5 parser accepted.
 * @param unquote turns a quoted key into its name
 */
export function locate(text: string, unquote: (quoted: string) => string): Places {
  const at = new Map<string, Place>();
  const repeated: { pointer: string; line: number; firstLine: number }[] = [];
  const frames: Frame[] = [];
  let line = 1;
  const pointerOfNext = (): string => {
    const top = frames.at(-1);
    if (top === undefined) return '';
    const pointer = `${top.pointer}/${escapePointer(top.kind === 'list' ? String(top.index) : (top.key ?? ''))}`;
    if (top.kind === 'list') at.set(pointer, { line });
    return pointer;
  };
  const value = () => {
    pointerOfNext();
    const top = frames.at(-1);
    if (top?.kind === 'object') top.key = null;
  };
  const name = (top: Frame, key: string) => {
    const pointer = `${top.pointer}/${escapePointer(key)}`;
    const first = at.get(pointer);
    if (first !== undefined) repeated.push({ pointer, line, firstLine: first.line });
    at.set(pointer, { line });
    top.key = key;
  };
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const { text: quoted, mark, word } = match.groups ?? {};
    const top = frames.at(-1);
    if (mark === '{' || mark === '[') {
      frames.push({ kind: mark === '{' ? 'object' : 'list', pointer: pointerOfNext(), index: 0, key: null });
    } else if (mark === '}' || mark === ']') {
      frames.pop();
      const outer = frames.at(-1);
      if (outer?.kind === 'object') outer.key = null;
    } else if (mark === ',') {
      if (top?.kind === 'list') top.index += 1;
    } else if (quoted !== undefined || word !== undefined) {
      if (top?.kind === 'object' && top.key === null) name(top, quoted === undefined ? (word ?? '') : unquote(quoted));
      else value();
    }
    line += match[0].split(/\r\n|[\n\r\u2028\u2029]/).length - 1;
  }
  return { at, repeated };
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** `/gateway/auth/token` as people write it: `gateway.auth.token`. */
export function dotted(pointer: string): string {
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
}
