import { type Apply, applyOf, isSecret, KEYS, ROOT, rowOf, type SchemaNode } from './apply.ts';
import type { Path } from './edit.ts';
import { isRecord } from './record.ts';

/** JSON Schema's own words for when a change of a key takes effect, as OpenClaw's clients read them. */
export type ReloadKind = 'hot' | 'restart' | 'none';

const KIND: Readonly<Record<Apply, ReloadKind>> = { live: 'hot', restart: 'restart', none: 'none' };

export function reloadKindOf(path: Path): ReloadKind {
  return KIND[applyOf(path)];
}

const WHEN: Readonly<Record<Apply, string>> = {
  live: 'A change applies at once.',
  restart: 'A change applies with the next start of the gateway.',
  none: 'The running gateway does not read it.',
};

/** The JSON Schema of latchkey.json, for editors. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  const schema = described(JSON.parse(JSON.stringify(ROOT)), []);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...schema,
    title: 'latchkey.json',
    description: 'The configuration of a Latchkey gateway. JSON5: comments and trailing commas may stand in it.',
    // Editors that read it as JSON are to accept what JSON5 accepts.
    allowTrailingCommas: true,
  };
}

type Plain = Readonly<Record<string, unknown>>;

/** What each value must be stays in the words that its refusal would have. */
function described(node: Plain, path: Path): Plain {
  const { title, ...rest } = node;
  const out: Record<string, unknown> = { ...rest };
  for (const inner of ['properties', 'patternProperties']) {
    const children = node[inner];
    if (!isRecord(children)) continue;
    out[inner] = Object.fromEntries(
      Object.entries(children).map(([name, child]) => [
        name,
        described(child as Plain, [...path, inner === 'properties' ? name : '*']),
      ]),
    );
  }
  const row = rowOf(path);
  // Its own row, not that of a value around it.
  const about = row?.split('.').length === path.length ? KEYS[row] : undefined;
  if (about !== undefined) {
    const [apply, purpose] = about;
    out.title = path.join('.');
    out.description = `${purpose} It is ${String(title ?? 'any value')}. ${WHEN[apply]}`;
  }
  return out;
}

/** What `config.schema.lookup` says of one place. */
export interface Lookup {
  readonly path: string;
  readonly schema: unknown;
  readonly reloadKind: ReloadKind;
  readonly hint: Hint;
  readonly hintPath: string;
  readonly children: readonly Child[];
}

export interface Hint {
  readonly label: string;
  readonly help?: string;
  readonly sensitive?: true;
}

interface Child {
  readonly key: string;
  readonly path: string;
  readonly type?: string;
  readonly required: boolean;
  readonly hasChildren: boolean;
  readonly reloadKind: ReloadKind;
  readonly hint: Hint;
  readonly hintPath: string;
}

/** What the schema says of a path; `null`: there is no such key. */
export function lookupSchema(path: Path): Lookup | null {
  let node: SchemaNode | undefined = ROOT;
  for (const part of path) node = childOf(node, part);
  if (node === undefined) return null;
  const { required = [] } = node;
  const children = Object.entries(node.properties ?? {}).map(([key, child]): Child => {
    const inner = [...path, key];
    return {
      key,
      path: inner.join('.'),
      ...(child.type === undefined ? {} : { type: child.type }),
      required: required.includes(key),
      hasChildren: child.properties !== undefined,
      reloadKind: reloadKindOf(inner),
      hint: hintOf(inner),
      hintPath: inner.join('.'),
    };
  });
  const name = path.join('.');
  const schema = described(JSON.parse(JSON.stringify(node)), path);
  return { path: name, schema, reloadKind: reloadKindOf(path), hint: hintOf(path), hintPath: name, children };
}

function childOf(node: SchemaNode | undefined, name: string): SchemaNode | undefined {
  if (node?.properties !== undefined && Object.hasOwn(node.properties, name)) return node.properties[name];
  const [free] = Object.values(node?.patternProperties ?? {});
  return free ?? (/^\d+$/.test(name) ? node?.items : undefined);
}

function hintOf(path: Path): Hint {
  const row = rowOf(path);
  const help = row === null ? undefined : KEYS[row]?.[1];
  return {
    label: path.at(-1) ?? 'latchkey.json',
    ...(help === undefined ? {} : { help }),
    ...(isSecret(path) ? { sensitive: true as const } : {}),
  };
}

/** `uiHints` of `config.schema`: by path. */
export function uiHints(): Readonly<Record<string, Hint>> {
  return Object.fromEntries(Object.keys(KEYS).map((key) => [key, hintOf(key.split('.'))]));
}
