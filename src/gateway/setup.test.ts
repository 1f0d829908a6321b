import { inflateSync } from 'node:zlib';
import { encode } from 'uqr';
import { expect, test } from 'vitest';
import { dialable, isOwnHost, png, qrDataUrl, setupText } from './setup.ts';

/** A PNG of one bit a pixel back into rows, black true. */
function pixelsOf(bytes: Buffer): boolean[][] {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    chunks.set(bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const head = chunks.get('IHDR') ?? Buffer.alloc(13);
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  expect([head[8], head[9]]).toEqual([1, 0]);
  const data = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0));
  const stride = 1 + Math.ceil(width / 8);
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => (((data[y * stride + 1 + (x >> 3)] ?? 0) << (x & 7)) & 0x80) === 0),
  );
}

test('A14 the picture holds the squares of the QR code, each as large as was said', () => {
  const rows = encode('latchkey', { border: 2 }).data;
  const pixels = pixelsOf(png(rows, 3));
  expect(pixels).toHaveLength(rows.length * 3);
  expect(
    pixels.every((line, y) => line.every((dark, x) => dark === rows[Math.floor(y / 3)]?.[Math.floor(x / 3)])),
  ).toBe(true);
});

test("A14 a picture fits OpenClaw's schema, or there is none", async () => {
  const url = await qrDataUrl('x'.repeat(300));
  expect(url).toMatch(/^data:image\/png;base64,/);
  expect(url?.length).toBeLessThanOrEqual(16_384);
  expect(await qrDataUrl('x'.repeat(3_000))).toBeNull();
});

test('A14 the text holds where, the code and what is pinned, and nothing else', () => {
  const setup = { urls: ['wss://a:1'], bootstrapToken: 't', gatewayKey: 'k', tlsFingerprint: 'f' };
  const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
  expect(read(setupText(setup))).toEqual({
    url: 'wss://a:1',
    bootstrapToken: 't',
    gatewayKey: 'k',
    tlsFingerprint: 'f',
  });
  expect(read(setupText({ ...setup, urls: ['wss://a:1', 'wss://b:1'], tlsFingerprint: null }))).toEqual({
    url: 'wss://a:1',
    urls: ['wss://a:1', 'wss://b:1'],
    bootstrapToken: 't',
    gatewayKey: 'k',
  });
});

test.each([
  ['https://gw.example/', 'wss://gw.example'],
  ['http://gw.example:8080', 'ws://gw.example:8080'],
  ['wss://gw.example:18789/lk', 'wss://gw.example:18789/lk'],
  ['ftp://gw.example', null],
  ['wss://me:pw@gw.example', null],
  ['wss://gw.example?token=x', null],
  ['wss://gw.example#x', null],
  ['gw.example', null],
])('A14 the address %s is dialed as %s', (text, url) => {
  expect(dialable(text)).toBe(url);
});

test('A14 what only looks like this host is none', () => {
  expect(['ws://127.0.0.1:1', 'ws://[::1]:1', 'ws://localhost:1'].every(isOwnHost)).toBe(true);
  expect(['ws://127.evil.test:1', 'ws://localhost.evil.test:1', 'ws://192.168.1.2:1'].some(isOwnHost)).toBe(false);
});
