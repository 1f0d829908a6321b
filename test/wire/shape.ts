// The shape of a JSON value: its key paths and their types, and nothing of what stands there. Recorded answers are kept
// as shapes, and compared with the shapes of ours.

/**
 * `string`, `number`, `boolean`, `null`; `object`: one that isn't looked into. A list: `[]`, or `[shape of its members]`.
 * An object: the shapes of its keys; `name?` isn't in every object of that place, `*` stands for keys that are data.
 * Where several types stand in one place: `{"|": {type: shape}}`, by the names of these types, `list` and `object`.
 */
export type Shape = string | readonly [] | readonly [Shape] | { readonly [key: string]: Shape } | Several;
interface Several {
  readonly '|': Readonly<Record<string, Shape>>;
}

/** A whole configuration is its owner's, not the protocol's. */
const OPAQUE = /^(config|parsed|resolved|runtimeConfig|sourceConfig|appliedConfig)$/;
/** Objects whose keys are data: ids of channels and accounts, kinds of tasks and of errors. */
const KEYED =
  /^(channels|channelLabels|channelDetailLabels|channelSystemImages|channelAccounts|channelDefaultAccountId|byStatus|byRuntime|byCode)$/;
/** A key that is no name is an id. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,40}$/;

/** Everything seen at one place. */
interface Place {
  readonly plain: Set<string>;
  list: { members: Place | null } | null;
  object: { count: number; readonly keys: Map<string, { place: Place; count: number }> } | null;
}

const blank = (): Place => ({ plain: new Set(), list: null, object: null });

function note(place: Place, value: unknown, key: string): void {
  if (Array.isArray(value)) {
    place.list ??= { members: null };
    for (const member of value) {
      place.list.members ??= blank();
      note(place.list.members, member, '');
    }
    return;
  }
  if (typeof value !== 'object' || value === null || OPAQUE.test(key)) {
    place.plain.add(value === null ? 'null' : typeof value);
    return;
  }
  place.object ??= { count: 0, keys: new Map() };
  place.object.count += 1;
  for (const [name, member] of Object.entries(value)) {
    const folded = KEYED.test(key) || !NAME.test(name) ? '*' : name;
    const under = place.object.keys.get(folded) ?? { place: blank(), count: 0 };
    place.object.keys.set(folded, { place: under.place, count: under.count + 1 });
    note(under.place, member, name);
  }
}

function written({ plain, list, object }: Place): Shape {
  const found: Record<string, Shape> = {};
  for (const type of [...plain].sort()) found[type] = type;
  if (list !== null) found.list = list.members === null ? [] : [written(list.members)];
  if (object !== null) {
    const { count, keys } = object;
    const named = [...keys].map(([name, under]) => {
      const isSometimes = name !== '*' && under.count < count;
      return [isSometimes ? `${name}?` : name, written(under.place)] as const;
    });
    found.object = Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  const all = Object.values(found);
  return all.length === 1 && all[0] !== undefined ? all[0] : { '|': found };
}

export function shapeOf(value: unknown): Shape {
  const place = blank();
  note(place, value, '');
  return written(place);
}

/** What may stand at a place, by type. */
function types(shape: Shape): Readonly<Record<string, Shape>> {
  if (typeof shape === 'string') return { [shape]: shape };
  if (Array.isArray(shape)) return { list: shape };
  return '|' in shape ? (shape as Several)['|'] : { object: shape };
}

export interface Difference {
  /** `payload.agents[].heartbeat.everyMs` */
  readonly path: string;
  readonly how: string;
}

/** What was recorded and isn't so in `ours`: the topmost path of each. What ours has beside it is no difference. */
export function differences(recorded: Shape, ours: Shape, path: string): Difference[] {
  const [was, is] = [types(recorded), types(ours)];
  // Recorded as nothing but null: that something may stand there says the name alone.
  const strange =
    was.null !== undefined && Object.keys(was).length === 1 ? [] : Object.keys(is).filter((t) => was[t] === undefined);
  if (strange.length > 0)
    return [{ path, how: `${path} is ${strange.join(' or ')}, was ${Object.keys(was).join(' or ')}` }];
  return [...members(was.list, is.list, path), ...keys(was.object, is.object, path)];
}

function members(was: Shape | undefined, is: Shape | undefined, path: string): Difference[] {
  const [recorded] = (was ?? []) as readonly Shape[];
  if (recorded === undefined || is === undefined) return [];
  const [ours] = is as readonly Shape[];
  // An empty list shows nothing of its members.
  if (ours === undefined) return [{ path: `${path}[]`, how: `${path} is empty, and was not` }];
  return differences(recorded, ours, `${path}[]`);
}

function keys(was: Shape | undefined, is: Shape | undefined, path: string): Difference[] {
  if (was === undefined || is === undefined || typeof was === 'string' || typeof is === 'string') return [];
  const ours = is as Readonly<Record<string, Shape>>;
  return Object.entries(was as Readonly<Record<string, Shape>>).flatMap(([key, recorded]) => {
    const isSometimes = key.endsWith('?') || key === '*';
    const name = key.replace(/\?$/, '');
    const always = ours[name];
    const have = always ?? ours[`${name}?`];
    if (have !== undefined && (isSometimes || always !== undefined))
      return differences(recorded, have, `${path}.${name}`);
    if (isSometimes) return [];
    const how = have === undefined ? 'is missing' : 'is not in each of them';
    return [{ path: `${path}.${name}`, how: `${path}.${name} ${how}` }];
  });
}
