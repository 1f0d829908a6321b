// The configuration of a running gateway: changed by RPC, by a command, by an editor; and what applies of it when.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import json5 from 'json5';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected, Partner } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import { type Peer, until, within } from '../partner/peer.ts';
import { ADMIN, asking, gist, once, PAIRING, paired, READ, session, WRITE } from './act.ts';

const newSecret = () => randomBytes(32).toString('hex');
let gateway: Gateway;
let owner: Peer;
beforeEach(async () => {
  gateway = await start();
  owner = await gateway.owner();
});
afterEach(() => gateway?.stop());

const file = () => join(gateway.stateDir, 'latchkey.json');
const text = () => readFileSync(file(), 'utf8');
const write = (config: string) => writeFileSync(file(), config, { mode: 0o600 });
/** A session of the shared secret, without a key. */
const bySecret = (token: string, scopes: readonly string[] = [ADMIN]) =>
  connected({ port: gateway.port }, { ...asking(scopes), auth: { token } });
const state = async () => (await owner.ask('status')).latchkey.config;

describe('rule: config.set and config.patch', () => {
  it('rule: a patch keeps comments and secrets, and a stale hash is a conflict', async () => {
    write(`// mine\n{ gateway: { auth: { token: '${gateway.token}' }, pairing: { ask: 'open' /* all */ } } }\n`);
    const { hash, config } = await owner.ask('config.get');
    expect(config.gateway.auth.token).toBe('__OPENCLAW_REDACTED__');
    const raw = `{ gateway: { auth: { token: '__OPENCLAW_REDACTED__' }, pairing: { ask: 'closed' }, handshakeTimeoutMs: 5000 } }`;
    const done = await owner.ask('config.patch', { raw, baseHash: hash });
    expect(done).toMatchObject({
      ok: true,
      changed: true,
      live: ['gateway.pairing.ask'],
      restart: ['gateway.handshakeTimeoutMs'],
    });
    expect(text()).toBe(
      `// mine\n{ gateway: { auth: { token: '${gateway.token}' }, pairing: { ask: 'closed' /* all */ }, handshakeTimeoutMs: 5000 } }\n`,
    );
    const late = await owner.call('config.patch', { raw: '{ logging: { level: "debug" } }', baseHash: hash });
    expect([gist(late), late.ok ? '' : late.error.message]).toEqual([
      'INVALID_REQUEST CONFLICT',
      'conflict: the configuration was changed meanwhile',
    ]);
    const next = await owner.ask('config.patch', { raw: '{ logging: { level: "debug" } }', baseHash: done.hash });
    expect(next.live).toEqual(['logging.level']);
    // Applied already: an unknown key may not ask any more.
    const answer = await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
    expect(answer.ok ? '' : answer.error.details?.refusal).toBe('ask_closed');
    expect(JSON.stringify([done, next, await owner.ask('config.get'), await state()])).not.toContain(gateway.token);
    expect(gateway.logs()).toMatch(/configuration changed.*owner.*config\.patch/);
    expect(gateway.logs()).not.toContain(gateway.token);
  });

  it('rule: what the command line says otherwise is told as such, and is no edit that waits', async () => {
    const done = await owner.ask('config.patch', { raw: '{ gateway: { port: 1234 } }' });
    expect(done).toMatchObject({ live: [], restart: [], beaten: ['gateway.port'], pending: [] });
    const word = "gateway.port is not used: --port 0 on the gateway's command line beats it";
    expect(done.warnings).toContain(word);
    expect((await owner.ask('status')).latchkey.warnings).toContain(word);
    const set = await gateway.cli(['config', 'set', 'gateway.port', '1235']);
    expect(set.stdout).toContain("does not count as long as the gateway's command line says otherwise: gateway.port");
    expect(set.stdout).not.toContain('applies');
  });

  it('threat 28: a secret that is weak is told when it is set, and as long as it is', async () => {
    const word = 'gateway.auth.token is weak: it has 3 characters; 20 are the least';
    const warnings = async () => (await owner.ask('status')).latchkey.warnings as readonly string[];
    expect((await gateway.cli(['config', 'set', 'gateway.auth.token', 'abc', '--json'])).stdout).toContain(word);
    expect(await warnings()).toContain(word);
    const other = join(gateway.stateDir, 'secret');
    writeFileSync(other, 'abcd\n', { mode: 0o600 });
    await owner.ask('config.patch', {
      raw: JSON.stringify({ gateway: { auth: { token: { source: 'file', id: other } } } }),
    });
    expect(await warnings()).toContain('gateway.auth.token is weak: it has 4 characters; 20 are the least');
    await owner.ask('config.patch', { raw: JSON.stringify({ gateway: { auth: { token: newSecret() } } }) });
    expect((await warnings()).filter((line) => line.includes('weak'))).toEqual([]);
  });

  it('rule: a certificate that is not there is no good configuration, with a gateway and without', async () => {
    const raw = '{ gateway: { tls: { enabled: true, certPath: "cert.pem", keyPath: "key.pem" } } }';
    const why = `can't read ${join(gateway.stateDir, 'cert.pem')}: ENOENT`;
    const answer = await owner.call('config.patch', { raw });
    expect(answer.ok ? '' : answer.error.message).toContain(why);
    await gateway.halt();
    const good = text();
    write(JSON.stringify({ ...json5.parse(good), ...json5.parse(raw) }));
    const validated = await gateway.cli(['config', 'validate']);
    expect([validated.code, validated.stderr]).toEqual([
      78,
      expect.stringContaining(join(gateway.stateDir, 'cert.pem')),
    ]);
    expect((await gateway.cli(['config', 'get', 'gateway.tls.certPath'])).stdout).toBe('cert.pem\n');
    expect((await gateway.cli(['config', 'set', 'logging.level', 'debug'])).code).toBe(78);
    expect((await gateway.cli(['config', 'unset', 'gateway.tls'])).code).toBe(0);
  });

  it('A11, threat 59: a refused change runs no program, and tells nobody which files there are', async () => {
    const admin = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    const ran = join(gateway.stateDir, 'ran');
    const answers: unknown[] = [];
    for (const id of [file(), '/nonexistent', '/root', gateway.stateDir]) {
      for (const source of ['file', 'env']) {
        const raw = JSON.stringify({ gateway: { auth: { token: { source, id } } } });
        answers.push((await admin.call('config.patch', { raw })) as unknown);
      }
    }
    const exec = { source: 'exec', id: ['/bin/sh', '-c', `touch '${ran}'; exit 1`] };
    for (const key of ['gateway.auth.token', 'gateway.remote.token']) {
      const raw = JSON.stringify(key.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), exec));
      answers.push(await admin.call('config.patch', { raw }));
    }
    const said = new Set(answers.map((answer) => JSON.stringify(answer).replace(/"id":"[^"]*"/, '')));
    expect([...said].filter((line) => !line.includes('is changed by the owner alone'))).toEqual([]);
    // One answer for each key, whatever the file or variable is.
    expect(said.size).toBe(2);
    expect(existsSync(ran)).toBe(false);
    admin.end();
  });

  it('threat 59: a file that others can write is not taken up, and no gateway or command starts by it', async () => {
    const good = text();
    write(JSON.stringify({ ...json5.parse(good), logging: { level: 'debug' } }));
    chmodSync(file(), 0o666);
    await until('the problem', async () => (await state()).problem !== null);
    expect((await state()).problem).toMatchObject({
      why: 'every user can write it (mode 666)',
      run: `chmod go-w ${file()}`,
    });
    await gateway.halt();
    for (const args of [
      ['config', 'get'],
      ['config', 'set', 'logging.level', 'info'],
      ['gateway', 'run', '--port', '0'],
    ]) {
      const { code, stderr } = await gateway.cli(args);
      expect([args, code, stderr]).toEqual([args, 78, expect.stringContaining(`chmod go-w ${file()}`)]);
    }
    chmodSync(file(), 0o600);
    expect((await gateway.cli(['config', 'get'])).code).toBe(0);
  });

  it('rule: what could not be in force is refused with line, key and why, and nothing is written', async () => {
    const before = text();
    const { hash: baseHash } = await owner.ask('config.get');
    for (const [method, raw, why] of [
      [
        'config.patch',
        '{ gateway: { prot: 1 } }',
        "gateway.prot is refused: there is no such key; did you mean 'port'?",
      ],
      ['config.patch', '{ gateway: { auth: { token: { source: "env", id: "NOT_HERE" } } } }', "env 'NOT_HERE'"],
      ['config.patch', '[1]', 'must be an object'],
      ['config.patch', '{ gateway: ', 'not JSON5'],
      ['config.patch', `${'{"a":'.repeat(80_000)}1${'}'.repeat(80_000)}`, 'nested more than 64 levels deep'],
      ['config.patch', `{ gateway: { allowedHosts: ${'['.repeat(80_000)}${']'.repeat(80_000)} } }`, 'levels deep'],
      ['config.patch', '{ gateway: { remote: { url: "wss://:changeme@h" } } }', 'must end with host, port and path'],
      ['config.set', '{ gateway: { bind: "lan", auth: { token: "changeme" } } }', 'placeholder'],
      ['config.set', '{ gateway: { auth: { mode: "none" } } }', 'whoever reaches the port'],
    ] as const) {
      const answer = await owner.call(method, { raw, baseHash });
      expect(answer.ok ? '' : answer.error.message).toContain(why);
      expect(JSON.stringify(answer)).not.toContain('changeme');
    }
    const blind = await owner.call('config.set', { raw: '{}' });
    expect(blind.ok ? '' : blind.error.message).toContain('baseHash is needed');
    expect(text()).toBe(before);
  });

  it('threat 28: only an admin changes it; who reads sees no secret, whatever they hold', async () => {
    const reader = await session(gateway, await paired(owner, [READ, WRITE, PAIRING]));
    for (const method of ['config.set', 'config.patch']) {
      expect(gist(await reader.partner.call(method, { raw: '{}' }))).toBe('FORBIDDEN MISSING_SCOPE');
    }
    for (const method of ['config.get', 'config.schema']) {
      const answer = await reader.partner.call(method, {});
      expect([answer.ok, JSON.stringify(answer).includes(gateway.token)]).toEqual([true, false]);
    }
    const lookup = await reader.partner.ask('config.schema.lookup', { path: 'gateway.port' });
    expect(lookup).toMatchObject({ path: 'gateway.port', reloadKind: 'restart', children: [] });
    expect((await reader.partner.ask('config.schema.lookup', { path: 'logging' })).reloadKind).toBe('hot');
    expect(gist(await reader.partner.call('config.schema.lookup', { path: '__proto__' }))).toBe(
      'INVALID_REQUEST NOT_FOUND',
    );
    reader.partner.end();
  });

  it('A7, A11, A20 what outlives a time box, reaches into the host or leads the owner elsewhere is not for every admin', async () => {
    const ran = join(gateway.stateDir, 'ran');
    const exec = { source: 'exec', id: ['/bin/sh', '-c', `touch ${ran}; echo ${newSecret()}`] };
    const owners = [
      { gateway: { auth: { token: newSecret() } } },
      { gateway: { auth: { token: exec } } },
      { gateway: { auth: { sharedSecretFrom: ['192.0.2.7'] } } },
      { gateway: { auth: { sharedSecretScopes: [ADMIN] } } },
      { gateway: { auth: { mode: 'password' } } },
      { gateway: { mode: 'remote', remote: { url: 'wss://evil.example' } } },
      { gateway: { remote: { token: exec } } },
      { gateway: { tls: { certPath: '/etc/shadow', keyPath: '/etc/shadow' } } },
    ];
    const lasting = [
      { gateway: { pairing: { ask: 'closed' } } },
      { gateway: { controlUi: { allowedOrigins: ['https://evil.example'] } } },
      { gateway: { trustedProxies: ['192.0.2.7'] } },
      { gateway: { bind: 'lan' } },
    ];
    const admin = await session(gateway, await paired(owner, [ADMIN]));
    const identity = newIdentity();
    const { ts } = await owner.ask('health');
    const box = { publicKey: identity.publicKey, role: 'operator', scopes: [ADMIN], untilMs: ts + 60_000 };
    await owner.ask('device.pair.ensure', box);
    const boxed = await session(gateway, identity);
    const secret = await bySecret(gateway.token);
    const before = text();
    const sent = async (peer: Peer, patch: unknown) =>
      gist(await peer.call('config.patch', { raw: JSON.stringify(patch) }));
    for (const patch of owners) {
      for (const { partner } of [admin, boxed, secret])
        expect([patch, await sent(partner, patch)]).toEqual([patch, 'FORBIDDEN CONFIG_BEYOND']);
    }
    for (const patch of lasting)
      expect([patch, await sent(boxed.partner, patch)]).toEqual([patch, 'FORBIDDEN CONFIG_BEYOND']);
    // The whole text is judged by what it changes, like a patch.
    const { hash: baseHash, config } = await admin.partner.ask('config.get');
    const whole = { raw: JSON.stringify({ ...config, gateway: { ...config.gateway, mode: 'remote' } }), baseHash };
    expect(gist(await admin.partner.call('config.set', whole))).toBe('FORBIDDEN CONFIG_BEYOND');
    expect([text(), existsSync(ran)]).toEqual([before, false]);
    // While the file can't be read, what is in force counts: taking it out is a change as any other.
    write(`${before.slice(0, -3)} torn`);
    for (const { partner } of [admin, boxed, secret])
      expect(
        gist(await partner.call('config.set', { raw: '{}', baseHash: (await owner.ask('config.get')).hash })),
      ).toBe('FORBIDDEN CONFIG_BEYOND');
    write(before);
    // What they may: a box the rest, who holds it for good also what lasts.
    expect(await sent(boxed.partner, { logging: { level: 'debug' } })).toBe('ok');
    expect(await sent(admin.partner, lasting[0])).toBe('ok');
    for (const { partner } of [admin, boxed, secret]) partner.end();
  });

  it('rule: the same change sent again has its effect once', async () => {
    const params = { raw: '{ logging: { level: "debug" } }', idempotencyKey: 'k1' };
    const [first, again] = [await owner.ask('config.patch', params), await owner.ask('config.patch', params)];
    expect(first.changed).toBe(true);
    expect(again).toEqual(first);
    expect((await owner.ask('config.patch', { ...params, idempotencyKey: 'k2' })).changed).toBe(false);
  });

  it('rule: a whole text replaces the file; one that a program made of the values keeps the comments', async () => {
    write(`// mine\n{ gateway: { auth: { token: '${gateway.token}' } } }\n`);
    const view = await owner.ask('config.get');
    const raw = JSON.stringify({ ...view.config, logging: { level: 'warn' } });
    const { hash } = await owner.ask('config.set', { raw, baseHash: view.hash });
    expect(text()).toBe(`// mine\n{ gateway: { auth: { token: '${gateway.token}' } }, logging: { level: 'warn' } }\n`);
    await owner.ask('config.set', {
      raw: '// anew\n{ gateway: { auth: { token: "__OPENCLAW_REDACTED__" } } }',
      baseHash: hash,
    });
    expect(text()).toBe(`// anew\n{ gateway: { auth: { token: "${gateway.token}" } } }`);
  });
});

