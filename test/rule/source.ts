// What the rule tests look at: the project's files, and their syntax trees.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve } from 'node:path';
import { parseSync } from 'vite';

export const root = resolve(import.meta.dirname, '../..');

/** Written by tools or by others; never part of the sources. */
const skipped = new Set(['node_modules', 'dist', 'coverage', '.cache', '.git']);

/** One file: its path from the project's root with `/`, and its text. */
export type Source = { readonly path: string; readonly text: string };

/** A node of the tree (ESTree with TypeScript), as far as a rule needs to know it. */
export type Node = { readonly type: string; readonly start: number; readonly end: number } & Record<string, unknown>;

/** A finding: where, and what a person should do about it. */
export type Finding = string;

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** Every file below the given folders or files of the project, sorted; none for what is missing. */
export function filesUnder(...places: string[]): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) found.push(relative(root, path).replaceAll('\\', '/'));
    }
  };
  for (const place of places) if (existsSync(join(root, place))) walk(join(root, place));
  return found.sort();
}

export const read = (path: string): Source => ({ path, text: readFileSync(join(root, path), 'utf8') });

/** The TypeScript sources below the given folders. */
export const sourcesUnder = (...folders: string[]): Source[] =>
  filesUnder(...folders)
    .filter((path) => /\.tsx?$/.test(path))
    .map(read);

/** Tests, and the contract suites that tests run. */
export const isTest = (path: string): boolean => /\.test\.tsx?$|\.nightly\.ts$|(^|\/)suite\.ts$/.test(path);

const trees = new WeakMap<Source, Node>();

export function parse(source: Source): Node {
  const known = trees.get(source);
  if (known) return known;
  const { program, errors } = parseSync(source.path, source.text);
  if (errors[0]) throw new Error(`${source.path}: ${errors[0].message}`);
  const tree = program as unknown as Node;
  trees.set(source, tree);
  return tree;
}

/** Calls `see` for each node below `node`, parents first; `parents` ends with the nearest one. */
export function visit(node: Node, see: (node: Node, parents: readonly Node[]) => void): void {
  const parents: Node[] = [];
  const go = (at: Node): void => {
    see(at, parents);
    parents.push(at);
    for (const value of Object.values(at)) {
      if (Array.isArray(value)) for (const item of value) isNode(item) && go(item);
      else if (isNode(value)) go(value);
    }
    parents.pop();
  };
  go(node);
}

export const lineOf = ({ text }: Source, offset: number): number => text.slice(0, offset).split('\n').length;

export const at = (source: Source, node: Node): string => `${source.path}:${lineOf(source, node.start)}`;

/** `a.b` for a member access whose parts are plain names, `a` for a name, else ''. */
export function dotted(node: unknown): string {
  if (!isNode(node)) return '';
  if (node.type === 'Identifier') return String(node.name);
  if (node.type !== 'MemberExpression' || !isNode(node.property)) return '';
  const property = node.property;
  const name = node.computed ? property.value : property.name;
  const object = dotted(node.object);
  return typeof name === 'string' ? `${object || '?'}.${name}` : '';
}

/** The value of a string literal or of a template without holes. */
export function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node.type !== 'TemplateLiteral') return undefined;
  const quasis = node.quasis as { value: { cooked: string } }[];
  return quasis.length === 1 ? quasis[0]?.value.cooked : undefined;
}

export type Import = {
  /** As written; undefined where it is computed. */
  readonly specifier: string | undefined;
  /** From the project's root, for relative ones. */
  readonly target: string | undefined;
  readonly isType: boolean;
  /** The imported names; `*` for all of them. */
  readonly names: readonly string[];
  readonly node: Node;
};

const named = (value: unknown): string => {
  const node = value as Node;
  return String(node.name ?? node.value);
};

function importedNames(node: Node): { names: string[]; isType: boolean } {
  const specifiers = (node.specifiers ?? []) as Node[];
  const names = specifiers.map((one) => {
    if (one.type === 'ImportSpecifier') return named(one.imported);
    if (one.type === 'ExportSpecifier') return named(one.local);
    return one.type === 'ImportDefaultSpecifier' ? 'default' : '*';
  });
  if (node.type === 'ExportAllDeclaration') names.push('*');
  const kinds = specifiers.map((one) => one.importKind ?? one.exportKind);
  const whole = (node.importKind ?? node.exportKind) === 'type';
  return { names, isType: whole || (kinds.length > 0 && kinds.every((kind) => kind === 'type')) };
}

/** Everything a file imports, in any of the ways TypeScript knows. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  const add = (node: Node, from: unknown, names: readonly string[], isType: boolean): void => {
    const specifier = textOf(from);
    const isRelative = specifier?.startsWith('.');
    const target = isRelative ? posix.join(posix.dirname(source.path), specifier ?? '') : undefined;
    found.push({ specifier, target, isType, names, node });
  };
  visit(parse(source), (node) => {
    if (/^(Import|ExportNamed|ExportAll)Declaration$/.test(node.type) && isNode(node.source)) {
      const { names, isType } = importedNames(node);
      add(node, node.source, names, isType);
    } else if (node.type === 'ImportExpression') add(node, node.source, ['*'], false);
    else if (node.type === 'TSImportType') add(node, node.source ?? node.argument, ['*'], true);
    else if (node.type === 'CallExpression' && /^(require|process\.getBuiltinModule)$/.test(dotted(node.callee))) {
      add(node, (node.arguments as Node[])[0], ['*'], false);
    }
  });
  return found;
}
