// docs/reach.md, "ssh": a real sshd, the command of the document, and a device at its other end.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block, filled } from '../document.ts';
import { type Gateway, latchkey, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { because, done, freePort, missing, program, type Running, run } from '../program.ts';
import { ADMIN, approve, asking, gist, granted, once, READ, rows } from './act.ts';

const why = missing({ sshd: 'openssh-server', ssh: 'openssh-client', 'ssh-keygen': 'openssh-client' });

const SEPARATION = '/run/sshd';

/** Something answers there. */
function answers(port: number): Promise<boolean> {
  return new Promise((told) => {
    const socket = dial({ port, host: '127.0.0.1' });
    socket.once('connect', () => told(true)).once('error', () => told(false));
    socket.once('connect', () => socket.destroy());
  });
}

describe.skipIf(why !== null)(`rule: docs/reach.md by ssh${because(why)}`, () => {
  let home: string;
  let gateway: Gateway;
  let owner: Peer;
  let sshd: Running;
  let tunnel: Running;
  let port: number;
  // As root sshd wants this empty directory, which its service would make.
  const isLent = process.getuid?.() === 0 && !existsSync(SEPARATION);

  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    home = mkdtempSync(join(tmpdir(), 'lk-ssh-'));
    const keygen = program('ssh-keygen') ?? '';
    for (const name of ['host', 'user']) {
      done([keygen, '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(home, name)]);
    }
    if (isLent) mkdirSync(SEPARATION, { mode: 0o755 });
    const sshPort = await freePort();
    sshd = await run([program('sshd') ?? '', '-D', '-e', '-f', '/dev/null', ...serverOptions(sshPort)], {
      ready: () => answers(sshPort),
    });
    port = await freePort();
    // What the document says, with this sshd in the place of a machine elsewhere.
    const said = filled(block('reach.md', 'ssh').trim(), {
      '18790': port,
      '18789': gateway.port,
      'me@gateway.example': `${userInfo().username}@127.0.0.1`,
    });
    const [ssh = '', ...args] = said.split(/\s+/);
    expect(ssh).toBe('ssh');
    tunnel = await run([program(ssh) ?? '', ...clientOptions(sshPort), ...args], { ready: () => answers(port) });
  });
  afterAll(async () => {
    await tunnel?.stop();
    await sshd?.stop();
    if (isLent) rmdirSync(SEPARATION);
    await gateway?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  function serverOptions(sshPort: number): string[] {
    const keys = join(home, 'authorized');
    writeFileSync(keys, done([program('ssh-keygen') ?? '', '-y', '-f', join(home, 'user')]));
    chmodSync(keys, 0o600);
    const options = {
      Port: sshPort,
      ListenAddress: '127.0.0.1',
      HostKey: join(home, 'host'),
      AuthorizedKeysFile: keys,
      PidFile: 'none',
      StrictModes: 'no',
      UsePAM: 'no',
      PermitRootLogin: 'prohibit-password',
      PasswordAuthentication: 'no',
      KbdInteractiveAuthentication: 'no',
    };
    return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  }

  function clientOptions(sshPort: number): string[] {
    const known = join(home, 'known');
    writeFileSync(
      known,
      `[127.0.0.1]:${sshPort} ${done([program('ssh-keygen') ?? '', '-y', '-f', join(home, 'host')])}`,
    );
    const options = {
      Port: sshPort,
      IdentityFile: join(home, 'user'),
      IdentitiesOnly: 'yes',
      IdentityAgent: 'none',
      UserKnownHostsFile: known,
      GlobalKnownHostsFile: '/dev/null',
      StrictHostKeyChecking: 'yes',
      BatchMode: 'yes',
      ExitOnForwardFailure: 'yes',
    };
    return ['-F', '/dev/null', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  }

  it('A15 a device asks through the tunnel, is approved on the host, and connects', async () => {
    const phone = newIdentity();
    expect(gist(await once({ port }, asking([READ]), { identity: phone }))).toBe('NOT_PAIRED PAIRING_REQUIRED');
    const [request] = (await rows(owner, phone)).open;
    await approve(owner, request?.requestId ?? '');
    expect(gist(await once({ port }, asking([READ]), { identity: phone }))).toBe('ok');
    expect(await granted(owner, phone)).toEqual([READ]);
  });

  it('A13 threat 27: the shared secret works through it, as the tunnel ends on loopback, and a wrong one does not', async () => {
    expect(gist(await once({ port }, asking([READ], { auth: { token: gateway.token } })))).toBe('ok');
    const laptop = newIdentity();
    const paired = await once({ port }, asking([READ], { auth: { token: gateway.token } }), { identity: laptop });
    expect(gist(paired)).toBe('ok');
    expect(await granted(owner, laptop)).toContain(ADMIN);
    const wrong = await once({ port }, asking([READ], { auth: { token: 'x'.repeat(40) } }));
    expect(gist(wrong)).toMatch(/AUTH_TOKEN_MISMATCH$/);
  });

  it('rule: the command of the document asks through the tunnel, and is answered once approved', async () => {
    const said = filled(block('reach.md', 'ssh-client').trim(), { '18790': port });
    const [name, ...args] = said.split(/\s+/);
    expect(name).toBe('latchkey');
    const client = latchkey([...args, '--json', '--state-dir', join(home, 'laptop')], { home });
    let id: string | undefined;
    for (let i = 0; i < 100 && id === undefined; i += 1) {
      id = (await rows(owner)).open[0]?.requestId;
      if (id === undefined) await new Promise((wake) => setTimeout(wake, 50));
    }
    await approve(owner, id ?? 'none');
    const result = await client;
    expect(result.code, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ running: true });
  });
});