describe('A13 the shared secret and its grant are read live', () => {
  it('threat 53: another secret in the file ends what the old one opened, its codes, and itself', async () => {
    const device = await session(gateway, await paired(owner, [READ]));
    const { partner } = await bySecret(gateway.token);
    const { setupCode, code = setupCode } = await partner.ask('device.code.create', {
      role: 'operator',
      scopes: [READ],
    });
    expect(typeof code).toBe('string');
    const secret = newSecret();
    write(text().replace(gateway.token, secret));
    const closed = await within(partner.closed, 'the end of the old session');
    expect(closed.code).toBeGreaterThanOrEqual(1008);
    expect((await once({ port: gateway.port }, { ...asking([READ]), auth: { token: gateway.token } })).ok).toBe(false);
    (await bySecret(secret)).partner.end();
    const redeemed = await once(
      { port: gateway.port },
      { ...asking([READ]), auth: { bootstrapToken: code } },
      { identity: newIdentity() },
    );
    expect(redeemed.ok ? 'paired' : redeemed.error.code).toBe('NOT_PAIRED');
    // Paired devices don't notice.
    expect((await device.partner.call('health')).ok).toBe(true);
    device.partner.end();
    expect(gateway.logs()).toContain('shared secret changed');
    expect(gateway.logs()).not.toContain(secret);
  });

  it('A13 a narrower grant of the secret holds for its live sessions at once', async () => {
    const { partner } = await bySecret(gateway.token, [ADMIN]);
    expect((await partner.call('config.patch', { raw: '{}' })).ok).toBe(true);
    await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
    await until('the event', () => partner.events.some(({ event }) => event === 'device.pair.requested'));
    await owner.ask('config.patch', { raw: `{ gateway: { auth: { sharedSecretScopes: ["${READ}"] } } }` });
    expect(gist(await partner.call('config.patch', { raw: '{}' }))).toBe('FORBIDDEN MISSING_SCOPE');
    const before = partner.events.filter(({ event }) => event === 'device.pair.requested').length;
    await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
    expect((await partner.call('health')).ok).toBe(true);
    expect(partner.events.filter(({ event }) => event === 'device.pair.requested')).toHaveLength(before);
    partner.end();
  });

  it('A13 a configuration without its secret any more goes on with a generated one', async () => {
    const { partner } = await bySecret(gateway.token);
    await owner.ask('config.patch', { raw: '{ gateway: { auth: { token: null } } }' });
    await within(partner.closed, 'the end of the old session');
    const shown = await gateway.cli(['gateway', 'secret', 'show']);
    expect(shown.code).toBe(0);
    (await bySecret(shown.stdout.trim())).partner.end();
  });
});

