// A11: with no gateway running a command on the host decides on the state directory itself, by the same rules.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../src/system/lock.ts';
import { NOBODY, nobodyRuns, tree } from '../fault/process.ts';
import { type Gateway, latchkey, start } from '../gateway.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { asking, ensure, gist, granted, once, READ, session, WRITE } from './act.ts';
import { TruthReader } from './state.ts';

let gateway: Gateway;
const opened: Gateway[] = [];
beforeEach(async () => {
  gateway = await start();
  opened.push(gateway);
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
});

async function again(): Promise<Gateway> {
  const next = await start({ stateDir: gateway.stateDir });
  opened.push(next);
  return next;
}

/** A key that asks for READ and WRITE, and the id of its request. */
async function asker(): Promise<{ identity: Identity; id: string }> {
  const identity = newIdentity();
  const answer = await once({ port: gateway.port }, asking([READ, WRITE]), { identity });
  return { identity, id: answer.ok ? '' : String(answer.error.details?.requestId) };
}

const truth = () => {
  const reader = new TruthReader(gateway.stateDir);
  try {
    return reader.tables();
  } finally {
    reader.close();
  }
};

describe('A11 the gateway is down', () => {
  it('A11 a request is approved in part, and the gateway that starts afterwards holds to it', async () => {
    const { identity, id } = await asker();
    await gateway.halt();
    const listed = await gateway.cli(['devices', 'list', '--json']);
    expect(JSON.parse(listed.stdout).pending.map((row: { requestId: string }) => row.requestId)).toEqual([id]);
    expect(listed.stderr).toContain('no gateway runs');
    const approved = await gateway.cli(['devices', 'approve', id, '--scope', READ, '--json']);
    expect(approved).toMatchObject({ code: 0 });
    expect(JSON.parse(approved.stdout).given).toMatchObject([{ scope: READ }]);
    const next = await again();
    expect(await granted(await next.owner(), identity)).toEqual([READ]);
    const { partner, hello } = await session(next, identity);
    expect(hello.auth.scopes).toEqual([READ]);
    partner.end();
  });

  it('A7, A11 the rules are the same: what the gateway refuses is refused here, with its remedy', async () => {
    const { identity, id } = await asker();
    expect((await gateway.cli(['devices', 'reject', id])).code).toBe(0);
    await gateway.halt();
    const late = await gateway.cli(['devices', 'reject', id]);
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('run: latchkey') });
    const wrong = await gateway.cli([
      'devices',
      'ensure',
      '--key',
      identity.publicKey,
      '--scope',
      'operator.everything',
    ]);
    expect(wrong.code).toBe(1);
    // An explicit decision overrides the no, here as there.
    expect((await gateway.cli(['devices', 'ensure', '--key', identity.publicKey, '--scope', READ])).code).toBe(0);
    expect((await gateway.cli(['devices', 'narrow', identity.id, '--none'])).code).toBe(0);
    expect((await gateway.cli(['devices', 'revoke', identity.id])).code).toBe(0);
    expect((await gateway.cli(['devices', 'narrow', identity.id, '--none'])).code).toBe(1);
  });

  it('A6, A11, T14 a list writes no row, and leaves nothing behind', async () => {
    await asker();
    await gateway.halt();
    const before = truth();
    for (let i = 0; i < 3; i += 1) expect((await gateway.cli(['devices', 'list'])).code).toBe(0);
    expect(truth()).toEqual(before);
    expect(existsSync(join(gateway.stateDir, 'run', 'gateway.json'))).toBe(false);
    expect(existsSync(join(gateway.stateDir, 'run', 'owner.key'))).toBe(false);
  });

  it('A17 what was decided without a gateway is recorded as any other decision', async () => {
    const { identity } = await asker();
    await gateway.halt();
    const { stdout } = await gateway.cli(['devices', 'ensure', '--key', identity.publicKey, '--scope', READ, '--json']);
    const [change = ''] = JSON.parse(stdout).changeIds;
    expect(truth().change?.some((row) => row.includes(identity.id) && row.includes('owner'))).toBe(true);
    expect(change).toMatch(/^ch_\d+$/);
  });

  it('T6 many commands at once without a gateway: each is carried out or told why, and none is lost', async () => {
    await gateway.halt();
    const identities = Array.from({ length: 6 }, newIdentity);
    const all = await Promise.all(
      identities.map((i) => gateway.cli(['devices', 'ensure', '--key', i.publicKey, '--scope', READ, '--json'])),
    );
    expect(all.map((r) => r.code)).toEqual(identities.map(() => 0));
    const list = JSON.parse((await gateway.cli(['devices', 'list', '--json'])).stdout);
    expect(list.paired.map((row: { deviceId: string }) => row.deviceId).sort()).toEqual(
      identities.map((i) => i.id).sort(),
    );
  });

  it('T6 approve beside approve without a gateway: one decides, the other is told the outcome', async () => {
    const { identity, id } = await asker();
    await gateway.halt();
    const args = ['devices', 'approve', id, '--json'];
    const both = await Promise.all([gateway.cli(args), gateway.cli(args)]);
    expect(both.map((r) => r.code).sort(), JSON.stringify(both)).toEqual([0, 1]);
    const next = await again();
    expect(await granted(await next.owner(), identity)).toEqual([READ, WRITE]);
  });

  it('T6 commands while a gateway starts: every one is carried out, by the one or by the other', async () => {
    await gateway.halt();
    const identities = Array.from({ length: 5 }, newIdentity);
    const [next, ...all] = await Promise.all([
      again(),
      ...identities.map((i) => gateway.cli(['devices', 'ensure', '--key', i.publicKey, '--scope', READ, '--json'])),
    ]);
    expect(
      all.map((r) => r.code),
      JSON.stringify(all),
    ).toEqual(identities.map(() => 0));
    const owner = await (next as Gateway).owner();
    for (const identity of identities) expect(await granted(owner, identity)).toEqual([READ]);
  });

  it('T6 commands while a gateway ends: what was answered is done; the rest says that it was not answered', async () => {
    const identities = Array.from({ length: 8 }, newIdentity);
    const ensured = identities.map((i) =>
      gateway.cli(['devices', 'ensure', '--key', i.publicKey, '--scope', READ, '--json']),
    );
    // After the first has been answered, so that the end comes amid the others.
    await Promise.race(ensured);
    const [, ...all] = await Promise.all([gateway.halt(), ...ensured]);
    const owner = await (await again()).owner();
    for (const [i, { code, stderr }] of all.entries()) {
      const holds = await granted(owner, identities[i] as Identity);
      if (code === 0) expect(holds).toEqual([READ]);
      // The connection broke between the request and its answer: whether it was read can't be known.
      else expect([code, stderr]).toEqual([75, expect.stringContaining('was not answered')]);
    }
    expect(all.some((r) => r.code === 0)).toBe(true);
  });

  it('A11 after kill -9 the socket that is left stops nobody', async () => {
    const { id } = await asker();
    await gateway.kill();
    expect(existsSync(gateway.socketPath)).toBe(true);
    expect((await gateway.cli(['devices', 'approve', id])).code).toBe(0);
  });

  it('A11, T20 a gateway that hangs is busy: nothing is decided behind its back', async () => {
    const { identity, id } = await asker();
    process.kill(gateway.pid, 'SIGSTOP');
    try {
      const answer = await gateway.cli(['devices', 'approve', id, '--timeout', '500ms']);
      expect(answer).toMatchObject({ code: 75, stderr: expect.stringContaining('busy') });
    } finally {
      process.kill(gateway.pid, 'SIGCONT');
    }
    // The call that nobody waited for any more may have been read meanwhile: it is decided once, or not at all.
    expect([null, [READ, WRITE]]).toContainEqual(await granted(await gateway.owner(), identity));
  });

  it('A11, A12 a lock that somebody holds who serves no socket: a gateway starts or ends, and the command says so', async () => {
    const { id } = await asker();
    await gateway.halt();
    const taken = await takeLock(gateway.stateDir, { program: 'latchkey gateway' });
    if (!taken.ok) throw new Error('the lock is not free');
    try {
      const answer = await gateway.cli(['devices', 'approve', id, '--timeout', '300ms']);
      expect(answer).toMatchObject({ code: 75, stderr: expect.stringContaining(`pid ${process.pid}`) });
    } finally {
      taken.lock.release();
    }
    expect((await gateway.cli(['devices', 'approve', id])).code).toBe(0);
  });

  it('A11 a secret that only the environment of the gateway holds is not needed to decide', async () => {
    const { id } = await asker();
    await gateway.halt();
    const file = join(gateway.stateDir, 'latchkey.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    config.gateway.auth.token = { source: 'env', id: 'NOT_SET_HERE' };
    writeFileSync(file, JSON.stringify(config));
    expect((await gateway.cli(['devices', 'approve', id])).code).toBe(0);
    // A secret that the configuration names is not replaced by one that nobody would read.
    const rotated = await gateway.cli(['gateway', 'secret', 'rotate']);
    expect(rotated.code).toBe(1);
  });

  it('A11, A13 the secret is rotated without a gateway, and the old one opens nothing afterwards', async () => {
    await gateway.halt();
    const file = join(gateway.stateDir, 'latchkey.json');
    writeFileSync(file, '{"gateway": {"auth": {}}}');
    const first = await again();
    const old = (await first.cli(['gateway', 'secret', 'show'])).stdout.trim();
    await first.halt();
    expect((await first.cli(['gateway', 'secret', 'rotate'])).code).toBe(0);
    const next = await again();
    const answer = await once({ port: next.port }, asking([READ], { auth: { token: old } }));
    expect(gist(answer)).toBe('INVALID_REQUEST AUTH_TOKEN_MISMATCH');
  });

  it('A11 nothing is made that is missing: a store without its identity is refused with the way out', async () => {
    await gateway.halt();
    const identity = join(gateway.stateDir, 'identity', 'gateway.json');
    const kept = readFileSync(identity, 'utf8');
    rmSync(identity);
    const { publicKey } = newIdentity();
    const refused = await gateway.cli(['devices', 'ensure', '--key', publicKey, '--scope', READ]);
    expect(refused).toMatchObject({ code: 78, stderr: expect.stringContaining('identity/gateway.json is missing') });
    expect(existsSync(identity)).toBe(false);
    writeFileSync(identity, kept, { mode: 0o600 });
    expect((await gateway.cli(['devices', 'ensure', '--key', publicKey, '--scope', READ])).code).toBe(0);
  });

  it('A11, T18 a profile of one directory decides nothing in another, whatever the environment says', async () => {
    const { identity } = await asker();
    await gateway.halt();
    const home = join(gateway.stateDir, '..');
    const other = await latchkey(['--profile', 'work', 'devices', 'list'], {
      home,
      env: { LATCHKEY_STATE_DIR: gateway.stateDir, LATCHKEY_CONFIG_PATH: join(gateway.stateDir, 'latchkey.json') },
    });
    // The profile was named: the inherited directory is another profile's.
    expect(other).toMatchObject({ code: 75, stderr: expect.stringContaining('.latchkey-work') });
    expect(existsSync(join(home, '.latchkey-work'))).toBe(false);
    const own = await latchkey(['devices', 'ensure', '--key', identity.publicKey, '--scope', READ], {
      home,
      env: { LATCHKEY_STATE_DIR: gateway.stateDir },
    });
    expect(own.code).toBe(0);
  });

  it('A11 files that a command makes are private, whatever the umask', async () => {
    await gateway.halt();
    await gateway.cli(['devices', 'ensure', '--key', newIdentity().publicKey, '--scope', READ]);
    for (const name of ['state/latchkey.sqlite', 'state/trace.sqlite', 'logs/gateway.jsonl', 'run/gateway.lock'])
      expect(statSync(join(gateway.stateDir, name)).mode & 0o077, name).toBe(0);
  });
});

