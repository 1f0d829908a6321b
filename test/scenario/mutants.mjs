// Proves that the scenario tests can fail: breaks one clause of the sources at a time, builds that, and expects the
// named tests to notice. Run by hand; about six seconds a mutant:
//
//   node test/scenario/mutants.mjs [WORD]     only mutants whose name holds WORD
//
// A mutant that survives, or whose text no longer stands in the sources, is a failure.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

/** Each text stands once in its file: a rule test holds that. name: [file, text, what stands there instead, tests that must fail] */
export const MUTANTS = {
  'A1 admin covers nothing but itself': [
    'src/core/authz/scope.ts',
    "'operator.admin': OPERATOR_SCOPES,",
    "'operator.admin': [],",
    ['test/scenario/t02-rotated.test.ts'],
  ],
  'A2 a probe is taken for one that asks nothing': [
    'src/gateway/connect.ts',
    "asked: known === undefined ? (role === 'node' ? [] : null) : scopeSet(known),",
    "asked: params.client.mode === 'probe' ? [] : known === undefined ? null : scopeSet(known),",
    ['test/scenario/raw-clients.test.ts'],
  ],
  'A13 the secret pairs the Control UI whatever its Origin': [
    'src/gateway/connect.ts',
    'const position = positionOf(transport, rules);',
    "const at = positionOf(transport, rules);\n  const position = { ...at, direct: at.direct || params.client.id === 'openclaw-control-ui' };",
    ['test/scenario/raw-clients.test.ts'],
  ],
  'A13 the secret pairs a node': [
    'src/core/authz/connect.ts',
    "if (c.secret === 'right' && c.direct && c.role === 'operator' && lastNo(state) === null) {",
    "if (c.secret === 'right' && c.direct && lastNo(state) === null) {",
    ['test/scenario/raw-clients.test.ts'],
  ],
  'A3 the nonce is not compared': [
    'src/gateway/connect.ts',
    "if (device.nonce !== f.challenge?.nonce) return 'nonce_mismatch';",
    '',
    ['test/wire/handshake.test.ts'],
  ],
  'A3 the id is not the hash of the key': [
    'src/gateway/connect.ts',
    'if (id !== device.id)',
    'if (device.id === "")',
    ['test/wire/handshake.test.ts'],
  ],
  'A3 any v2 signature is taken': [
    'src/gateway/connect.ts',
    "return keys.verify(device.publicKey, signedText({ version: 'v2', ...signed }), device.signature) ? id : 'signature';",
    'return id;',
    ['test/wire/handshake.test.ts'],
  ],
  'A4 a foreign origin counts as allowed': [
    'src/gateway/proof.ts',
    ": 'foreign'",
    ": 'allowed'",
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A5 asking less supersedes': [
    'src/core/authz/connect.ts',
    'if (request !== null && coversAll(request.scopes, asked)) return answer({ state, effects: [], request }, c);',
    '',
    ['test/scenario/t04-approve-while-reconnecting.test.ts'],
  ],
  'A6 a covered connect is stored': [
    'src/core/authz/step.ts',
    'if (!isChanged) return { ...next, state };',
    'if (!isChanged) return { ...next, state: { ...state, revision: state.revision + 1 } };',
    ['test/scenario/t14-reading-writes-nothing.test.ts'],
  ],
  'A7 everybody can give everything': [
    'src/core/authz/decide.ts',
    'if (until(decider, PAIRING) === undefined) return false;',
    'return true;',
    ['test/scenario/t16-no-self-approval.test.ts'],
  ],
  'A8 every client waits': [
    'src/gateway/connect.ts',
    "waits: f.params.caps?.includes('latchkey.wait') ?? false,",
    'waits: true,',
    ['test/scenario/t04-approve-while-reconnecting.test.ts'],
  ],
  'A9 revoking leaves sessions open': [
    'src/gateway/tidings.ts',
    'if (state.roles[role].grant === null) stage.end(device, role);',
    '',
    ['test/scenario/a09-live-sessions.test.ts'],
  ],
  'A10 each hello makes a token': [
    'src/main/keys.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it stands so in the source
    'tokens.of(`${device} ${role} ${epoch}`, () => deviceToken(tokenKey, device, role, epoch)),',
    'deviceToken(tokenKey, device, role, epoch + performance.now()),',
    ['test/scenario/t03-thousand-connects.test.ts'],
  ],
  "A7 every admin writes what is the owner's": [
    'src/core/authz/decide.ts',
    "writer === 'permanent' && isPermanentAdmin(decider)",
    'until(decider, ADMIN) !== undefined',
    ['test/scenario/config.test.ts'],
  ],
  'A11 any owner proof is taken': [
    'src/gateway/connect.ts',
    "return keys.same(proof, keys.ownerProof('client', lk, f.challenge.nonce));",
    'return true;',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 the owner proof is taken from anywhere': [
    'src/gateway/connect.ts',
    'if (!mayProveOwner(f.transport, f.position) || lk === null || f.challenge === null',
    'if (lk === null || f.challenge === null',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 the owner proof goes to whoever listens at another address of the host': [
    'src/gateway/proof.ts',
    ' && facts.reached !== undefined && facts.host === facts.reached;',
    ';',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 a command proves itself where its gateway does not listen': [
    'src/cli/owner-proof.ts',
    'addresses.flatMap((address) => literals[address] ?? [])',
    "['127.0.0.1']",
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A4 A9 a page that is taken off the list stays': [
    'src/main/gateway.ts',
    '    gateway.rulesChanged();\n',
    '',
    ['test/scenario/a09-live-sessions.test.ts'],
  ],
  "A7 the log tells of others' devices": [
    'src/gateway/sift.ts',
    'return sight.all ? lines : lines.map((line) => siftedLine(line, sight));',
    'return lines;',
    ['test/scenario/logs.test.ts'],
  ],
  'A17 a change of access is in no log': [
    'src/gateway/tidings.ts',
    "if (what === 'ask') return;",
    'return;',
    ['test/scenario/logs.test.ts'],
  ],
  'threat 36 large answers are made as often as they are asked for': [
    'src/gateway/dispatch.ts',
    "if (session === null || principal.kind === 'owner' || hasTurn === true) return work();",
    "if (session === null || principal.kind !== 'internal' || hasTurn === true) return work();",
    ['test/scenario/logs.test.ts'],
  ],
  'threat 59 a configuration that others write is taken': [
    'src/config/load.ts',
    'if (uid !== undefined) checkWritten(path, fstatSync(file), uid);',
    '',
    ['test/scenario/config.test.ts'],
  ],
  'threat 59 a refused change is looked up first': [
    'src/config/write.ts',
    'options.permit?.(writtenBetween(parsedOf(before, options), loaded.parsed));',
    'await options.check?.(loaded);\n      options.permit?.(writtenBetween(parsedOf(before, options), loaded.parsed));',
    ['test/scenario/config.test.ts'],
  ],
  "A11 the gateway's own proof opens it": [
    'src/gateway/connect.ts',
    "keys.ownerProof('client', lk,",
    "keys.ownerProof('gateway', lk,",
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 the owner proof beside a key makes an owner': [
    'src/gateway/connect.ts',
    'if (device === undefined && auth?.ownerProof !== undefined) {',
    'if (auth?.ownerProof !== undefined) {',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 a command proves itself to whoever listens': [
    'src/client/node/owner-proof.ts',
    "if (owner === null || !options.same(owner, options.hmac(ownerText('gateway', lk, nonce)))) {",
    'if (owner === "") {',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 A18 a command takes a proof that was made for another address': [
    'src/client/node/owner-proof.ts',
    'await provenKey(challenge, { lk, host: address.host, pin: options.gatewayKey }, options.crypto);',
    '',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 the owner key outlives its gateway': [
    'src/system/owner-key.ts',
    "rmSync(join(stateDir, 'run', NAME), { force: true });",
    '',
    ['test/scenario/a11-owner-proof.test.ts'],
  ],
  'A11 without a gateway a lost identity is made anew': [
    'src/main/house.ts',
    'const storeExists = !fresh || (await hasHistory(store));',
    'const storeExists = fresh && (await hasHistory(store));',
    ['test/scenario/a11-gateway-down.test.ts'],
  ],
  'A11 a command without a gateway takes no lock': [
    'src/cli/offline.ts',
    'if (!taken.ok) return null;',
    'if (!taken.ok) return context.host.openOffline({ stateDir, profile, explicitProfile: false }, { release() {} } as never);',
    ['test/scenario/a11-gateway-down.test.ts'],
  ],
  'A11 root does not become the owner of the directory': [
    'src/system/state-dir.ts',
    'caller.become(stat.uid, stat.gid);',
    '',
    ['test/scenario/a11-gateway-down.test.ts'],
  ],
  'A11 two may hold the lock': [
    'src/system/lock.ts',
    "database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');",
    "database.exec('BEGIN');",
    ['test/scenario/t12-second-gateway.test.ts'],
  ],
  'A13 a forwarding header takes nothing away': [
    'src/gateway/proof.ts',
    '&& facts.forwarding.length === 0',
    '',
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A13 an allowed page is direct': [
    'src/gateway/proof.ts',
    '&& facts.origin === null',
    '',
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A13 the secret pairs from anywhere': [
    'src/core/authz/connect.ts',
    "if (c.secret === 'right' && c.direct && c.role",
    "if (c.secret === 'right' && c.role",
    ['test/scenario/t10-proxies-and-origins.test.ts'],
  ],
  'A13 another machine is local by its Host': [
    'src/gateway/proof.ts',
    'const named = loopback ? isLoopbackHost(facts.host) :',
    'const named = isLoopbackHost(facts.host) ? true :',
    ['test/scenario/reach-lan.test.ts'],
  ],
  'A13 a listed proxy brings the secret': [
    'src/gateway/proof.ts',
    '!isProxy && rules.secretFrom',
    'rules.secretFrom',
    ['test/scenario/reach-lan.test.ts'],
  ],
  'threat 25 everybody is a proxy': [
    'src/gateway/proof.ts',
    'const isProxy = rules.isProxy?.(address) ?? false;',
    'const isProxy = true;',
    ['test/scenario/reach-lan.test.ts'],
  ],
  'threat 25 the hop furthest away counts': [
    'src/gateway/proof.ts',
    'hops.findLast(',
    'hops.find(',
    ['test/scenario/reach-lan.test.ts'],
  ],
  'threat 28 a weak secret is served to the network': [
    'src/config/load.ts',
    'if (findings.length === 0 || bind.loopback) return;',
    'return;',
    ['test/scenario/reach-lan.test.ts'],
  ],
  'rule: the port says wss and speaks ws': [
    'src/gateway/listen/tcp.ts',
    'if (this.#tls !== null) return this.#tls.enter(socket);',
    '',
    ['test/scenario/reach-lan.test.ts'],
  ],
  'rule: loopback is announced': [
    'src/main/announcement.ts',
    "if (discovery.mdns === 'off' || bind.loopback || bind.spec === 'tailnet') return null;",
    '',
    ['test/scenario/reach-discover.test.ts'],
  ],
  'A16 guesses are answered at once': [
    'src/gateway/guess.ts',
    'if (over <= 0) return 0;',
    'return 0;',
    ['test/scenario/t17-guessing.test.ts'],
  ],
  'A16 guesses put off the right secret too': [
    'src/gateway/connect.ts',
    'if (device === undefined) return keyless',
    'if (device === undefined) await new Promise((done) => setTimeout(done, 3_000));\n  if (device === undefined) return keyless',
    ['test/scenario/t17-guessing.test.ts'],
  ],
  'A18 a signature for another gateway is taken': [
    'src/gateway/connect.ts',
    "if (latchkey.gatewayKey !== keys.gatewayKey || latchkey.host !== (f.transport.host ?? '')) return 'gateway_key';",
    '',
    ['test/wire/handshake.test.ts'],
  ],
  'A20 an end ends nothing': [
    'src/core/base/instant.ts',
    'return end === null || at < end;',
    'return end === null || at < end || true;',
    ['test/scenario/a09-live-sessions.test.ts'],
  ],
  'seed0 the secret pairs what the first command asks': [
    'src/core/authz/connect.ts',
    "return enter(give(state, c, 'pair', asHeld(c.secretScopes), { kind: 'pairing' }, []), c, 'pairing');",
    "return enter(give(state, c, 'pair', asHeld(c.asked ?? c.secretScopes), { kind: 'pairing' }, []), c, 'pairing');",
    ['test/scenario/seed0.test.ts'],
  ],
  'seed1 a wider ask is made anew at each connect': [
    'src/core/authz/connect.ts',
    'if (request !== null && coversAll(request.scopes, missing)) return unchanged(state, [], request);',
    '',
    ['test/scenario/seed1.test.ts'],
  ],
  'seed1 what is asked is compared name by name': [
    'src/core/authz/scope.ts',
    "'operator.admin': OPERATOR_SCOPES,",
    "'operator.admin': [],",
    ['test/scenario/seed1.test.ts'],
  ],
  'seed2 admin is no write': [
    'src/core/authz/scope.ts',
    "'operator.admin': OPERATOR_SCOPES,",
    "'operator.admin': [],",
    ['test/scenario/seed2.test.ts'],
  ],
  'seed3 a wrong secret beside a paired key is refused': [
    'src/core/authz/connect.ts',
    "if (grant !== null) return enter(unchanged(state), c, 'grant');",
    "if (grant !== null && c.secret !== 'wrong') return enter(unchanged(state), c, 'grant');",
    ['test/scenario/seed3.test.ts'],
  ],
  'seed3 a wrong secret asks': [
    'src/core/authz/connect.ts',
    "if (c.secret === 'wrong') return refuse(state, { code: 'secret_mismatch', retry: 'never' });",
    '',
    ['test/scenario/seed3.test.ts'],
  ],
  'seed4 without a key the ask is cleared': [
    'src/gateway/connect.ts',
    "principal: { kind: 'secret', asked: f.asked },",
    "principal: { kind: 'secret', asked: [] },",
    ['test/scenario/seed4.test.ts'],
  ],
  'T5 a decision is stored in two transactions': [
    'src/store/sqlite/sqlite.ts',
    "session.control('RELEASE part');\n    life.leave();\n    return result;",
    "session.control('RELEASE part');\n    session.control('COMMIT');\n    session.control('BEGIN IMMEDIATE');\n    life.leave();\n    return result;",
    ['test/crash/decision.test.ts', '-t', 'T5 reject'],
  ],
  'T5 the answer goes out before the commit': [
    'src/authority/commit.ts',
    'settled.push(() => job.resolve(value));',
    'this.#publish(pending); job.resolve(value); await new Promise((done) => setTimeout(done, 20));',
    ['test/crash/decision.test.ts', '-t', 'T5 reject'],
  ],
  'T5 what was committed is not on disk': [
    'src/store/sqlite/open.ts',
    "options.synchronous ?? 'FULL'",
    "options.synchronous ?? 'OFF'",
    ['test/crash/durability.test.ts', '-t', 'synced before a byte'],
  ],
  'T5 every connection is as durable as another': [
    'src/store/sqlite/open.ts',
    "options.synchronous ?? 'FULL'",
    "options.synchronous ?? 'OFF'",
    ['test/crash/durability.test.ts', '-t', 'as durable as'],
  ],
  'T5 files are written in place': [
    'src/system/file.ts',
    'renameSync(fresh, path);',
    'rmSync(fresh); writeFileSync(path, content);',
    ['test/crash/config.test.ts', '-t', 'killed torn'],
  ],
  'T5 a name is given before the content is on disk': [
    'src/system/file.ts',
    'fsyncSync(file);',
    '',
    ['test/crash/durability.test.ts', '-t', 'rotated secret'],
  ],
  'T5 the secret is changed before its codes are ended': [
    'src/gateway/method/gateway.ts',
    'await c.services.authority.endSecretCodes();\n  const { closedSessions } = c.services.rotateSecret(c.session);',
    'const { closedSessions } = c.services.rotateSecret(c.session);\n  await c.services.authority.endSecretCodes();',
    ['test/crash/pairing.test.ts', '-t', 'rotating'],
  ],
  'T5 what a killed write left stays for ever': [
    'src/system/file.ts',
    'for (const name of left) rmSync(join(directory, name), { force: true });',
    '',
    ['test/crash/config.test.ts', '-t', 'config set'],
  ],
  'T5 the first store is made in its place': [
    'src/store/sqlite/open.ts',
    `const fresh = \`\${file}.new\`;`,
    'const fresh = file;',
    ['test/crash/start.test.ts'],
  ],
  'T5 a device is declared in one commit and named in another': [
    'src/authority/authority.ts',
    "const named = await this.#within(tx, draft, principal, { kind: 'rename', name }, device);",
    "setTimeout(() => void this.decide(principal, { kind: 'rename', name }, device), 0);\n      const named = first;",
    ['test/crash/pairing.test.ts', '-t', 'with a name'],
  ],
  'T8 the wrong secret asks': [
    'src/core/authz/connect.ts',
    "if (c.secret === 'wrong') return refuse(state, { code: 'secret_mismatch', retry: 'never' });",
    '',
    ['test/scenario/t08-old-secret.test.ts'],
  ],
  'T8 the wrong secret beside a paired key is refused': [
    'src/core/authz/connect.ts',
    'if (grant !== null) return enter(',
    "if (grant !== null && c.secret !== 'wrong') return enter(",
    ['test/scenario/t08-old-secret.test.ts'],
  ],
  'T9 the time in a signature is judged': [
    'src/gateway/connect.ts',
    "if (id !== device.id) return 'device_id';",
    "if (id !== device.id) return 'device_id';\n  if (Math.abs(device.signedAt - Date.now()) > 600_000) return 'signature';",
    ['test/scenario/t09-wall-clock.test.ts'],
  ],
  'T9 the ticker never rests': [
    'src/authority/ledger.ts',
    'this.#wakeFor(this.#world.now() + SLEEP_MAX_MS);',
    'this.#wakeFor(this.#world.now());',
    ['test/scenario/t09-wall-clock.test.ts', '-t', 'idle'],
  ],
  'T9 a no is told with the time of a wrong clock': [
    'src/gateway/refusals.ts',
    'const LEFT_MAX_MS = DAY_MS;',
    'const LEFT_MAX_MS = 1_000 * DAY_MS;',
    ['test/scenario/t09-wall-clock.test.ts', '-t', 'told no'],
  ],
  'T9 an end that was written comes back': [
    'src/core/authz/step.ts',
    'if (!isChanged) return { ...next, state };',
    'if (!isChanged) return { ...next, state };\n  return { ...next, state: { ...next.state, roles: { ...next.state.roles, operator: { ...next.state.roles.operator, grant: state.roles.operator.grant } } } };',
    ['test/scenario/t09-wall-clock.test.ts', '-t', 'stays ended'],
  ],
  'T20 a gateway that is busy is called down': [
    'src/cli/command/gateway-probe.ts',
    "return { where, state: 'busy', detail:",
    "return { where, state: 'down', detail:",
    ['test/scenario/t20-busy.test.ts'],
  ],
  'T20 who was late is given up': [
    'src/gateway/gateway.ts',
    'this.#pulse.beat(clock.monotonicMs());',
    "this.#pulse.beat(clock.monotonicMs()); if (this.#pulse.facts.delayMaxMs > 2_000) for (const c of [...this.#connections]) c.end('stopping');",
    ['test/scenario/t20-busy.test.ts'],
  ],
};

