import fc from 'fast-check';
import json5 from 'json5';
import { expect, test } from 'vitest';
import { setValue, unsetValue } from './edit.ts';
import { commentsOf, DEPTH_MAX, type Member, syntaxOf } from './syntax.ts';

const lines = (...text: string[]) => `${text.join('\n')}\n`;

test('rule: a value is replaced and nothing else', () => {
  const text = lines('\ufeff// mine', '{', "  gateway: { port: 1, /* here */ bind: 'lan' }, // end", '}');
  expect(setValue(text, ['gateway', 'port'], 2)).toBe(text.replace('port: 1', 'port: 2'));
  expect(setValue(text, ['gateway', 'bind'], "it's")).toBe(text.replace("'lan'", "'it\\'s'"));
  expect(setValue(text, ['gateway', 'port'], 1)).toBe(text);
});

test.each<[string, string, string[], unknown, string]>([
  ['a new file', '', ['gateway', 'port'], 1, '{\n  "gateway": {\n    "port": 1\n  }\n}\n'],
  ['an empty object', '{}\n', ['a'], 'x', '{\n  "a": "x"\n}\n'],
  ['an empty object on lines', '{\n}\n', ['a'], true, '{\n  "a": true\n}\n'],
  ['a comment inside', '{ // here\n}', ['a'], 1, '{ // here\n  "a": 1\n}'],
  ['JSON', '{\n\t"a": 1\n}', ['b'], [1, 'x'], '{\n\t"a": 1,\n\t"b": [1, "x"]\n}'],
  ['a trailing comma', "{\n    a: 'x',\n}", ['b', 'c'], 'y', "{\n    a: 'x',\n    b: {\n        c: 'y',\n    },\n}"],
  ['one line', '{ a: 1 }', ['b'], 2, '{ a: 1, b: 2 }'],
  ['one line, tight', '{a:1}', ['b'], { c: 2 }, '{a:1, b: { c: 2 } }'],
  ['a comment at the end of the line', '{\n  a: 1 // one\n}', ['b'], 2, '{\n  a: 1, // one\n  b: 2\n}'],
  ['a comment at the end', '{\n  a: 1,\n  // b: 2\n}', ['c'], 3, '{\n  a: 1,\n  // b: 2\n  c: 3,\n}'],
  ['CRLF', '{\r\n  a: 1\r\n}\r\n', ['b'], 2, '{\r\n  a: 1,\r\n  b: 2\r\n}\r\n'],
  ['a line comment on one line', '{a: 1 // x\n}', ['b'], 2, '{a: 1, // x\n  b: 2\n}'],
  ['the next item of a list', '[1, 2]', ['2'], 3, '[1, 2, 3]'],
  ['an item of an empty list', '{ a: [] }', ['a', '0'], 3, '{ a: [3] }'],
  ['an escaped key', '{ "p\\u006frt": 1 }', ['port'], 2, '{ "p\\u006frt": 2 }'],
  ['a key that needs quotes', '{\n  a: 1,\n}', ['b.c'], 2, '{\n  a: 1,\n  "b.c": 2,\n}'],
])('rule: %s is written on as it was begun', (_what, text, path, value, want) => {
  const edited = setValue(text, path, value);
  expect(edited).toBe(want);
  expect(unsetValue(edited, path)).toBeTypeOf('string');
});

test.each<[string, string, string[], string]>([
  ['a line', '{\n  a: 1,\n  b: 2,\n}', ['a'], '{\n  b: 2,\n}'],
  ['the last line of JSON', '{\n  "a": 1,\n  "b": 2\n}', ['b'], '{\n  "a": 1\n}'],
  ['the last line with its comma', '{\n  a: 1,\n  b: 2,\n}', ['b'], '{\n  a: 1,\n}'],
  ['the only one', '{\n  a: 1\n}', ['a'], '{\n}'],
  ['of one line', '{ a: 1, b: 2, c: 3 }', ['b'], '{ a: 1, c: 3 }'],
  ['the last of one line', '{ a: 1, b: 2 }', ['b'], '{ a: 1 }'],
  ['an item', '[1, 2, 3]', ['0'], '[ 2, 3]'],
  ['beside comments', '{\n  // about a\n  a: 1, // one\n  b: 2\n}', ['a'], '{\n  // about a\n  // one\n  b: 2\n}'],
  ['before a comment and a comma', '{ a: 1 /* one */, b: 2 }', ['a'], '{ /* one */ b: 2 }'],
  ['with CRLF', '{\r\n  a: 1,\r\n  b: 2\r\n}', ['a'], '{\r\n  b: 2\r\n}'],
  ['what is not there', '{ a: 1 }', ['b', 'c'], '{ a: 1 }'],
  ['below what is no object', '{ a: 1 }', ['a', 'c'], '{ a: 1 }'],
])('rule: %s is taken out and nothing else', (_what, text, path, want) => {
  expect(unsetValue(text, path)).toBe(want);
});

