import { isIP } from 'node:net';

/** Ten years: who pinned it would have to be told of a new one. */
const LIFE_MS = 3_650 * 86_400_000;
/** A client whose clock is behind takes it too. */
const EARLIER_MS = 86_400_000;

/**
 * A self-signed certificate and its key, as one PEM text, key first. ECDSA P-256: no browser takes Ed25519.
 * @param names host names and IP addresses that it is for
 * @param nowMs the wall clock
 */
export async function makeSelfSigned(names: readonly string[], nowMs: number): Promise<string> {
  // tsyringe, inside x509, refuses to load without these functions of `reflect-metadata`. It asks them for the types of
  // constructor parameters, and the classes that x509 registers have none: so there is nothing to answer.
  const reflect = Reflect as { getMetadata?: unknown; getOwnMetadata?: unknown };
  reflect.getMetadata ??= () => undefined;
  reflect.getOwnMetadata ??= () => undefined;
  const x509 = await import('@peculiar/x509');
  const { subtle } = globalThis.crypto;
  const keys = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: ['Latchkey gateway'] }],
      notBefore: new Date(nowMs - EARLIER_MS),
      notAfter: new Date(nowMs + LIFE_MS),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
        ),
      ],
    },
    globalThis.crypto,
  );
  const key = Buffer.from(await subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = key.match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n${certificate.toString('pem')}\n`;
}
