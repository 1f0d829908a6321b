// One broken clause for each check: what `prove.mjs` builds, and what the check must then notice.

export interface Mutant {
  /** What is wrong with it, in words. */
  readonly what: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const mutant = (what: string, file: string, from: string, to: string): Mutant => ({ what, file, from, to });

const ANY_V2 = mutant(
  'any v2 signature is taken',
  'src/gateway/connect.ts',
  "return keys.verify(device.publicKey, signedText({ version: 'v2', ...signed }), device.signature) ? id : 'signature';",
  'return id;',
);
const ANY_NONCE = mutant(
  'the nonce is not compared',
  'src/gateway/connect.ts',
  "if (device.nonce !== f.challenge?.nonce) return 'nonce_mismatch';",
  '',
);
const NO_BRAKE = mutant(
  'guesses are answered at once',
  'src/gateway/guess.ts',
  'if (over <= 0) return 0;',
  'return 0;',
);

/** By the id of the check. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'D1.1': mutant(
    'a first frame that is no connect is refused, and the socket stays',
    'src/core/connection/connection.ts',
    "if (method !== 'connect') return close('not_connect', { kind: 'refuse', id, code: 'not_connect' });",
    "if (method !== 'connect') return stay(state, { kind: 'refuse', id, code: 'not_connect' });",
  ),
  'D1.2': ANY_V2,
  'D1.2 secret': mutant(
    'any secret is the right one',
    'src/gateway/connect.ts',
    'brought.some((field) => keys.same(field, own))',
    "brought.some((field) => field !== '')",
  ),
  'D1.3': mutant(
    'the envelope of a request is open',
    'src/core/protocol/frame.ts',
    'expectedProfileId: Type.Optional(Type.String({ maxLength: 256 })),\n  },\n  { additionalProperties: false },',
    'expectedProfileId: Type.Optional(Type.String({ maxLength: 256 })),\n  },\n  { additionalProperties: true },',
  ),
  'D1.4': mutant(
    'binary messages are taken as text',
    'src/gateway/listen/websocket.ts',
    "if (isBinary) this.close(UNSUPPORTED_DATA, '');\n      else receiver",
    'if (isBinary) receiver.message((data as Buffer).toString());\n      else receiver',
  ),
  'D1.6': mutant(
    'twice as much is taken before hello',
    'src/gateway/listen/websocket.ts',
    'this.allow(PREAUTH_MESSAGE_BYTES);',
    'this.allow(2 * PREAUTH_MESSAGE_BYTES);',
  ),
  'D1.7': mutant(
    'compression is agreed to',
    'src/gateway/listen/tcp.ts',
    'perMessageDeflate: false,',
    'perMessageDeflate: true,',
  ),
  'D1.8': mutant(
    'a second connect is judged anew',
    'src/core/connection/connection.ts',
    "if (state.listening || state.connecting !== null || state.door !== 'owner') {",
    'if (state.connecting !== null) {',
  ),
  'D1.9': mutant(
    'paths are decoded before they are looked up',
    'src/gateway/http/http.ts',
    'ROUTES.get(path)',
    'ROUTES.get(decodeURIComponent(path))',
  ),
  'D2.10': ANY_NONCE,
  'D2.10 restart': ANY_NONCE,
  'D2.11': mutant(
    'every nonce is the same',
    'src/main/keys.ts',
    'const s = newNonce();',
    "const s = 'A'.repeat(43 + 0 * newNonce().length);",
  ),
  'D2.12': mutant(
    'signedAt is judged',
    'src/gateway/connect.ts',
    "if (device.nonce === undefined || device.nonce.trim() === '') return 'nonce_required';",
    "if (device.nonce === undefined || device.nonce.trim() === '') return 'nonce_required';\n  if (Math.abs(device.signedAt - Date.now()) > 120_000) return 'signature';",
  ),
  'D2.13': mutant(
    'the id need not be the hash of the key',
    'src/gateway/connect.ts',
    "if (id !== device.id) return 'device_id';",
    '',
  ),
  'D2.15': mutant(
    'of a signature the first 64 bytes count',
    'src/main/keys.ts',
    'const bytes = decodeBase64url(signature, SIGNATURE_BYTES);',
    "const bytes = Buffer.from(signature, 'base64url').subarray(0, SIGNATURE_BYTES);",
  ),
  'D2.17': mutant(
    'labels may hold the delimiter',
    'src/core/protocol/connect.ts',
    "Type.String({ minLength: min, maxLength: max, pattern: '^[^|\\\\u0000-\\\\u001f\\\\u007f]*$' });",
    'Type.String({ minLength: min, maxLength: max });',
  ),
  'D2.18': mutant(
    'a signature for another gateway is taken',
    'src/gateway/connect.ts',
    "if (latchkey.gatewayKey !== keys.gatewayKey || latchkey.host !== (f.transport.host ?? '')) return 'gateway_key';",
    '',
  ),
  'D2.21': mutant(
    'secrets are compared letter by letter, and each takes its time',
    'src/system/crypto.ts',
    'return timingSafeEqual(sha256(a), sha256(b));',
    'for (let i = 0; i < a.length && a[i] === b[i]; i += 1) sha256(a.repeat(20));\n  return timingSafeEqual(sha256(a), sha256(b));',
  ),
  'D3.22': mutant(
    'a foreign origin counts as allowed',
    'src/gateway/proof.ts',
    "? 'allowed' : 'foreign'",
    "? 'allowed' : 'allowed'",
  ),
  'D3.23': mutant(
    'every Host is its own',
    'src/gateway/listen/host.ts',
    'return LOOPBACK_NAMES.includes(small) || small === literal || allowed.includes(small);',
    'return small !== literal || small === literal || allowed.includes(small);',
  ),
  'D3.24': mutant(
    'every method is answered like GET',
    'src/gateway/http/http.ts',
    "if (request.method !== 'GET' && request.method !== 'HEAD') {",
    "if (request.method === 'CONNECT') {",
  ),
  'D3.25': mutant(
    'a forwarding header takes nothing away',
    'src/gateway/proof.ts',
    ' && facts.forwarding.length === 0',
    '',
  ),
  'D3.25 guesses': mutant(
    "everybody's word on where they are is taken",
    'src/gateway/proof.ts',
    'const isProxy = rules.isProxy?.(address) ?? false;',
    'const isProxy = true;',
  ),
  'D3.26': mutant(
    'an identity header is an identity',
    'src/gateway/connect.ts',
    "if (credentials.secret === 'unknown') return { kind: 'unproven', failure: 'secret_unavailable' };",
    "if (f.transport.forwarding.includes('x-forwarded-user')) return OWNER;\n  if (credentials.secret === 'unknown') return { kind: 'unproven', failure: 'secret_unavailable' };",
  ),
  'D3.27': mutant(
    'a direct loopback socket pairs without the secret',
    'src/core/authz/connect.ts',
    "if (c.secret === 'right' && c.direct && c.role",
    'if (c.direct && c.role',
  ),
  'D3.28': mutant(
    'a weak secret is no reason to stay on loopback',
    'src/config/load.ts',
    'if (findings.length === 0 || bind.loopback) return;',
    'if (findings.length >= 0 || bind.loopback) return;',
  ),
  'D4.29': mutant(
    'the handshake deadline is minutes away',
    'src/gateway/gateway.ts',
    'deadline(run: () => void): () => void {\n    return this.after(',
    'deadline(run: () => void): () => void {\n    return this.after(60 * ',
  ),
  'D4.30': mutant(
    'there is room for few silent sockets, and they keep it',
    'src/gateway/listen/tcp.ts',
    'silent: { ...SILENT_SOCKETS, graceMs: 250,',
    'silent: { total: 128, perSource: 128, graceMs: 250_000,',
  ),
  'D4.31': NO_BRAKE,
  'D4.32': mutant(
    'after many wrong secrets the right one is locked out',
    'src/gateway/refusals.ts',
    '      ...configured,\n',
    "      ...configured,\n      secret: () => {\n        if (this.#brake.over('loopback', this.#clock.monotonicMs())) throw new Error('locked');\n        return configured.secret();\n      },\n",
  ),
  'D4.34': mutant(
    'the same ask again supersedes the first',
    'src/core/authz/connect.ts',
    'if (request !== null && coversAll(request.scopes, missing)) return unchanged(state, [], request);',
    '',
  ),
  'D4.35': mutant(
    'few may knock at the same time',
    'src/gateway/listen/tcp.ts',
    'silent: { ...SILENT_SOCKETS, graceMs: 250, queueMax: 8192 },',
    'silent: { total: 4, perSource: 4, graceMs: 250, queueMax: 4 },',
  ),
  'D4.36': mutant(
    'what a client leaves unread has no bound',
    'src/gateway/publish.ts',
    'if (session.pipe.buffered() <= this.#maxBufferedBytes) return;',
    'if (session.pipe.buffered() >= 0) return;',
  ),
  'D4.37': mutant(
    'reading a frame takes the whole process two milliseconds',
    'src/gateway/read.ts',
    'export function readFrame(text: string): ReadFrame {\n',
    'export function readFrame(text: string): ReadFrame {\n  for (const end = performance.now() + 2; performance.now() < end; );\n',
  ),
  'D4.38': mutant(
    'calls may be refused without end',
    'src/core/protocol/limit.ts',
    'export const UNAUTHORIZED_MAX = 10;',
    'export const UNAUTHORIZED_MAX = 10_000;',
  ),
  'D4.39': mutant(
    'every connection leaves a descriptor behind',
    'src/gateway/listen/tcp.ts',
    '    this.#sockets.add(socket);\n',
    "    this.#sockets.add(socket);\n    process.getBuiltinModule('node:fs').openSync('/dev/null', 'r');\n",
  ),
  'D4.39 ping': mutant(
    'who answers no ping stays',
    'src/gateway/listen/tcp.ts',
    'if (!pipe.probe()) pipe.cut();',
    'pipe.probe();',
  ),
  'D4.40': mutant(
    'a pattern walks back over every blank of a frame',
    'src/gateway/read.ts',
    'export function readFrame(text: string): ReadFrame {\n',
    'export function readFrame(text: string): ReadFrame {\n  if (/\\s+$/.test(text.slice(0, -3))) return { ok: false, error: "not_json", id: null, text };\n',
  ),
  'D5.43': mutant(
    'read holds approvals too',
    'src/core/authz/scope.ts',
    "'operator.read': ['operator.sessions.read'],",
    "'operator.read': ['operator.sessions.read', 'operator.approvals'],",
  ),
  'D5.44': mutant(
    'everybody can give everything',
    'src/core/authz/decide.ts',
    'if (until(decider, PAIRING) === undefined) return false;',
    'return true;',
  ),
  'D5.46': mutant(
    'revoking leaves sessions open',
    'src/gateway/tidings.ts',
    'if (state.roles[role].grant === null) stage.end(device, role);',
    '',
  ),
  'D5.48': mutant(
    'a session holds what it asked for, whatever became of the grant',
    'src/core/authz/decide.ts',
    'return grant === null ? undefined : heldUntil(grant.entries, scope, at);',
    'return grant === null ? undefined : principal.asked !== null && principal.asked.length > 1 ? null : heldUntil(grant.entries, scope, at);',
  ),
  'D5.50': mutant(
    "rotating returns anybody's token",
    'src/gateway/method/device.ts',
    '...(own\n      ? { token:',
    "...(own || device !== ''\n      ? { token:",
  ),
  'D5.52': mutant(
    'refusals are logged with what was brought',
    'src/gateway/refusals.ts',
    "this.#diary.rarely(key, 'refused', {\n",
    "this.#diary.rarely(key, 'refused', {\n      brought: JSON.stringify(facts.params.auth),\n",
  ),
  'D5.53': mutant('sessions of the old secret stay', 'src/gateway/gateway.ts', "else c.end('secret_rotated');", ''),
  'D6.57': mutant(
    'there is no reserve for taking away',
    'src/store/sqlite/sqlite.ts',
    'if (options?.urgent !== true || !isRoomless(error)) throw error;',
    'if (options?.urgent !== undefined || !isRoomless(error)) throw error;',
  ),
  'D6.59': mutant(
    'directories that others write are used',
    'src/system/state-dir.ts',
    'if (process.getuid === undefined || (stat.mode & 0o022) === 0) return;',
    'if (process.getuid !== undefined || (stat.mode & 0o022) === 0) return;',
  ),
  'D6.62': mutant(
    'SIGTERM ends the process where it stands',
    'src/main/gateway.ts',
    'process.on(signal, () => resolve(signal));',
    'process.on(signal, () => process.exit(0));',
  ),
};
