import { parseAddress } from '../../client/address.ts';
import { changeRecord, type GatewayRecord, NO_RECORD, readRecord } from '../../client/node/credentials.ts';
import { EXIT, Failure } from '../../system/failure.ts';
import { makeStateDir } from '../../system/state-dir.ts';
import { type Context, print } from '../context.ts';
import { badAddress } from '../remote-credential.ts';

/**
 * `latchkey gateway trust --url URL [--key KEY] [--tls-fingerprint HEX] [--forget]` (A18): what this host knows another
 * gateway by, changed by a person who has compared it. Dials nobody. Without a flag: what is known.
 */
export async function gatewayTrust(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const { url: text } = context.globals;
  if (text === undefined) throw usage('no gateway is named', 'what is trusted is trusted under one URL');
  const address = parseAddress(text);
  if (!address.ok) throw badAddress('--url', address.error);
  const key = keyOf(options.key);
  const tlsFingerprint = fingerprintOf(options.tlsFingerprint);
  const forgets = options.forget === true;
  if (forgets && (key !== null || tlsFingerprint !== null)) {
    throw usage('--forget stands alone', 'it leaves nothing to be known');
  }
  const { path: stateDir } = context.state;
  const { key: url } = address.value;
  const changes = forgets || key !== null || tlsFingerprint !== null;
  if (changes) makeStateDir(stateDir);
  const isThere = changes || context.exists;
  const now = context.host.clock.now();
  const trusted = (r: GatewayRecord): GatewayRecord => ({
    ...r,
    gatewayKey: key ?? r.gatewayKey,
    tlsFingerprint: tlsFingerprint ?? r.tlsFingerprint,
    // A10: what another key gave is no use here, and none of this one's business.
    deviceToken: key === null || key === r.gatewayKey ? r.deviceToken : null,
    pinnedAtMs: now,
  });
  const record = changes
    ? changeRecord(stateDir, url, (r) => (forgets ? NO_RECORD : trusted(r)))
    : isThere
      ? readRecord(stateDir, url)
      : NO_RECORD;
  const { gatewayKey, tlsFingerprint: certificate, pinnedAtMs } = record;
  print(context, { url, gatewayKey, tlsFingerprint: certificate, pinnedAtMs }, () => render(url, record));
  return EXIT.ok;
}

function render(url: string, { gatewayKey, tlsFingerprint }: GatewayRecord): string {
  if (gatewayKey === null && tlsFingerprint === null) return `${url}: nothing is known of it\n`;
  const lines = [
    gatewayKey === null ? 'key: the one that it proves first' : `key: ${gatewayKey}`,
    tlsFingerprint === null
      ? 'certificate: any that an authority vouches for'
      : `certificate: SHA-256 ${tlsFingerprint}`,
  ];
  return `${url}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function keyOf(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)) return value;
  throw usage('--key takes a whole key', 'it is 43 characters of base64url');
}

function fingerprintOf(value: unknown): string | null {
  if (value === undefined) return null;
  const hex = typeof value === 'string' ? value.replaceAll(':', '').toLowerCase() : '';
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw usage('--tls-fingerprint takes a whole SHA-256', 'it is 64 hex digits, with or without colons');
}

function usage(what: string, why: string): Failure {
  return new Failure(EXIT.usage, { what, why, run: 'latchkey gateway trust --url wss://HOST:PORT --key KEY' });
}
