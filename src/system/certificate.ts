import type { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { codeOf, EXIT, Failure, isFailure } from './failure.ts';
import { readPrivateFile, replaceFile } from './file.ts';
import { shellWord } from './text.ts';

/** What TLS is spoken with. */
export interface Certificate {
  /** PEM, the gateway's own first; perhaps a chain. */
  readonly cert: string;
  /** PEM */
  readonly key: string;
  /** SHA-256 of the certificate's DER: 64 lower-case hex digits. Setup codes pin it. */
  readonly fingerprint: string;
  readonly notAfterMs: number;
  /** It vouches for itself: clients can only pin it. */
  readonly selfIssued: boolean;
  readonly from: 'file' | 'self-signed';
}

export interface CertificatePlace {
  readonly stateDir: string;
  /** The owner's certificate and key; `null`: the self-signed one of the state directory. */
  readonly files: { readonly certPath: string; readonly keyPath: string } | null;
}

const PATIENCE_MS = 30_000;
const SOON_MS = 14 * 86_400_000;

/** `identity/tls.pem`: the self-signed certificate and its key, 0600. */
export function selfSignedPath(stateDir: string): string {
  return join(stateDir, 'identity', 'tls.pem');
}

/**
 * The certificate as it is on disk; `null`: self-signed, and not made yet. Writes nothing.
 * @throws Failure 78 for files that can't be used together, 77 for one that this user may not read
 */
export function readCertificate(place: CertificatePlace): Certificate | null {
  if (place.files === null) {
    const path = selfSignedPath(place.stateDir);
    const text = readPrivateFile(path);
    return text === null ? null : checked(text, text, 'self-signed', path, path);
  }
  const { certPath, keyPath } = place.files;
  return checked(readText(certPath), readText(keyPath), 'file', certPath, keyPath);
}

/**
 * The certificate; a self-signed one is made where there is none, and on disk before this returns.
 * @param names what a self-signed one is made for: host names, IP addresses
 * @throws Failure 78, 77 as `readCertificate`
 */
export async function openCertificate(
  place: CertificatePlace & { readonly names: readonly string[]; readonly autoGenerate: boolean },
  clock: Clock,
): Promise<Certificate> {
  const found = readCertificate(place);
  if (found !== null) return found;
  const path = selfSignedPath(place.stateDir);
  if (!place.autoGenerate) {
    throw new Failure(EXIT.configuration, {
      what: 'gateway.tls is enabled, and there is no certificate',
      why: 'gateway.tls.certPath and keyPath name none, and gateway.tls.autoGenerate is false',
      run: 'latchkey config unset gateway.tls.autoGenerate   (a self-signed one is then made), or name both files',
    });
  }
  // Loaded here: only the very first start with TLS makes one.
  const { makeSelfSigned } = await import('./selfsigned.ts');
  const text = await makeSelfSigned([...new Set(place.names)], clock.now());
  replaceFile(path, text);
  return checked(text, text, 'self-signed', path, path);
}

/** What a person should hear of a certificate's dates, in one sentence; `null`: nothing. */
export function certificateWarning(certificate: Certificate, nowMs: number): string | null {
  const leftMs = certificate.notAfterMs - nowMs;
  if (leftMs > SOON_MS) return null;
  const day = new Date(certificate.notAfterMs).toISOString().slice(0, 10);
  return leftMs < 0
    ? `the TLS certificate ended on ${day}: clients that check it refuse to connect`
    : `the TLS certificate ends on ${day}`;
}

/**
 * A certificate that follows its files: a renewed one is spoken with a moment later, without a restart. What can't be
 * used (a certificate before its key was written, say) is told once, and the last good one stays.
 */
export class LiveCertificate {
  readonly #place: CertificatePlace;
  readonly #told: (event: 'renewed' | 'unusable', why: string) => void;
  #current: Certificate;
  #seen: string;
  #changed: (() => void)[] = [];
  #cancel: () => void = () => {};

  constructor(
    first: Certificate,
    place: CertificatePlace,
    clock: Clock,
    told: (event: 'renewed' | 'unusable', why: string) => void,
    everyMs = PATIENCE_MS,
  ) {
    this.#current = first;
    this.#place = place;
    this.#told = told;
    this.#seen = this.#trace();
    const again = () => {
      this.look();
      this.#cancel = clock.after(everyMs, again);
    };
    this.#cancel = clock.after(everyMs, again);
  }

  get current(): Certificate {
    return this.#current;
  }

  onChange(listener: () => void): void {
    this.#changed.push(listener);
  }

  /** Looks at the files now. */
  look(): void {
    const trace = this.#trace();
    if (trace === this.#seen) return;
    this.#seen = trace;
    try {
      const fresh = readCertificate(this.#place);
      if (fresh === null || fresh.fingerprint === this.#current.fingerprint) return;
      this.#current = fresh;
      for (const listener of this.#changed) listener();
      this.#told('renewed', fresh.fingerprint);
    } catch (error) {
      this.#told('unusable', isFailure(error) ? error.message : (codeOf(error) ?? String(error)));
    }
  }

  close(): void {
    this.#cancel();
  }

  #trace(): string {
    const { files, stateDir } = this.#place;
    const paths = files === null ? [selfSignedPath(stateDir)] : [files.certPath, files.keyPath];
    return paths.map(traceOf).join('|');
  }
}

/** Changes whenever the file is written or replaced. Links are followed: renewal programs put a new one in place. */
function traceOf(path: string): string {
  try {
    const { dev, ino, mtimeMs, size } = statSync(path);
    return `${dev}:${ino}:${mtimeMs}:${size}`;
  } catch (error) {
    return codeOf(error) ?? 'unknown';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    const denied = code === 'EACCES' || code === 'EPERM';
    throw new Failure(denied ? EXIT.permission : EXIT.configuration, {
      what: `can't read ${path}, which gateway.tls names`,
      why: denied ? "the gateway's user may not read it" : (code ?? String(error)),
      run: `ls -l ${shellWord(path)}`,
    });
  }
}

function checked(cert: string, key: string, from: Certificate['from'], certPath: string, keyPath: string): Certificate {
  // Loaded this way: what has no TLS doesn't pay for it.
  const crypto = process.getBuiltinModule('node:crypto');
  const bad = (path: string, why: string) =>
    new Failure(EXIT.configuration, {
      what: `${path} can't be used for TLS`,
      why,
      run:
        from === 'file'
          ? `openssl x509 -noout -subject -dates -in ${shellWord(certPath)}`
          : `mv ${shellWord(path)} ${shellWord(`${path}.old`)}   (the next start makes a new one)`,
    });
  let leaf: X509Certificate;
  try {
    leaf = new crypto.X509Certificate(cert);
  } catch {
    throw bad(certPath, 'it holds no certificate in PEM');
  }
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(key)) {
    throw bad(keyPath, 'the key is encrypted: nobody is there to type its passphrase');
  }
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(crypto.createPrivateKey(key));
  } catch {
    throw bad(keyPath, 'it holds no private key in PEM');
  }
  if (!matches) throw bad(keyPath, `its key is not the one of the certificate in ${certPath}`);
  return {
    cert,
    key,
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfterMs: Date.parse(leaf.validTo),
    // Not `checkIssued`: that wants the right to sign others too.
    selfIssued: leaf.issuer === leaf.subject && leaf.verify(leaf.publicKey),
    from,
  };
}
