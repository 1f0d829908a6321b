import { Compile } from 'typebox/compile';
import { expect, test } from 'vitest';
import {
  applyOf,
  changedKeys,
  changesBetween,
  inForce,
  isSecret,
  KEYS,
  leavesOf,
  ROOT,
  rowOf,
  type SchemaNode,
} from './apply.ts';
import { jsonSchema, lookupSchema, reloadKindOf, uiHints } from './describe.ts';
import { nearestPath, parsePath } from './path.ts';
import { SECRET_PATHS, SecretInput } from './schema.ts';

test('rule: every key of the schema says when a change of it applies, and no row speaks for a key that is gone', () => {
  expect(Object.keys(KEYS).sort()).toEqual([...leavesOf()].sort());
  for (const [key, [, about]] of Object.entries(KEYS)) expect(about, key).toMatch(/^[A-Z].*\.$/);
});

test('rule: leaves are found below objects and keys of free choice', () => {
  const leaf = { type: 'string' };
  const schema = {
    properties: { a: { properties: { b: leaf } }, c: { patternProperties: { '^.*$': { properties: { d: leaf } } } } },
  };
  expect(leavesOf(schema)).toEqual(['a.b', 'c.*.d']);
});

test('rule: what lies in a value applies as the value does; an object, as the last of what is in it', () => {
  expect(rowOf(['gateway', 'allowedHosts', '3'])).toBe('gateway.allowedHosts');
  expect(rowOf(['gateway', 'auth', 'token', 'id'])).toBe('gateway.auth.token');
  expect(rowOf(['gateway'])).toBeNull();
  expect(applyOf(['gateway'])).toBe('restart');
  expect(applyOf(['gateway', 'auth'])).toBe('live');
  expect(applyOf(['$schema'])).toBe('none');
  expect(['gateway.port', 'logging', '$schema'].map((key) => reloadKindOf(key.split('.')))).toEqual([
    'restart',
    'hot',
    'none',
  ]);
});

test('rule: two configurations differ in the keys that they differ in', () => {
  const before = { gateway: { port: 1, allowedHosts: ['a'], auth: { token: 'x' } } };
  const after = { gateway: { port: 1, allowedHosts: ['a', 'b'] }, logging: { level: 'debug' } };
  const changes = changesBetween(before, after);
  expect(changes.map(({ path }) => path.join('.'))).toEqual(['gateway.allowedHosts', 'gateway.auth', 'logging']);
  expect(changedKeys(before, after)).toEqual(['gateway.allowedHosts', 'gateway.auth.token', 'logging.level']);
  expect(changedKeys(before, {})).toEqual(['gateway.port', 'gateway.allowedHosts', 'gateway.auth.token']);
  expect(changesBetween(before, structuredClone(before))).toEqual([]);
  expect(changesBetween({ a: [{ b: 1 }] }, { a: [{ b: 1 }] })).toEqual([]);
  expect(changesBetween({}, JSON.parse('{"__proto__": {"x": 1}}'))).toHaveLength(1);
});

test('rule: in force is what applies live from the file, and the rest as it was at the start', () => {
  const boot = { gateway: { port: 1, bind: 'loopback', pairing: { ask: 'open' } }, logging: { level: 'info' } };
  const file = { gateway: { port: 2, customBindHost: '::1', pairing: { ask: 'closed' } } };
  expect(inForce(boot, file)).toEqual({ gateway: { port: 1, bind: 'loopback', pairing: { ask: 'closed' } } });
  expect(inForce(boot, {})).toEqual({ gateway: { port: 1, bind: 'loopback' } });
  expect(inForce({}, file)).toEqual({ gateway: { pairing: { ask: 'closed' } } });
  expect(inForce(boot, boot)).toEqual(boot);
});

test('rule: editors get a JSON Schema that says of each key what it is and when it applies', () => {
  const schema = jsonSchema();
  const text = JSON.stringify(schema);
  expect(text).toContain(
    '"title":"gateway.port","description":"The TCP port of clients: WebSocket and HTTP. It is a port, 0 to 65535',
  );
  expect(text).toContain('A change applies with the next start of the gateway.');
  const validator = Compile(JSON.parse(text));
  expect(
    validator.Check({ $schema: './x.json', gateway: { port: 1, auth: { token: { source: 'env', id: 'T' } } } }),
  ).toBe(true);
  expect(validator.Check({ gateway: { prot: 1 } })).toBe(false);
  expect(validator.Check({ logging: { level: 'loud' } })).toBe(false);
});

test('rule: a lookup says of one key what it is, of an object what is in it, of nothing that there is nothing', () => {
  expect(lookupSchema(['gateway', 'port'])).toMatchObject({
    path: 'gateway.port',
    schema: { type: 'integer', title: 'gateway.port' },
    reloadKind: 'restart',
    hint: { label: 'port', help: KEYS['gateway.port']?.[1] },
    children: [],
  });
  const auth = lookupSchema(['gateway', 'auth']);
  expect(auth?.children.find(({ key }) => key === 'token')).toMatchObject({
    path: 'gateway.auth.token',
    hasChildren: false,
    reloadKind: 'hot',
    hint: { sensitive: true },
  });
  expect(lookupSchema(['gateway', 'allowedHosts', '0'])?.schema).toMatchObject({ type: 'string' });
  for (const path of ['gatway', 'gateway.port.x', '__proto__', 'gateway.constructor', 'gateway.auth.toString']) {
    expect(lookupSchema(path.split('.')), path).toBeNull();
  }
  for (const path of SECRET_PATHS) expect([isSecret(path), uiHints()[path.join('.')]?.sensitive]).toEqual([true, true]);
});

test('threat 52: every field of the schema that takes a secret is named as one, and hidden', () => {
  const fields = leavesOf().filter((leaf) => {
    let node: SchemaNode | undefined = ROOT;
    for (const part of leaf.split('.'))
      node = node?.properties?.[part] ?? (part === '*' ? Object.values(node?.patternProperties ?? {})[0] : undefined);
    return node?.title === (SecretInput as SchemaNode).title;
  });
  expect(fields.length).toBeGreaterThan(0);
  expect(fields.sort()).toEqual(SECRET_PATHS.map((path) => path.join('.')).sort());
});

test('rule: paths are read as people write them', () => {
  expect(parsePath('gateway.auth.token')).toEqual(['gateway', 'auth', 'token']);
  expect(parsePath('$schema')).toEqual(['$schema']);
  expect(parsePath('a.list[0].b')).toEqual(['a', 'list', '0', 'b']);
  expect(parsePath('a["b.c\\u0064"][1]')).toEqual(['a', 'b.cd', '1']);
  for (const text of ['', '.', 'a.', '.a', 'a..b', 'a[', 'a[x]', 'a["b]', 'a b"'])
    expect(parsePath(text), text).toBeNull();
  expect(nearestPath(['gateway', 'prot'])).toBe('gateway.port');
  expect(nearestPath(['gatway'])).toBe('gateway');
  expect(nearestPath(['entirely', 'different', 'things'])).toBeNull();
});
