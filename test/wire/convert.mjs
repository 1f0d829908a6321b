// Makes fixture/connects.json and fixture/answers.json from recorded traffic between real OpenClaw clients and gateways.
//
//   node test/wire/convert.mjs DIRECTORY
//
// DIRECTORY holds `<release>/**/<command>.jsonl`: one JSON object a line, {conn, dir: "c2s"|"s2c", kind:
// "upgrade"|"frame"|…, headers?, frame?}. Nothing of the machine they were recorded on is taken over: no path, host
// name, address, token, key or id, only markers. The checkout has no such directory; the two files are committed.
import { createPublicKey, verify } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

const root = process.argv[2];
if (root === undefined) {
  console.error('usage: node test/wire/convert.mjs DIRECTORY');
  process.exit(2);
}

const METHODS = /^(health|status|system-presence|config\.get|device\.pair\.[a-zA-Z]+|device\.token\.[a-z]+)$/;

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return entry.name.endsWith('.jsonl') ? [path] : [];
  });
}

/** Which text the recorded signature is over. */
function signatureVersion(params, nonce) {
  const key = createPublicKey({
    key: Buffer.concat([
      Buffer.from('302a300506032b6570032100', 'hex'),
      Buffer.from(params.device.publicKey, 'base64url'),
    ]),
    format: 'der',
    type: 'spki',
  });
  const lower = (text) => (text ?? '').trim().replace(/[A-Z]/g, (c) => c.toLowerCase());
  const auth = params.auth ?? {};
  const base = [
    params.device.id,
    params.client.id,
    params.client.mode,
    params.role,
    params.scopes.join(','),
    params.device.signedAt,
    auth.token ?? auth.deviceToken ?? auth.bootstrapToken ?? '',
  ];
  const texts = {
    v1: ['v1', ...base],
    v2: ['v2', ...base, nonce],
    v3: ['v3', ...base, nonce, lower(params.client.platform), lower(params.client.deviceFamily)],
  };
  for (const [version, fields] of Object.entries(texts)) {
    const signed = Buffer.from(fields.join('|'));
    if (verify(null, signed, key, Buffer.from(params.device.signature, 'base64url'))) return version;
  }
  throw new Error(`a recorded signature verifies under no known text: ${JSON.stringify(params)}`);
}

/** Secrets of the recordings, as the converter knows them. */
function marked(auth) {
  const kind = (value) => (/^(throwaway-token-|tok-cap$)/.test(value) ? '<shared>' : '<other>');
  return Object.fromEntries(Object.entries(auth).map(([name, value]) => [name, kind(value)]));
}

function trimmed(params) {
  const { device: _device, auth, client, ...rest } = params;
  return {
    ...rest,
    client: { ...client, ...(client.instanceId === undefined ? {} : { instanceId: '<instance>' }) },
    ...(auth === undefined ? {} : { auth: marked(auth) }),
  };
}

/** `same`: the page's origin is the host it dialed. */
function originOf(headers) {
  if (headers.origin === undefined) return null;
  return headers.origin === `http://${headers.host}` ? 'same' : 'foreign';
}

const identities = new Map();
function identityName(id) {
  if (!identities.has(id)) identities.set(id, String.fromCharCode(65 + identities.size));
  return identities.get(id);
}

/** A whole configuration is the user's, not the protocol's: told as one object. */
const OPAQUE = /^payload\.(config|parsed|resolved|runtimeConfig|sourceConfig|appliedConfig)$/;

/** Key paths of a value with their types; `?` at the end: not in every object of that path. Keys that are ids become `*`. */
function shape(value, path, into) {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const seen = into.get(path) ?? { types: new Set(), count: 0 };
  into.set(path, { types: seen.types.add(type), count: seen.count + 1 });
  if (OPAQUE.test(path)) return;
  if (type === 'array') for (const member of value) shape(member, `${path}[]`, into);
  if (type === 'object')
    for (const [key, member] of Object.entries(value)) shape(member, `${path}.${keyName(key)}`, into);
}

function keyName(key) {
  return /^[A-Za-z_][A-Za-z0-9_-]{0,40}$/.test(key) ? key : '*';
}

const connects = new Map();
const answers = new Map();
let total = 0;

for (const path of walk(root).sort()) {
  const [release, ...parts] = relative(root, path).split('/');
  const folder = dirname(parts.join('/'));
  const command = `${folder === '.' ? '' : `${folder}/`}${basename(path, '.jsonl')}`;
  const upgrades = new Map();
  const nonces = new Map();
  const asked = new Map();
  let index = 0;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue;
    const { conn, dir, kind, headers, frame } = JSON.parse(line);
    if (kind === 'upgrade') upgrades.set(conn, headers);
    if (kind !== 'frame' || frame === null || typeof frame !== 'object') continue;
    if (dir === 's2c' && frame.event === 'connect.challenge') nonces.set(conn, frame.payload.nonce);
    if (dir === 'c2s' && frame.type === 'req') {
      asked.set(`${conn} ${frame.id}`, frame);
      if (frame.method !== 'connect') continue;
      const { params } = frame;
      const made = {
        release,
        command,
        index,
        count: 1,
        origin: originOf(upgrades.get(conn)),
        identity: params.device === undefined ? null : identityName(params.device.id),
        signature: params.device === undefined ? null : signatureVersion(params, nonces.get(conn)),
        params: trimmed(params),
      };
      index += 1;
      total += 1;
      const same = JSON.stringify({ ...made, index: 0 });
      const before = connects.get(same);
      if (before === undefined) connects.set(same, made);
      else before.count += 1;
    }
    const request = dir === 's2c' && frame.type === 'res' ? asked.get(`${conn} ${frame.id}`) : undefined;
    // `foreign-*`: answered by a throwaway server, so the requests are real and the answers are not.
    if (request === undefined || !METHODS.test(request.method) || command.includes('foreign-')) continue;
    const key = `${release} ${request.method} ${frame.ok ? 'ok' : 'error'}`;
    const entry = answers.get(key) ?? {
      release,
      method: request.method,
      ok: frame.ok,
      count: 0,
      params: new Map(),
      payload: new Map(),
    };
    entry.count += 1;
    shape(request.params, 'params', entry.params);
    shape(frame.ok ? frame.payload : frame.error, frame.ok ? 'payload' : 'error', entry.payload);
    answers.set(key, entry);
  }
}

function lines(records) {
  return `[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`;
}
function plain(paths) {
  const optional = (path) => {
    const parent = paths.get(path.replace(/\.[^.]*$/, ''));
    return !path.endsWith(']') && parent !== undefined && paths.get(path).count < parent.count;
  };
  return Object.fromEntries(
    [...paths]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, { types }]) => [path, `${[...types].sort().join('|')}${optional(path) ? '?' : ''}`]),
  );
}

const here = join(import.meta.dirname, 'fixture');
mkdirSync(here, { recursive: true });
writeFileSync(join(here, 'connects.json'), lines([...connects.values()]));
writeFileSync(
  join(here, 'answers.json'),
  lines(
    [...answers.values()]
      .sort((a, b) => (`${a.method} ${a.release}` < `${b.method} ${b.release}` ? -1 : 1))
      .map((entry) => ({ ...entry, params: plain(entry.params), payload: plain(entry.payload) })),
  ),
);
console.log(`${total} connects (${connects.size} different), ${answers.size} shapes of answers`);