describe('A11 whose directory it is', () => {
  /** A state directory of NOBODY's with a history, and no gateway. */
  async function nobodys(): Promise<Gateway> {
    const one = await start({ uid: NOBODY });
    opened.push(one);
    await ensure(await one.owner(), newIdentity(), [READ]);
    await one.halt();
    return one;
  }
  const ownersOf = (stateDir: string) => [
    ...new Set(Object.values(tree(stateDir)).map((about) => about.split(' ')[1])),
  ];

  it.skipIf(!nobodyRuns)('A11 root goes on as its owner: nothing in it ever belongs to root', async () => {
    const one = await nobodys();
    const done = await one.cli(['devices', 'ensure', '--key', newIdentity().publicKey, '--scope', READ]);
    expect(done).toMatchObject({ code: 0 });
    expect(ownersOf(one.stateDir)).toEqual([`${NOBODY}:${NOBODY}`]);
  });

  it.skipIf(!nobodyRuns)('A11 what its configuration has run, is run as its owner and never as root', async () => {
    const one = await nobodys();
    const ran = join(one.stateDir, 'ran');
    const token = { source: 'exec', id: ['/bin/sh', '-c', `id -u > ${ran}; echo x`] };
    const config = { gateway: { mode: 'remote', remote: { url: 'ws://127.0.0.1:9', token } } };
    writeFileSync(join(one.stateDir, 'latchkey.json'), JSON.stringify(config));
    await one.cli(['devices', 'list', '--timeout', '300ms']);
    expect(readFileSync(ran, 'utf8')).toBe(`${NOBODY}\n`);
  });

  it.skipIf(!nobodyRuns)('A11 anybody else is refused with the command to go on with, and writes nothing', async () => {
    const one = await nobodys();
    const before = tree(one.stateDir);
    for (const args of [
      ['devices', 'list'],
      ['devices', 'ensure', '--key', newIdentity().publicKey, '--scope', READ],
    ]) {
      const refused = await latchkey([...args, '--state-dir', one.stateDir], {
        home: join(one.stateDir, '..'),
        uid: NOBODY - 1,
      });
      expect(refused).toMatchObject({
        code: 77,
        stderr: expect.stringMatching(/run: sudo -u \S+ latchkey --state-dir /),
      });
    }
    expect(tree(one.stateDir)).toEqual(before);
  });
});

describe('A11 the gateway runs', () => {
  it('A11 a command waits for nothing and holds no lock', async () => {
    const identity = newIdentity();
    await ensure(await gateway.owner(), identity, [READ]);
    const { stderr, code } = await gateway.cli(['devices', 'list']);
    expect([code, stderr]).toEqual([0, '']);
  });
});
