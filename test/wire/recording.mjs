// Reads recorded traffic between real OpenClaw clients and gateways, and takes over nothing of the machine that it was
// recorded on: no path, host name, address, token, key or id, only markers.
import { createPublicKey, verify } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return entry.name.endsWith('.jsonl') ? [path] : [];
  });
}

/** Every recorded command: its release, its name (`fresh/devices-list`), and its lines in the order of time. */
export function recordings(root) {
  return walk(root)
    .sort()
    .map((path) => {
      const [release, ...parts] = relative(root, path).split('/');
      const folder = dirname(parts.join('/'));
      const command = `${folder === '.' ? '' : `${folder}/`}${basename(path, '.jsonl')}`;
      const lines = readFileSync(path, 'utf8').split('\n');
      return { release, command, lines: lines.filter((line) => line !== '').map((line) => JSON.parse(line)) };
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

/** A `connect` as it was sent, but for what is signed and secret. */
export function connectOf(params, headers, nonce) {
  return {
    origin: originOf(headers),
    identity: params.device === undefined ? null : identityName(params.device.id),
    signature: params.device === undefined ? null : signatureVersion(params, nonce),
    params: trimmed(params),
  };
}

/** One record a line. */
export function lines(records) {
  return `[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]`;
}