describe('rule: an editor at the file', () => {
  it('rule: a bad edit is said by status and changes nothing; mended, it applies', async () => {
    const good = text();
    write('{ gateway: { prot: 1 } }');
    await until('the problem', async () => (await state()).problem !== null);
    expect((await state()).problem).toMatchObject({ what: expect.stringContaining('line 1: gateway.prot is refused') });
    const checked = await gateway.cli(['config', 'validate', '--json']);
    expect([checked.code, JSON.parse(checked.stdout).error.why]).toEqual([
      78,
      expect.stringContaining("did you mean 'port'?"),
    ]);
    expect((await owner.ask('config.get')).valid).toBe(false);
    (await bySecret(gateway.token)).partner.end();
    write(JSON.stringify({ ...json5.parse(good), logging: { level: 'debug' } }));
    await until('the end of the problem', async () => (await state()).problem === null);
    expect((await owner.ask('config.get')).runtimeConfig.logging).toEqual({ level: 'debug' });
  });

  it('rule: what is logged follows the file', async () => {
    const { gateway: config } = json5.parse(text());
    await owner.ask('config.patch', { raw: '{ logging: { level: "warn" } }' });
    write('{');
    await until('the warning', () => gateway.logs().includes('configuration not taken up'));
    write(JSON.stringify({ gateway: config, logging: { level: 'error', consoleStyle: 'pretty' } }));
    await until('the reload', async () => (await state()).problem === null);
    await owner.ask('config.patch', { raw: '{ logging: { level: "info" } }' });
    await until('the line', () => /INFO +gateway: configuration changed/.test(gateway.logs()));
    // One event, one line.
    expect(gateway.logs()).not.toContain('configuration reloaded');
  });

  it('rule: names of hosts apply at once, the port with the next start', async () => {
    const open = () => Partner.open({ port: gateway.port, host: 'gateway.example' });
    await expect(open()).rejects.toMatchObject({ status: 421 });
    const { gateway: config } = json5.parse(text());
    write(JSON.stringify({ gateway: { ...config, allowedHosts: ['gateway.example'], handshakeTimeoutMs: 5000 } }));
    await until('the reload', async () => (await state()).pending.length > 0);
    expect((await state()).pending).toEqual(['gateway.handshakeTimeoutMs']);
    (await open()).end();
    expect(gateway.logs().match(/configuration reloaded/g)).toHaveLength(1);
  });
});

