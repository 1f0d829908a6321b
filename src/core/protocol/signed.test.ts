import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  asciiLower,
  comparisonText,
  deviceTokenText,
  gatewayText,
  ownerText,
  signedText,
  signedToken,
} from './signed.ts';

/** PROTOCOL.md §3.2: captured from a real client; the key was thrown away. */
const PRIVATE = 'MC4CAQAwBQYDK2VwBCIEIP6RRajqvOzc7M3R4dyTkWvTx/WYoMhsoUzTDbfpO/mk';
const PUBLIC = 'x_phow91m3gXKDTsdwOKwD_g9dr5BN1FuIZOrOecieA';
const DEVICE_ID = 'f6033445028e92bbeed9c8358151002eff5c6445bab137cdd13092ac5a9e21af';
const SIGNATURE = 'fXnlw9PtG5_AkmUMqpk5_vEByZCbkkbIDCHFmfhSsIAXcSL3v_0u5STT3uZPkzso-jkfbmz31n7f9Vj5bGsdCg';
const TEXT = `v3|${DEVICE_ID}|cli|cli|operator|operator.read|1795226139088|throwaway-token-h96|b93d1e92-12c7-4c8b-bfaf-51da17dce96d|linux|linux`;

const FIELDS = {
  deviceId: DEVICE_ID,
  clientId: 'cli',
  clientMode: 'cli',
  role: 'operator',
  scopes: ['operator.read'],
  signedAt: 1795226139088,
  token: 'throwaway-token-h96',
  nonce: 'b93d1e92-12c7-4c8b-bfaf-51da17dce96d',
};

describe('signed texts', () => {
  it('A3: the worked example gives its text, its id and its signature', () => {
    const text = signedText({ version: 'v3', ...FIELDS, platform: 'linux', deviceFamily: 'Linux' });
    expect(text).toBe(TEXT);
    const key = createPrivateKey({ key: Buffer.from(PRIVATE, 'base64'), format: 'der', type: 'pkcs8' });
    expect(sign(null, Buffer.from(text), key).toString('base64url')).toBe(SIGNATURE);
    const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
    expect(raw.toString('base64url')).toBe(PUBLIC);
    expect(createHash('sha256').update(raw).digest('hex')).toBe(DEVICE_ID);
  });

  it('A3: v2 ends with the nonce; scopes keep their order; nothing asked leaves its field empty', () => {
    const head = `v2|${DEVICE_ID}|cli|cli|operator`;
    const tail = '1795226139088|throwaway-token-h96|b93d1e92-12c7-4c8b-bfaf-51da17dce96d';
    expect(signedText({ version: 'v2', ...FIELDS, scopes: ['b', 'a', 'b'] })).toBe(`${head}|b,a,b|${tail}`);
    expect(signedText({ version: 'v2', ...FIELDS, scopes: [] })).toBe(`${head}||${tail}`);
  });

  it('A3: missing platform and family leave both delimiters; only A–Z become small', () => {
    const text = signedText({ version: 'v3', ...FIELDS, platform: undefined, deviceFamily: undefined });
    expect(text.endsWith('|b93d1e92-12c7-4c8b-bfaf-51da17dce96d||')).toBe(true);
    expect(asciiLower('  iOS ÄÉ İ ')).toBe('ios ÄÉ İ');
    expect(asciiLower(undefined)).toBe('');
  });

  it('A18: lk1 adds gateway key, dialed host and r', () => {
    const latchkey = { gatewayKey: 'G', host: '127.0.0.1:18789', r: 'R' };
    expect(signedText({ version: 'lk1', ...FIELDS, latchkey })).toBe(
      `lk1|${DEVICE_ID}|cli|cli|operator|operator.read|1795226139088|throwaway-token-h96|b93d1e92-12c7-4c8b-bfaf-51da17dce96d|G|127.0.0.1:18789|R`,
    );
  });

  it('A3: the credential that is signed is the first there is, and never a password', () => {
    expect(signedToken({ token: 't', deviceToken: 'd', bootstrapToken: 'b' })).toBe('t');
    expect(signedToken({ deviceToken: 'd', bootstrapToken: 'b' })).toBe('d');
    expect(signedToken({ bootstrapToken: 'b' })).toBe('b');
    expect(signedToken({})).toBe('');
    expect(signedToken(undefined)).toBe('');
  });

  it('A10, A11, A18, A19: each text begins with a name of its own', () => {
    const texts = [
      gatewayText('lk', 'n', 'h'),
      ownerText('gateway', 'lk', 'n'),
      ownerText('client', 'lk', 'n'),
      comparisonText('d', 'g', 'r', 's'),
      deviceTokenText('d', 'operator', 3),
    ];
    expect(texts).toEqual([
      'latchkey-gw-1|lk|n|h',
      'latchkey-owner-g|lk|n',
      'latchkey-owner-c|lk|n',
      'latchkey-code-1|d|g|r|s',
      'latchkey-token-1|d|operator|3',
    ]);
  });
});
