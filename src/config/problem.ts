import { Errors } from 'typebox/schema';
import { isVast } from '../core/protocol/vast.ts';
import { nearest } from '../system/text.ts';
import { dotted } from './locate.ts';
import { ConfigFile, EXPLAINED } from './schema.ts';

/** One thing that is wrong with a configuration. Never quotes a value: it may be a secret. */
export interface Problem {
  /** JSON pointer of the key: `/gateway/port`. */
  readonly pointer: string;
  readonly why: string;
  readonly run?: string;
}

interface SchemaNode {
  readonly title?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
}

/** Values in a configuration: ten times what anybody has written. More are judged, and not explained. */
const VALUES_MAX = 20_000;

/** What is wrong with `value`, each place once, in the order of the schema. */
export function problemsOf(value: unknown): readonly Problem[] {
  if (isVast(value, VALUES_MAX)) return [{ pointer: '', why: `holds more than ${VALUES_MAX} values` }];
  const problems = new Map<string, Problem>();
  const add = (problem: Problem) => {
    // Once something is wrong at a place, what is wrong inside it says nothing more.
    const inside = [...problems.keys()].some((p) => problem.pointer === p || problem.pointer.startsWith(`${p}/`));
    if (!inside) problems.set(problem.pointer, problem);
  };
  const [, errors] = Errors(ConfigFile, value);
  for (const { keyword, instancePath, params } of errors) {
    if (keyword !== 'additionalProperties') continue;
    const { node, pointer } = titled(instancePath);
    // Inside a field that may be one of several things, the field's own words say more.
    if (pointer !== instancePath) continue;
    if (node.patternProperties !== undefined) add({ pointer, why: `must be ${node.title ?? 'something else'}` });
    if (node.properties === undefined) continue;
    const known = Object.keys(node.properties);
    for (const name of (params as { additionalProperties: string[] }).additionalProperties) {
      add(unknownKey(`${instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, name, known));
    }
  }
  for (const { keyword, instancePath } of errors) {
    if (keyword === 'additionalProperties' || keyword === 'boolean') continue;
    const { node, pointer } = titled(instancePath);
    add({ pointer, why: `must be ${node.title ?? 'something else'}` });
  }
  return [...problems.values()];
}

function unknownKey(pointer: string, name: string, known: readonly string[]): Problem {
  const key = dotted(pointer);
  const explained = Object.hasOwn(EXPLAINED, key) ? EXPLAINED[key] : undefined;
  if (explained !== undefined) return { pointer, why: explained };
  const near = nearest(name, known);
  const hint = near === null ? `there are: ${known.join(', ')}` : `did you mean '${near}'?`;
  return { pointer, why: `there is no such key; ${hint}` };
}

/** Never what an object inherits. */
function childOf(node: SchemaNode, name: string): SchemaNode | undefined {
  if (node.properties !== undefined && Object.hasOwn(node.properties, name)) return node.properties[name];
  return Object.values(node.patternProperties ?? {})[0] ?? node.items;
}

/** The innermost part of the schema on the way to `pointer` that says in words what it wants. */
function titled(pointer: string): { readonly node: SchemaNode; readonly pointer: string } {
  let node = ConfigFile as SchemaNode;
  let best = { node, pointer: '' };
  let path = '';
  for (const part of pointer.split('/').slice(1)) {
    path += `/${part}`;
    const next: SchemaNode | undefined = childOf(node, part);
    if (next === undefined) break;
    node = next;
    if (node.title !== undefined) best = { node, pointer: path };
  }
  return best;
}