/** A copy of what a build needs, with one text replaced; `null` when the text isn't there exactly once. */
function broken(file, from, to) {
  const text = readFileSync(join(root, file), 'utf8');
  if (text.split(from).length !== 2) return null;
  const copy = mkdtempSync(join(tmpdir(), 'lk-mutant-'));
  // Under root the tests of permissions run it as another user.
  chmodSync(copy, 0o755);
  for (const name of ['src', 'scripts', 'package.json', 'package-lock.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
  return copy;
}

function run(cwd, args, env = {}) {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env } });
}

function judge(word) {
  let failed = 0;
  for (const [name, [file, from, to, tests]] of Object.entries(MUTANTS)) {
    if (!name.includes(word)) continue;
    const copy = broken(file, from, to);
    let verdict = 'caught';
    if (copy === null) verdict = `DOES NOT APPLY: not once in ${file}: ${from}`;
    else {
      const build = run(copy, ['scripts/build.mjs']);
      if (build.status !== 0) verdict = `DOES NOT BUILD: ${build.stderr.slice(0, 500)}`;
      else {
        const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--bail=1', ...tests];
        const judged = run(root, vitest, { LATCHKEY_TEST_DIST: join(copy, 'dist'), NO_COLOR: '1', FORCE_COLOR: '0' });
        if (judged.status === 0) verdict = 'SURVIVED';
        const first = /× (.*)/.exec(judged.stdout)?.[1];
        if (judged.status !== 0)
          verdict = first === undefined ? `NOT JUDGED: ${judged.stdout.slice(-500)}` : `caught by: ${first}`;
      }
      rmSync(copy, { recursive: true, force: true });
    }
    if (!verdict.startsWith('caught')) failed += 1;
    console.log(`${name}: ${verdict}`);
  }
  return failed;
}

if (process.argv[1] === import.meta.filename) process.exit(judge(process.argv[2] ?? '') === 0 ? 0 : 1);
