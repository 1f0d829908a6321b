import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, connect as dial, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  certificateWarning,
  LiveCertificate,
  openCertificate,
  readCertificate,
  selfSignedPath,
} from './certificate.ts';
import { ScriptedClock } from './clock.ts';
import { isFailure } from './failure.ts';
import { makeSelfSigned } from './selfsigned.ts';

const DAY_MS = 86_400_000;
const NAMES = ['localhost', '127.0.0.1', '::1', 'box.example'];

let stateDir: string;
const clock = new ScriptedClock();
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'lk-cert-'));
  mkdirSync(join(stateDir, 'identity'), { mode: 0o700 });
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const self = (autoGenerate = true) => openCertificate({ stateDir, files: null, names: NAMES, autoGenerate }, clock);

/** Two files that an owner might have: key and certificate apart. */
async function ownFiles(name = 'own', atMs = clock.now()) {
  const pem = await makeSelfSigned(NAMES, atMs);
  const cut = pem.indexOf('-----BEGIN CERTIFICATE-----');
  const paths = { certPath: join(stateDir, `${name}.crt`), keyPath: join(stateDir, `${name}.key`) };
  writeFileSync(paths.keyPath, pem.slice(0, cut), { mode: 0o600 });
  writeFileSync(paths.certPath, pem.slice(cut));
  return paths;
}

function failureOf(run: () => unknown): { what: string; why: string; run: string; exit: number } {
  try {
    run();
  } catch (error) {
    if (!isFailure(error)) throw error;
    const { what, why, run: then } = error as unknown as { what: string; why: string; run: string };
    return { what, why, run: then, exit: error.exitCode };
  }
  throw new Error('it did not fail');
}

describe('a self-signed certificate', () => {
  it('is made once, private, for the names it was given, and lives ten years', async () => {
    expect(readCertificate({ stateDir, files: null })).toBeNull();
    const made = await self();
    expect(statSync(selfSignedPath(stateDir)).mode & 0o777).toBe(0o600);
    const leaf = new X509Certificate(made.cert);
    expect(leaf.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:box.example',
    );
    expect(leaf.subject).toBe('CN=Latchkey gateway');
    expect(leaf.verify(leaf.publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(made.selfIssued).toBe(true);
    expect(made.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(made.notAfterMs - clock.now()).toBeGreaterThan(3_600 * DAY_MS);
    expect(await self()).toEqual(made);
    expect(readCertificate({ stateDir, files: null })).toEqual(made);
  });

  it('is one that a client can check: by the certificate itself, or by its fingerprint', async () => {
    // The dates are judged by the machine's own clock here.
    const pem = await makeSelfSigned(NAMES, Date.now());
    const server = createServer({ cert: pem, key: pem }, (socket) => socket.end());
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    const socket = await new Promise<TLSSocket>((done, fail) => {
      const s = dial({ port, host: '127.0.0.1', ca: pem.slice(pem.indexOf('-----BEGIN CERT')) }, () => done(s));
      s.once('error', fail);
    });
    expect(socket.authorized).toBe(true);
    expect(socket.getPeerCertificate().fingerprint256).toBe(new X509Certificate(pem).fingerprint256);
    socket.destroy();
    await new Promise((done) => server.close(done));
  });

  it('is not made where that was turned off, and one that others can read is refused', async () => {
    await expect(self(false)).rejects.toMatchObject({ exitCode: 78 });
    await self();
    chmodSync(selfSignedPath(stateDir), 0o644);
    expect(failureOf(() => readCertificate({ stateDir, files: null })).run).toContain('chmod 600');
  });

  it('that is torn is not made anew in silence', async () => {
    writeFileSync(selfSignedPath(stateDir), '', { mode: 0o600 });
    await expect(self()).rejects.toMatchObject({ exitCode: 78 });
  });
});

describe("an owner's certificate", () => {
  it('is taken from its two files', async () => {
    const files = await ownFiles();
    const read = readCertificate({ stateDir, files });
    expect(read).toMatchObject({ from: 'file' });
    expect(failureOf(() => readCertificate({ stateDir, files: { ...files, keyPath: '/nowhere.pem' } }))).toMatchObject({
      exit: 78,
      what: "can't read /nowhere.pem, which gateway.tls names",
    });
  });

  it('is refused with the reason where certificate and key do not belong together, or are something else', async () => {
    const files = await ownFiles();
    const other = await ownFiles('other');
    const why = (changed: Partial<typeof files>) =>
      failureOf(() => readCertificate({ stateDir, files: { ...files, ...changed } })).why;
    expect(why({ keyPath: other.keyPath })).toContain('not the one of the certificate');
    expect(why({ keyPath: files.certPath })).toBe('it holds no private key in PEM');
    expect(why({ certPath: files.keyPath })).toBe('it holds no certificate in PEM');
    const locked = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    writeFileSync(files.keyPath, locked.privateKey);
    expect(why({})).toContain('encrypted');
  });

  it('whose end is near or past is spoken of, and used', async () => {
    const certificate = readCertificate({ stateDir, files: await ownFiles() });
    if (certificate === null) throw new Error('none');
    expect(certificateWarning(certificate, clock.now())).toBeNull();
    expect(certificateWarning(certificate, certificate.notAfterMs - DAY_MS)).toMatch(/ends on 20\d\d-\d\d-\d\d$/);
    expect(certificateWarning(certificate, certificate.notAfterMs + 1)).toContain('refuse to connect');
  });

  it('that was renewed is followed, and one half of a renewal changes nothing', async () => {
    const files = await ownFiles();
    const first = readCertificate({ stateDir, files });
    if (first === null) throw new Error('none');
    const told: string[] = [];
    let changes = 0;
    const live = new LiveCertificate(first, { stateDir, files }, clock, (event) => told.push(event), 1_000);
    live.onChange(() => {
      changes += 1;
    });
    const next = await ownFiles('next');
    renameSync(next.certPath, files.certPath);
    clock.advance(1_000);
    clock.advance(5_000);
    expect(told).toEqual(['unusable']);
    expect(live.current).toEqual(first);
    renameSync(next.keyPath, files.keyPath);
    clock.advance(1_000);
    expect(told).toEqual(['unusable', 'renewed']);
    expect(changes).toBe(1);
    expect(live.current.fingerprint).not.toBe(first.fingerprint);
    live.close();
    expect(clock.pending).toBe(0);
  });
});

const openssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
it.skipIf(!openssl)('openssl reads what was made (skipped where openssl is missing)', async () => {
  await self();
  const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', selfSignedPath(stateDir)]).toString();
  expect(text).toContain('TLS Web Server Authentication');
  expect(text).toContain('prime256v1');
});
