import { describe, expect, test } from 'vitest';
import type { TransportFacts } from './listen/pipe.ts';
import { bucketOf, positionOf } from './proof.ts';

const tcp = (change: Partial<TransportFacts> = {}): TransportFacts => ({
  door: 'tcp',
  address: '127.0.0.1',
  host: '127.0.0.1:18789',
  origin: null,
  forwarding: [],
  lk: null,
  userAgent: null,
  ...change,
});
const rules = { allowedOrigins: ['https://ui.example'], secretFrom: ['192.0.2.7'] };
const at = (change: Partial<TransportFacts>) => positionOf(tcp(change), rules);

describe('A13 a direct socket', () => {
  test.each([
    ['loopback, loopback Host', {}, true],
    ['another port in Host: an ssh tunnel', { host: 'localhost:4000' }, true],
    ['IPv6 loopback', { address: '::1', host: '[::1]:18789' }, true],
    ['an Origin, even an allowed one', { origin: 'https://ui.example' }, false],
    ['a forwarding header', { forwarding: ['x-forwarded-for'] }, false],
    ['another name in Host', { host: 'attacker.test' }, false],
    ['no Host', { host: null }, false],
    ['another address', { address: '192.0.2.8', host: 'localhost' }, false],
    ['an address that was named', { address: '192.0.2.7', host: 'gateway.example' }, true],
    ['a name that begins like loopback', { host: '127.0.0.1.evil.test' }, false],
  ] as const)('A13 %s', (_what, change, direct) => {
    expect(at(change).direct).toBe(direct);
  });
});

test('threat 22 an Origin is allowed exactly or not at all', () => {
  for (const origin of ['https://ui.example', 'HTTPS://UI.EXAMPLE']) expect(at({ origin }).origin).toBe('allowed');
  for (const origin of [
    'https://ui.example.',
    'https://ui.example:444',
    'http://ui.example',
    'null',
    'http://localhost:3000',
  ]) {
    expect(at({ origin }).origin).toBe('foreign');
  }
});

test('A15 IPv6 takes room by its /64, whatever its spelling', () => {
  expect(bucketOf('2001:db8:1:2:3:4:5:6')).toBe(bucketOf('2001:0db8:0001:0002::1'));
  expect(bucketOf('2001:db8:1:2::')).not.toBe(bucketOf('2001:db8:1:3::'));
  expect(bucketOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  expect(at({ address: '127.9.9.9' }).source).toBe('loopback');
  expect(at({ address: '::1' }).source).toBe('loopback');
});