test('rule: what would be guessed at is refused', () => {
  expect(() => setValue('{ a: 1, a: 2 }', ['b'], 1)).toThrow('a: the key stands there twice');
  expect(() => unsetValue('{ a: { b: 1, "\\u0062": 2 } }', ['a'])).toThrow('a.b: the key stands there twice');
  expect(() => setValue('{ a: 1 }', ['a', 'b'], 1)).toThrow('a: it is no object');
  expect(() => setValue('{ a: [1] }', ['a', '3'], 1)).toThrow('a.3: the list has 1 items');
  expect(() => setValue('{ a: [1] }', ['a', 'length'], 1)).toThrow('the list has 1 items');
  expect(() => unsetValue('{}', [])).toThrow('whole');
  expect(() => setValue('{ a: }', ['a'], 1)).toThrow(SyntaxError);
  expect(() => setValue('// nothing', ['a'], 1)).toThrow(SyntaxError);
  expect(() => setValue('{}', ['a'], undefined)).toThrow(TypeError);
  const loop: Record<string, unknown> = {};
  loop.loop = loop;
  expect(() => setValue('{}', ['a'], loop)).toThrow(expect.objectContaining({ name: 'TooDeep' }));
  const deep = '['.repeat(DEPTH_MAX + 1) + ']'.repeat(DEPTH_MAX + 1);
  expect(() => setValue(deep, ['0'], 1)).toThrow(expect.objectContaining({ name: 'TooDeep' }));
});

test('threat 40: a hostile text is refused or edited in time that grows with its length', () => {
  // What grew with its square would run out of the time that a test has.
  for (const text of ['['.repeat(200_000), `{a:${'/*'.repeat(100_000)}`, `{${'a:1,'.repeat(50_000)}}`]) {
    expect(() => setValue(text, ['b'], 1)).toThrow();
  }
  const flat = `{${Array.from({ length: 20_000 }, (_, i) => `"k${i}": ${i}`).join(', ')}}`;
  expect(json5.parse(setValue(flat, ['b'], 1)).b).toBe(1);
});

test('rule: __proto__ is a key like any other, and nobody else gets it', () => {
  const text = setValue('{ a: 1 }', ['__proto__', 'constructor'], { polluted: true });
  expect(text).toBe('{ a: 1, __proto__: { constructor: { polluted: true } } }');
  expect(Object.getPrototypeOf(json5.parse(text))).toBe(Object.prototype);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(unsetValue(text, ['__proto__'])).toBe('{ a: 1 }');
});

// ---- properties -------------------------------------------------------------------------------------------------------

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'port', '$x', '__proto__', 'constructor', 'a b', 'ö', '', "it's", 'q"', '\u2028', '0'),
  fc.string({ maxLength: 4 }),
);
const scalar = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 12 }),
  fc.constantFrom('// no comment', '/* nor this */', '\\', "'", '"', '\r\n', '\u2029', '{', '}', ',', '\ud800'),
);
const { value } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof({ maxDepth: 3, depthSize: 'small' }, scalar, fc.array(tie('value'), { maxLength: 4 }), tie('object')),
  object: fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((entries) => {
    const made: Record<string, unknown> = {};
    for (const [key, below] of entries) define(made, key, below);
    return made;
  }),
}));

function define(target: Record<string, unknown>, key: string, below: unknown): void {
  Object.defineProperty(target, key, { value: below, enumerable: true, configurable: true, writable: true });
}

/** Writes a value as somebody in a strange mood would. `dice` decides each time. */
function scribble(thing: unknown, dice: (sides: number) => number, newline: string): string {
  const space = () => {
    const filler = [
      '',
      '',
      ' ',
      '\t',
      newline,
      `${newline}   `,
      '/* c */',
      `// it's "c", {${newline}`,
      '\u00a0',
      '/**/ ',
    ];
    return filler[dice(filler.length)] ?? '';
  };
  const text = (of: string) => {
    const json = JSON.stringify(of).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
    if (dice(2) === 0) return json;
    return `'${json.slice(1, -1).replace(/\\[\s\S]|'/g, (f) => (f === '\\"' ? '"' : f === "'" ? "\\'" : f))}'`;
  };
  const key = (of: string) => (dice(2) === 0 && /^[A-Za-z_$][\w$]*$/.test(of) ? of : text(of));
  const write = (of: unknown): string => {
    if (typeof of === 'string') return text(of);
    if (typeof of === 'number') return Object.is(of, -0) ? '-0' : dice(3) === 0 && of >= 0 ? `+${of}` : String(of);
    if (typeof of !== 'object' || of === null) return String(of);
    const members = Array.isArray(of)
      ? of.map((item) => `${space()}${write(item)}${space()}`)
      : Object.entries(of).map(([k, v]) => `${space()}${key(k)}${space()}:${space()}${write(v)}${space()}`);
    const tail = members.length > 0 && dice(3) === 0 ? `,${space()}` : '';
    const inner = members.length === 0 ? space() : `${members.join(',')}${tail}`;
    return Array.isArray(of) ? `[${inner}]` : `{${inner}}`;
  };
  return `${dice(4) === 0 ? '\ufeff' : ''}${space()}${write(thing)}${space()}`;
}

