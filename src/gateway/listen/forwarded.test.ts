import { describe, expect, it } from 'vitest';
import { addressOf, hopsOf, proxyList } from './forwarded.ts';

describe('threat 25: hops', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    [' 203.0.113.9 ', '203.0.113.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:DB8::1]', '2001:db8::1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:cb00:7109', '203.0.113.9'],
    ['', null],
    ['unknown', null],
    ['_hidden', null],
    ['localhost', null],
    ['203.0.113', null],
    ['203.0.113.9.1', null],
    ['203.0.113.256', null],
    ['0203.0.113.9', null],
    ['3405803785', null],
    ['0xcb.0.113.9', null],
    ['[203.0.113.9]', null],
    ['fe80::1%eth0', null],
    ['2001:db8::1::2', null],
    ['203.0.113.9:', null],
    ['203.0.113.9:123456', null],
    ['203.0.113.9 evil', null],
    ['"203.0.113.9"', null],
    ['203.0.113.9\u0000', null],
  ])('threat 25: %j is %j', (text, address) => {
    expect(addressOf(text)).toBe(address);
  });

  it('threat 25: lines and lists are one list, nearest last', () => {
    expect(hopsOf(['X-Forwarded-For', '192.0.2.1, 192.0.2.2', 'Host', 'x', 'x-forwarded-for', '192.0.2.3'])).toEqual([
      ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    ]);
    expect(hopsOf(['X-Forwarded-For', ''])).toEqual([[null]]);
    expect(hopsOf(['X-Real-IP', '192.0.2.1', 'CF-Connecting-IP', '192.0.2.1', 'Via', '1.1 x'])).toEqual([]);
    const long = Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`).join(',');
    expect(hopsOf(['X-Forwarded-For', long])[0]?.at(-1)).toBe('192.0.2.199');
    expect(hopsOf(['X-Forwarded-For', long])[0]).toHaveLength(64);
  });

  it('threat 25: Forwarded is read as RFC 7239 says, quotes and all', () => {
    const of = (...lines: string[]) => hopsOf(lines.flatMap((line) => ['Forwarded', line]))[0];
    expect(of('for=192.0.2.60;proto=http;by=203.0.113.43')).toEqual(['192.0.2.60']);
    expect(of('For="[2001:db8:cafe::17]:4711"', 'for=198.51.100.17')).toEqual(['2001:db8:cafe::17', '198.51.100.17']);
    expect(of('for=192.0.2.43, for="198.51.100.17:80";proto=https')).toEqual(['192.0.2.43', '198.51.100.17']);
    expect(of('for=unknown, for=_gazonk')).toEqual([null, null]);
    expect(of('proto=https')).toEqual([null]);
    expect(of('for=192.0.2.1;for=192.0.2.2')).toEqual([null]);
    expect(of('for=192.0.2.1;by="a,for=192.0.2.9"')).toEqual(['192.0.2.1']);
    // A quotation that doesn't end swallows what stands behind it: nobody can say what it names.
    expect(of('for="192.0.2.1, for=192.0.2.2')).toEqual([null]);
    expect(of('for="\\1\\9\\2.0.2.1"')).toEqual(['192.0.2.1']);
  });
});

it('threat 25: proxies are listed by address and by range, in both families', () => {
  const isProxy = proxyList(['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::1']);
  for (const address of ['192.0.2.7', '10.255.0.1', '2001:db8:1::5', '::1'])
    expect(isProxy(address), address).toBe(true);
  for (const address of [
    '192.0.2.8',
    '11.0.0.1',
    '2001:db9::1',
    '127.0.0.1',
    'unknown',
    '',
    '10.0.0',
    '10.0.0.1.evil',
  ]) {
    expect(isProxy(address), address).toBe(false);
  }
  expect(proxyList([])('127.0.0.1')).toBe(false);
});
