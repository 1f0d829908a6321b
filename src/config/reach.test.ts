import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Failure } from '../system/failure.ts';
import { type LoadedConfig, loadConfig, secretOf } from './load.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-rc-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function load(config: unknown): LoadedConfig {
  const path = join(home, 'latchkey.json');
  writeFileSync(path, JSON.stringify(config));
  return loadConfig({ path });
}

function refusal(config: unknown): Failure {
  try {
    load(config);
  } catch (error) {
    return error as Failure;
  }
  throw new Error('nothing was refused');
}

const tls = (value: unknown) => load({ gateway: { tls: value } });

test('rule: without gateway.tls the port is plain, and nothing is announced that loopback keeps', () => {
  const { config, warnings } = load({});
  expect(config.gateway).toMatchObject({ tls: null, trustedProxies: [] });
  expect(config.discovery.mdns).toBe('minimal');
  expect(warnings).toEqual([]);
  expect(load({ discovery: { mdns: { mode: 'off' } } }).config.discovery.mdns).toBe('off');
  expect(refusal({ discovery: { mdns: { mode: 'full' } } }).why).toContain('"off" or "minimal"');
});

test('rule: a certificate and its key are named together, beside the file or from home', () => {
  expect(tls({ enabled: true }).config.gateway.tls).toEqual({ files: null, autoGenerate: true });
  expect(tls({ enabled: true, autoGenerate: false }).config.gateway.tls?.autoGenerate).toBe(false);
  expect(tls({ enabled: true, certPath: 'a.crt', keyPath: '~/a.key' }).config.gateway.tls?.files).toEqual({
    certPath: join(home, 'a.crt'),
    keyPath: join(homedir(), 'a.key'),
  });
  expect(refusal({ gateway: { tls: { enabled: true, certPath: 'a' } } }).why).toContain('keyPath is missing');
  expect(refusal({ gateway: { tls: { enabled: true, keyPath: 'a' } } }).why).toContain('certPath is missing');
  expect(refusal({ gateway: { tls: { enabled: true, caPath: 'a' } } }).exitCode).toBe(78);
});

test('rule: what is not used, and what can be read on the way, is said', () => {
  expect(tls({ certPath: 'a', keyPath: 'b' }).warnings).toEqual([
    'gateway.tls.certPath is not used: gateway.tls.enabled is not true',
  ]);
  const bound = (bind: string, more = {}) => load({ gateway: { bind, ...more } }).warnings;
  expect(bound('lan')[0]).toContain('gateway.bind "lan" without gateway.tls');
  expect(bound('192.0.2.7')[0]).toContain('without gateway.tls');
  expect(bound('127.0.0.1')).toEqual([]);
  expect(bound('lan', { tls: { enabled: true } })).toEqual([]);
});

test('threat 25: proxies are exact addresses or ranges, in one spelling', () => {
  const proxies = (...trustedProxies: string[]) => load({ gateway: { trustedProxies } }).config.gateway.trustedProxies;
  expect(proxies('192.0.2.7', '::FFFF:192.0.2.8', '2001:DB8:0::1', '10.0.0.0/8', 'FD00::/8', '127.0.0.1/32')).toEqual([
    '192.0.2.7',
    '192.0.2.8',
    '2001:db8::1',
    '10.0.0.0/8',
    'fd00::/8',
    '127.0.0.1/32',
  ]);
  for (const entry of [
    'proxy.example',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0',
    '*',
    'fe80::1%eth0',
    '::/129',
    '::ffff:10.0.0.0/104',
    '10.0.0.0/8 ',
  ]) {
    expect(refusal({ gateway: { trustedProxies: [entry] } }).exitCode, entry).toBe(78);
  }
  for (const entry of ['0.0.0.0/0', '::/0']) {
    expect(refusal({ gateway: { trustedProxies: [entry] } }).why).toContain('everybody would be a proxy');
  }
});

test('threat 28: beyond loopback no weak, blank, placeholder or reused secret is served, TLS or not', async () => {
  for (const bind of ['lan', '192.0.2.7', '0.0.0.0', '::']) {
    for (const more of [{}, { tls: { enabled: true } }]) {
      for (const auth of [
        { token: 'short' },
        { token: '   ' },
        { token: 'undefined' },
        { token: 'changeme' },
        { mode: 'password', password: 'hunter2' },
        { token: '3f9c1e7ab2d84056c8a1f03be97d5264', password: '3f9c1e7ab2d84056c8a1f03be97d5264' },
      ]) {
        const loaded = load({ gateway: { bind, auth, ...more } });
        await expect(secretOf(loaded, {}), JSON.stringify([bind, auth])).rejects.toThrow(/refusing to listen/);
      }
    }
    expect(refusal({ gateway: { bind, auth: { token: '' } } }).exitCode).toBe(78);
    for (const mode of ['none', 'trusted-proxy']) {
      expect(refusal({ gateway: { bind, auth: { mode } } }).exitCode).toBe(78);
    }
  }
});