describe('rule: the commands with a gateway', () => {
  it('threat 52: a secret comes from standard input and is in no list of arguments and no output', async () => {
    const secret = newSecret();
    const cli = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist'), 'cli.cjs');
    const args = [cli, 'config', 'set', 'gateway.auth.token', '-', '--state-dir', gateway.stateDir];
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH, HOME: join(gateway.stateDir, '..') },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        out += part;
      });
    }
    child.stdin.end(`${secret}\n`);
    expect(await new Promise((done) => child.once('close', done)), out).toBe(0);
    expect(out).toBe(`gateway.auth.token is set in ${file()}\n  applies now\n`);
    (await bySecret(secret)).partner.end();
    expect(text()).toContain(secret);
    const shown = await gateway.cli(['config', 'get', 'gateway.auth.token']);
    expect(shown.stdout).toBe(`a secret, in ${file()} (not shown)\n`);
  });
});

it('A11 a configuration that leads commands elsewhere is still changed here', async () => {
  expect((await gateway.cli(['config', 'set', 'gateway.remote.url', 'ws://127.0.0.1:9'])).code).toBe(0);
  expect((await gateway.cli(['config', 'set', 'gateway.mode', 'remote'])).code).toBe(0);
  expect((await gateway.cli(['devices', 'list', '--timeout', '300ms'])).code).toBe(75);
  expect(await gateway.cli(['config', 'set', 'gateway.mode', 'local'])).toMatchObject({ code: 0 });
  expect((await gateway.cli(['devices', 'list'])).code).toBe(0);
});
