import type { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { reachOf } from './reach.ts';

type Interfaces = ReturnType<typeof networkInterfaces>;

const v4 = (address: string, internal = false) =>
  ({ address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null }) as const;
const v6 = (address: string) =>
  ({ address, internal: false, family: 'IPv6', netmask: '', mac: '', cidr: null, scopeid: 0 }) as const;
const HOST: Interfaces = {
  lo: [v4('127.0.0.1', true)],
  tun0: [v4('203.0.113.9')],
  docker0: [v4('172.17.0.1')],
  eth0: [v4('192.168.7.2'), v6('fe80::1'), v6('2001:db8::2')],
};
const door = { port: 18_789, bind: 'lan', fingerprint: undefined } as const;

test('A14 a wildcard is dialed at the addresses of this host, those of the house first, no bridge among them', () => {
  const at = (address: string) => reachOf({ ...door, addresses: [address] }, () => HOST);
  expect(at('0.0.0.0')).toEqual({
    urls: ['ws://192.168.7.2:18789', 'ws://203.0.113.9:18789'],
    source: 'gateway.bind=lan',
    beyondHost: true,
    tlsFingerprint: null,
  });
  expect(at('::').urls).toEqual(['ws://192.168.7.2:18789', 'ws://203.0.113.9:18789', 'ws://[2001:db8::2]:18789']);
});

test('A14 what only this host reaches is said to be so', () => {
  const loopback = reachOf({ ...door, addresses: ['127.0.0.1', '::1'] }, () => HOST);
  expect(loopback).toMatchObject({ urls: ['ws://127.0.0.1:18789'], beyondHost: false });
  const alone = reachOf({ ...door, addresses: ['0.0.0.0'] }, () => ({ lo: HOST.lo ?? [] }));
  expect(alone).toMatchObject({ urls: ['ws://127.0.0.1:18789'], beyondHost: false });
});

test('A14 with TLS it is wss, with what is to be pinned; before the port is known it is nothing', () => {
  const named = { ...door, addresses: ['192.0.2.7'] };
  expect(reachOf({ ...named, fingerprint: 'ab' })).toMatchObject({
    urls: ['wss://192.0.2.7:18789'],
    tlsFingerprint: 'ab',
  });
  expect(reachOf({ ...named, fingerprint: null })).toMatchObject({
    urls: ['wss://192.0.2.7:18789'],
    tlsFingerprint: null,
  });
  expect(reachOf({ ...named, port: 0 }).urls).toEqual([]);
});
