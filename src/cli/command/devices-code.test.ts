import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'uqr';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Scripted } from '../scripted.ts';
import { drawn } from './devices-code.ts';

const NOW = 1_800_000_000_000;
const MADE = {
  code: 'c',
  role: 'operator',
  scopes: ['operator.read'],
  expiresAtMs: NOW + 600_000,
  setupCode: 'eyJ1cmwiOiJ3c3M6Ly9ndy5leGFtcGxlIn0',
  gatewayUrl: 'wss://gw.example',
  urlSource: 'publicUrl',
  beyondHost: true,
  encrypted: true,
};
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const gateway = (more: Record<string, unknown> = {}) =>
  cli.gateway({ 'device.code.create': { payload: { ...MADE, ...more } } });

test('A14 says the code, what it gives, until when, where it leads, and the line for the other machine without it', async () => {
  await gateway();
  const argv = ['devices', 'code', '--scope', 'operator.read', '--public-url', 'wss://gw.example'];
  const { code, out } = await cli.run(argv);
  expect(code).toBe(0);
  expect(cli.calls).toEqual([
    {
      method: 'device.code.create',
      params: { role: 'operator', scopes: ['operator.read'], publicUrl: 'wss://gw.example' },
    },
  ]);
  expect(out.startsWith(`${MADE.setupCode}\n`)).toBe(true);
  expect(out).toContain('operator: operator.read\n');
  expect(out).toContain('(in 10 min)');
  expect(out).toContain('  latchkey --url wss://gw.example --setup-code - status\n');
  expect(out.split(MADE.setupCode)).toHaveLength(2);
});

test('A14 without scopes the gateway chooses; --none is an empty list', async () => {
  await gateway();
  await cli.run(['devices', 'code', '--role', 'node']);
  await cli.run(['devices', 'code', '--none']);
  expect(cli.calls.map(({ params }) => params)).toEqual([{ role: 'node' }, { role: 'operator', scopes: [] }]);
});

test('A14 an address that only this host reaches is said to be one, and what leads there', async () => {
  await gateway({ gatewayUrl: 'ws://127.0.0.1:18789', beyondHost: false, encrypted: false });
  const { out } = await cli.run(['devices', 'code']);
  expect(out).toContain('ssh -N -L 18789:127.0.0.1:18789');
  expect(out).not.toContain('--insecure');
});

test('A14 a way in clear is said to be one', async () => {
  await gateway({ gatewayUrl: 'ws://192.0.2.7:18789', encrypted: false });
  const { out } = await cli.run(['devices', 'code']);
  expect(out).toContain('--insecure --setup-code -');
  expect(out).toContain('not encrypted');
});

test('A14 --json is one document with the code in it; a picture is for a terminal only', async () => {
  await gateway();
  const { out } = await cli.run(['devices', 'code', '--json'], { typed: '' });
  expect(JSON.parse(out)).toMatchObject({ setupCode: MADE.setupCode, expiresAtMs: MADE.expiresAtMs });
  expect((await cli.run(['devices', 'code'])).out).not.toContain('█');
  expect((await cli.run(['devices', 'code'], { typed: '' })).out).toContain('█');
  expect((await cli.run(['devices', 'code', '--no-qr'], { typed: '' })).out).not.toContain('█');
});

test.each([true, false])('A14 what is drawn is the QR code, colours %s', (colour) => {
  const rows = encode('latchkey', { border: 2 }).data;
  const text = drawn(rows, colour);
  const lines = text.replaceAll('\u001b[97;40m', '').replaceAll('\u001b[0m', '').split('\n').slice(0, -1);
  expect(text.includes('\u001b')).toBe(colour);
  const read = lines.flatMap((line) => [
    [...line].map((c) => !'▀█'.includes(c)),
    [...line].map((c) => !'▄█'.includes(c)),
  ]);
  expect(read.slice(0, rows.length)).toEqual(rows);
});
