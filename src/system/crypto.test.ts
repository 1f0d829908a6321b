import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  comparisonCode,
  decodeBase64url,
  deviceIdOf,
  deviceToken,
  equalSecrets,
  SigningKey,
  verifyEd25519,
} from './crypto.ts';

// PROTOCOL.md §3.2, the worked example. Ed25519 is deterministic: the signature must come out the same.
const SEED = Buffer.from('MC4CAQAwBQYDK2VwBCIEIP6RRajqvOzc7M3R4dyTkWvTx/WYoMhsoUzTDbfpO/mk', 'base64').subarray(16);
const KEY = 'x_phow91m3gXKDTsdwOKwD_g9dr5BN1FuIZOrOecieA';
const TEXT =
  'v3|f6033445028e92bbeed9c8358151002eff5c6445bab137cdd13092ac5a9e21af|cli|cli|operator|operator.read|1795226139088|throwaway-token-h96|b93d1e92-12c7-4c8b-bfaf-51da17dce96d|linux|linux';
const SIGNATURE = 'fXnlw9PtG5_AkmUMqpk5_vEByZCbkkbIDCHFmfhSsIAXcSL3v_0u5STT3uZPkzso-jkfbmz31n7f9Vj5bGsdCg';

const raw = (text: string) => Buffer.from(text, 'base64url');

test("A3 the worked example's key, id and signature", () => {
  const key = new SigningKey(SEED);
  expect(key.publicKey).toBe(KEY);
  expect(deviceIdOf(raw(KEY))).toBe('f6033445028e92bbeed9c8358151002eff5c6445bab137cdd13092ac5a9e21af');
  expect(key.sign(TEXT)).toBe(SIGNATURE);
  expect(verifyEd25519(raw(KEY), TEXT, raw(SIGNATURE))).toBe(true);
});

test('threat 15: an altered, truncated, longer, zero or non-canonical signature is none', () => {
  const good = raw(SIGNATURE);
  // S + L: the same equation, another spelling.
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString('hex')}`) + order;
  const high = Buffer.alloc(32);
  for (let i = 0; i < 32; i += 1, s >>= 8n) high[i] = Number(s & 255n);
  for (const bad of [
    good.subarray(0, 63),
    Buffer.concat([good, Buffer.alloc(1)]),
    Buffer.alloc(64),
    Buffer.concat([good.subarray(0, 32), high]),
  ]) {
    expect(verifyEd25519(raw(KEY), TEXT, bad)).toBe(false);
  }
  expect(verifyEd25519(raw(KEY), `${TEXT} `, good)).toBe(false);
});

test('A3 a key of small order proves nothing, though anybody can sign for it', () => {
  const identity = Buffer.from(`01${'00'.repeat(31)}`, 'hex');
  const forged = Buffer.concat([identity, Buffer.alloc(32)]);
  expect(verifyEd25519(identity, 'anything', forged)).toBe(false);
  const negative = Buffer.from(identity);
  negative[31] = 0x80;
  expect(verifyEd25519(negative, 'anything', forged)).toBe(false);
  expect(verifyEd25519(Buffer.alloc(31), TEXT, raw(SIGNATURE))).toBe(false);
});

test('rule: more keys than are remembered all verify', () => {
  const pairs = Array.from({ length: 1_050 }, () => generateKeyPairSync('ed25519'));
  const check = ({ publicKey, privateKey }: (typeof pairs)[number]) => {
    const key = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
    return verifyEd25519(key, 'text', sign(null, Buffer.from('text'), privateKey));
  };
  expect(pairs.every(check)).toBe(true);
  expect(pairs.slice(0, 60).every(check)).toBe(true);
});

test.each(['YQ', '', '_-8'])('A3 %j is canonical base64url', (text) => {
  expect(decodeBase64url(text)?.toString('base64url')).toBe(text);
});

test.each(['YQ==', 'YR', 'YQ ', 'Y', '+/8', 'Y\nQ'])('A3 %j is another spelling and refused', (text) => {
  expect(decodeBase64url(text)).toBeNull();
});

test('A3 a length that was asked for is kept', () => {
  expect(decodeBase64url(KEY, 32)).toHaveLength(32);
  expect(decodeBase64url(KEY.slice(0, 42), 32)).toBeNull();
});

test('A10 a token is the same until epoch, role, device or key changes', () => {
  const key = Buffer.alloc(32, 7);
  const token = deviceToken(key, 'd', 'operator', 0);
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(deviceToken(key, 'd', 'operator', 0)).toBe(token);
  const others = [
    deviceToken(key, 'd', 'operator', 1),
    deviceToken(key, 'd', 'node', 0),
    deviceToken(key, 'e', 'operator', 0),
    deviceToken(Buffer.alloc(32, 8), 'd', 'operator', 0),
  ];
  expect(new Set([token, ...others]).size).toBe(5);
});

test('A19 the code has eight digits and depends on both keys and both contributions', () => {
  const parts = { deviceKey: 'd', gatewayKey: 'g', r: 'r', s: 's' };
  const code = comparisonCode(parts);
  expect(code).toMatch(/^\d{4} \d{4}$/);
  const others = (['deviceKey', 'gatewayKey', 'r', 's'] as const).map((name) =>
    comparisonCode({ ...parts, [name]: 'x' }),
  );
  expect(new Set([code, ...others]).size).toBe(5);
});

test('A19 a field that runs into the next one gives another code', () => {
  expect(comparisonCode({ deviceKey: 'd', gatewayKey: 'g', r: 'ab', s: 'c' })).not.toBe(
    comparisonCode({ deviceKey: 'd', gatewayKey: 'g', r: 'a', s: 'bc' }),
  );
});

test('threat 21: secrets of any length compare', () => {
  expect(equalSecrets('abc', 'abc')).toBe(true);
  expect(equalSecrets('abc', 'abcd')).toBe(false);
  expect(equalSecrets('', 'a')).toBe(false);
});
