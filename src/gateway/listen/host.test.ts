import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, headerFacts, isOwnHost, lkOf } from './host.ts';

const facts = (...rawHeaders: string[]) => headerFacts({ rawHeaders } as IncomingMessage);

describe('Host', () => {
  const own = (host: string | null, reached = '127.0.0.1', allowed: string[] = []) => isOwnHost(host, reached, allowed);

  it('threat 23: loopback names, the address reached and configured names are own', () => {
    for (const host of ['localhost', 'localhost:18789', 'LOCALHOST:1', '127.0.0.1:18789', '[::1]:18789', '[::1]']) {
      expect(own(host), host).toBe(true);
    }
    expect(own('192.0.2.7:18789', '192.0.2.7')).toBe(true);
    expect(own('[2001:db8::7]:18789', '2001:db8::7')).toBe(true);
    expect(own('gateway.example:443', '192.0.2.7', ['gateway.example'])).toBe(true);
  });

  it('threat 23: rebinding names and odd spellings of addresses are not', () => {
    for (const host of [
      null,
      '',
      'evil.example',
      'evil.example:18789',
      'localhost.',
      'localhost.evil',
      '127.0.0.1.evil',
      '127.evil.test',
      '2130706433',
      '0177.0.0.1',
      '0x7f.0.0.1',
      '127.1',
      '127.0.0.2',
      '[::1%lo]',
      '[::ffff:127.0.0.1]',
      '[0:0:0:0:0:0:0:1]',
      'localhost:99999',
      'localhost:',
      'localhost:1:2',
      'user@localhost',
      'localhost/x',
      ' localhost',
      'localhost,evil.example',
      '::1',
    ]) {
      expect(own(host), String(host)).toBe(false);
    }
    expect(own('192.0.2.7', '127.0.0.1')).toBe(false);
    expect(own('sub.gateway.example', '127.0.0.1', ['gateway.example'])).toBe(false);
  });
});

describe('headers', () => {
  it('threat 22: repeats are seen, which Node would fold', () => {
    expect(facts('Host', 'a', 'host', 'b', 'ORIGIN', 'x')).toMatchObject({
      host: 'a',
      repeated: ['host'],
      origin: 'x',
    });
    expect(facts('Origin', 'x', 'origin', 'x').repeated).toEqual(['origin']);
    expect(facts()).toEqual({ host: null, origin: null, forwarding: [], repeated: [] });
  });

  it('threat 25: names of forwarding and identity headers are collected', () => {
    expect(facts('X-Forwarded-For', '127.0.0.1', 'Forwarded', 'for=x', 'X-Real-IP', 'y').forwarding).toEqual([
      'forwarded',
      'x-forwarded-for',
      'x-real-ip',
    ]);
    const proxies = ['CF-Connecting-IP', 'Tailscale-User-Login', 'X-OpenClaw-Scopes', 'Remote-User', 'Via'];
    expect(facts(...proxies.flatMap((name) => [name, ''])).forwarding).toHaveLength(proxies.length);
    expect(facts('User-Agent', 'x', 'Accept', '*/*').forwarding).toEqual([]);
  });

  it('A15: one address has one text', () => {
    expect(canonicalAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(canonicalAddress('::FFFF:192.0.2.1')).toBe('192.0.2.1');
    expect(canonicalAddress('FE80::1%eth0')).toBe('fe80::1%eth0');
    expect(canonicalAddress(undefined)).toBeNull();
  });

  it('A18: the nonce is taken once, and whole', () => {
    const lk = 'A'.repeat(43);
    expect(lkOf(`/?lk=${lk}`)).toBe(lk);
    expect(lkOf(`/any/path?x=1&lk=${lk}`)).toBe(lk);
    for (const url of ['/', '/?lk=', `/?lk=${lk}A`, `/?lk=${lk}&lk=${lk}`, `/?lk=${'+'.repeat(43)}`, '/?lk=%']) {
      expect(lkOf(url), url).toBeNull();
    }
  });
});