const document = fc
  .record({
    thing: value,
    rolls: fc.array(fc.nat(1_000), { minLength: 30, maxLength: 120 }),
    newline: fc.constantFrom('\n', '\r\n'),
  })
  .map(({ thing, rolls, newline }) => {
    let at = 0;
    const dice = (sides: number) => {
      at = (at + 1) % rolls.length;
      return (rolls[at] ?? 0) % sides;
    };
    return { thing, text: scribble(thing, dice, newline) };
  });

function isContainer(of: unknown): of is Record<string, unknown> {
  return typeof of === 'object' && of !== null;
}

/** Every path into the value, and some that lead nowhere yet. */
function pathsOf(thing: unknown): string[][] {
  if (!isContainer(thing)) return [[]];
  const below = Object.keys(thing).flatMap((key) => pathsOf(thing[key]).map((path) => [key, ...path]));
  const fresh = Array.isArray(thing) ? [[String(thing.length)]] : [['new key'], ['new', 'and below']];
  return [[], ...below, ...fresh];
}

function withValue(thing: unknown, [head, ...rest]: readonly string[], put: unknown): unknown {
  if (head === undefined) return put;
  const copy: Record<string, unknown> = Array.isArray(thing) ? ([...thing] as never) : {};
  if (!Array.isArray(thing)) for (const [k, v] of Object.entries(thing as object)) define(copy, k, v);
  const old = isContainer(thing) && Object.hasOwn(thing, head) ? thing[head] : {};
  define(copy, head, withValue(old, rest, put));
  return copy;
}

function without(thing: unknown, [head = '', ...rest]: readonly string[]): unknown {
  if (!isContainer(thing) || !Object.hasOwn(thing, head)) return thing;
  if (rest.length > 0) return withValue(thing, [head], without(thing[head], rest));
  if (Array.isArray(thing)) return thing.filter((_, i) => String(i) !== head);
  const copy: Record<string, unknown> = {};
  for (const [k, v] of Object.entries(thing)) if (k !== head) define(copy, k, v);
  return copy;
}

/** Whether every character of `small` is in `big`, in order. */
function isWithin(small: string, big: string): boolean {
  let at = 0;
  for (const character of big) if (character === small[at] || small.startsWith(character, at)) at += character.length;
  return at >= small.length;
}

const runs = { numRuns: 1_500 };

test('rule: after any edit the text means the edited value, and all that was there stays byte for byte', () => {
  fc.assert(
    fc.property(document, value, fc.nat(), ({ thing, text }, put, pick) => {
      expect(json5.parse(text)).toEqual(thing);
      const paths = pathsOf(thing);
      const path = paths[pick % paths.length] ?? [];
      const edited = setValue(text, path, put);
      expect(json5.parse(edited)).toEqual(withValue(thing, path, put));
      const node = nodeAt(text, path);
      expect(texts(edited)).toEqual(texts(text, (c) => node === null || !isIn(c, node.value)));
      if (node === null) {
        // Added: all of the old text, with something put in.
        expect(isWithin(text.replace(/\s+/g, ''), edited.replace(/\s+/g, ''))).toBe(true);
      } else {
        expect(edited.startsWith(text.slice(0, node.value.start))).toBe(true);
        expect(edited.endsWith(text.slice(node.value.end))).toBe(true);
      }
      // And once more the same edit changes nothing more in meaning.
      expect(json5.parse(setValue(edited, path, put))).toEqual(json5.parse(edited));
    }),
    runs,
  );
});

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Where the member at `path` stands in the text, and its value in it. */
function nodeAt(text: string, path: readonly string[]): (Range & { readonly value: Range }) | null {
  let node = syntaxOf(text);
  if (node === null) throw new Error('no value');
  let whole = { start: node.start, end: node.end, value: node as Range };
  for (const key of path) {
    const next: Member | undefined = node.kind === 'scalar' ? undefined : node.members.find((m) => m.name === key);
    if (next === undefined) return null;
    node = next.value;
    whole = { start: next.start, end: node.end, value: node };
  }
  return whole;
}

const texts = (text: string, keep: (comment: Range) => boolean = () => true): string[] =>
  commentsOf(text)
    .filter(keep)
    .map((c) => text.slice(c.start, c.end));

const isIn = (comment: Range, range: Range): boolean => comment.start >= range.start && comment.end <= range.end;

test('rule: what is taken out takes no comment with it but those inside', () => {
  fc.assert(
    fc.property(document, fc.nat(), ({ thing, text }, pick) => {
      const paths = pathsOf(thing).filter((path) => path.length > 0);
      const path = paths[pick % Math.max(1, paths.length)];
      if (path === undefined) return;
      const edited = unsetValue(text, path);
      expect(json5.parse(edited)).toEqual(without(thing, path));
      expect(isWithin(edited, text)).toBe(true);
      const gone = nodeAt(text, path);
      expect(texts(edited)).toEqual(texts(text, (c) => gone === null || !isIn(c, gone)));
    }),
    runs,
  );
});
