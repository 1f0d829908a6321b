// JSON texts as trees that can also hold what no serialiser writes: a key twice, 1e400, half a surrogate pair. And a
// seeded way of spoiling them.

import type { Random } from '../random.ts';

/** `raw`: text that is put out as it is. Keys are put out as they are too, with their quotes. */
export type Json =
  | { readonly kind: 'raw'; text: string }
  | { readonly kind: 'list'; readonly items: Json[] }
  | { readonly kind: 'object'; readonly entries: { key: string; value: Json }[] };

export function toTree(value: unknown): Json {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(toTree) };
  if (typeof value !== 'object' || value === null) return { kind: 'raw', text: JSON.stringify(value) };
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return {
    kind: 'object',
    entries: entries.map(([key, inner]) => ({ key: JSON.stringify(key), value: toTree(inner) })),
  };
}

export function textOf(json: Json): string {
  switch (json.kind) {
    case 'raw':
      return json.text;
    case 'list':
      return `[${json.items.map(textOf).join(',')}]`;
    case 'object':
      return `{${json.entries.map(({ key, value }) => `${key}:${textOf(value)}`).join(',')}}`;
  }
}

const nested = (depth: number, open: string, middle: string, close: string) =>
  `${open.repeat(depth)}${middle}${close.repeat(depth)}`;

/** Values that parsers and schemas have stumbled over. */
const HOSTILE: readonly (() => string)[] = [
  () => 'null',
  () => 'true',
  () => 'false',
  () => '0',
  () => '-0',
  () => '-1',
  () => '1.5',
  () => '1e400',
  () => '-1e400',
  () => '1e-400',
  () => '9007199254740993',
  () => '123456789012345678901234567890',
  () => '3',
  () => '4',
  () => '[]',
  () => '{}',
  () => '[[]]',
  () => '[null]',
  () => '""',
  () => '" "',
  () => '"\\ud800"',
  () => '"\\udc00\\ud800"',
  () => '"\\u0000"',
  () => '"\\r\\nX: y"',
  () => '"a|b"',
  () => '"a,b"',
  () => '"operator.admin"',
  () => '"operator"',
  () => '"node"',
  () => '"__proto__"',
  () => '["operator.admin","operator.admin"]',
  () => '{"__proto__":{"ok":true,"role":"operator"}}',
  () => '{"toString":null,"valueOf":1,"length":-1}',
  () => '{"length":1,"0":"operator.admin"}',
  () => `"${'x'.repeat(2_000)}"`,
  () => `"${'\u{1f511}'.repeat(5_000)}"`,
  () => `"${'x'.repeat(70_000)}"`,
  () => nested(2_000, '[', '1', ']'),
  () => nested(5_000, '{"a":', '1', '}'),
  () => nested(30_000, '[', '', ']'),
  () => nested(100_000, '[', '', ']'),
  () => `[${'0,'.repeat(5_000)}0]`,
  () => `{${Array.from({ length: 2_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
  () => 'NaN',
  () => 'undefined',
  () => "'x'",
  () => '01',
  () => '"\t"',
  () => '/**/1',
];

const KEYS: readonly string[] = [
  '"__proto__"',
  '"constructor"',
  '"prototype"',
  '"toString"',
  '"hasOwnProperty"',
  '""',
  '"id"',
  '"auth"',
  '"device"',
  '"role"',
  '"scopes"',
  '"principal"',
  '"isOwner"',
  '"\\u0061uth"',
  '"Auth"',
  '"ownerProof"',
  '"approvalRuntimeToken"',
  '"agentRuntimeIdentityToken"',
  '"as"',
];

/** One place in a tree, and how to put something else there. */
interface Place {
  readonly value: Json;
  put(value: Json): void;
}

function places(root: { value: Json }): Place[] {
  const found: Place[] = [
    {
      value: root.value,
      put: (value) => {
        root.value = value;
      },
    },
  ];
  const visit = (json: Json): void => {
    if (json.kind === 'object') {
      for (const entry of json.entries) {
        found.push({
          value: entry.value,
          put: (value) => {
            entry.value = value;
          },
        });
        visit(entry.value);
      }
    } else if (json.kind === 'list') {
      for (const [at, item] of json.items.entries()) {
        found.push({
          value: item,
          put: (value) => {
            json.items[at] = value;
          },
        });
        visit(item);
      }
    }
  };
  visit(root.value);
  return found;
}

const raw = (text: string): Json => ({ kind: 'raw', text });
const copy = (json: Json): Json => structuredClone(json);

/** Spoils the tree in one place. */
function spoil(root: { value: Json }, dice: Random): void {
  const all = places(root);
  const objects = all.flatMap(({ value }) => (value.kind === 'object' ? [value] : []));
  const full = objects.filter((object) => object.entries.length > 0);
  const hostile = () => raw(dice.pick(HOSTILE)());
  const kind = dice.int(full.length === 0 ? 2 : 10);
  if (kind <= 1) {
    dice.pick(all).put(hostile());
    return;
  }
  const { entries } = dice.pick(full);
  const at = dice.int(entries.length);
  const entry = entries[at];
  if (entry === undefined) return;
  switch (kind) {
    case 2:
      entries.splice(at, 1);
      return;
    case 3:
      entries.splice(dice.int(entries.length + 1), 0, { key: entry.key, value: hostile() });
      return;
    case 4:
      entries.splice(dice.int(entries.length + 1), 0, { key: entry.key, value: copy(entry.value) });
      return;
    case 5:
      entries.splice(dice.int(entries.length + 1), 0, { key: dice.pick(KEYS), value: hostile() });
      return;
    case 6: {
      const other = dice.pick(all);
      const mine = copy(entry.value);
      entry.value = copy(other.value);
      if (other.value !== root.value) other.put(mine);
      return;
    }
    case 7:
      entry.key = dice.pick([...KEYS, entry.key.toUpperCase(), `" ${entry.key.slice(1)}`]);
      return;
    case 8:
      entry.value = dice.int(2) === 0 ? { kind: 'list', items: [entry.value] } : wrapped(entry);
      return;
    default:
      entries.push({ key: '"__proto__"', value: copy(entry.value) });
  }
}

function wrapped(entry: { readonly key: string; readonly value: Json }): Json {
  return { kind: 'object', entries: [{ key: entry.key, value: entry.value }] };
}

/** Spoils the text itself. */
function tear(text: string, dice: Random): string {
  const at = dice.int(text.length);
  switch (dice.int(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return (
        text.slice(0, at) + dice.pick(['"', '{', '}', ',', ':', '\\', '\u0000', '\u2028', '\ufeff']) + text.slice(at)
      );
    case 2:
      return text.slice(0, at) + text.slice(at + 1);
    case 3:
      return text + text;
    case 4:
      return `\ufeff${text}`;
    default:
      return ` \n\t${text}\r\n `;
  }
}

/** A spoilt copy: one to four places, and now and then the text as such. */
export function mutated(value: unknown, dice: Random): string {
  const root = { value: toTree(value) };
  for (let times = 1 + dice.int(4); times > 0; times -= 1) spoil(root, dice);
  const text = textOf(root.value);
  return dice.int(8) === 0 ? tear(text, dice) : text;
}
