import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hopsOf, proxyList } from './listen/forwarded.ts';
import type { TransportFacts } from './listen/pipe.ts';
import { bucketOf, mayProveOwner, positionOf } from './proof.ts';

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

describe('A11 the owner proof counts where the client dialed what it reached', () => {
  test.each([
    ['127.0.0.1, and so it says', '127.0.0.1:18789', '127.0.0.1:18789', true],
    ['::1, and so it says', '[::1]:18789', '[::1]:18789', true],
    ['127.0.0.1, for somebody who listens at ::1 instead', '[::1]:18789', '127.0.0.1:18789', false],
    ['::1, for somebody who listens at 127.0.0.1 instead', '127.0.0.1:18789', '[::1]:18789', false],
    ['by a name', 'localhost:18789', '127.0.0.1:18789', false],
    ['another port: a tunnel', '127.0.0.1:4000', '127.0.0.1:18789', false],
    ['where the system does not say what', '127.0.0.1:18789', undefined, false],
  ])('A11 reached %s', (_what, host, reached, counts) => {
    const facts = tcp({ host, ...(reached === undefined ? {} : { reached }) });
    expect(mayProveOwner(facts, positionOf(facts, rules))).toBe(counts);
  });

  test('A11, A13 never on a socket that is not direct', () => {
    for (const change of [{ origin: 'https://ui.example' }, { forwarding: ['via'] }, { address: '192.0.2.8' }]) {
      const facts = tcp({ reached: '127.0.0.1:18789', ...change });
      expect(mayProveOwner(facts, positionOf(facts, rules))).toBe(false);
    }
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

describe('threat 25: what stands in forwarding headers', () => {
  const proxied = { ...rules, isProxy: proxyList(['10.0.0.1', '10.0.0.2', '127.0.0.1', '192.0.2.7', 'fd00::/8']) };
  /** A socket from `address` that brings these headers. */
  const from = (address: string, ...rawHeaders: string[]) =>
    positionOf(tcp({ address, forwarding: ['x-forwarded-for'], hops: hopsOf(rawHeaders) }), proxied);
  const xff = (address: string, value: string) => from(address, 'X-Forwarded-For', value);

  test.each([
    ['one hop', '203.0.113.9', '203.0.113.9'],
    ['what the client wrote stands further left', '127.0.0.1, 198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['nearer proxies are passed over', '198.51.100.1, 203.0.113.9, 10.0.0.2, 127.0.0.1', '203.0.113.9'],
    ['a hop further left that is no address', 'evil, 203.0.113.9', '203.0.113.9'],
    ['a hop that is no address', '203.0.113.9, evil', '10.0.0.1'],
    ['nothing', '', '10.0.0.1'],
    ['proxies alone', '10.0.0.2, 10.0.0.1', '10.0.0.1'],
    ["the proxy's own loopback", '127.9.9.9', '10.0.0.1'],
    ["the proxy's own loopback, IPv6", '::1', '10.0.0.1'],
    ['another spelling', '::ffff:203.0.113.9', '203.0.113.9'],
    ['with a port', '203.0.113.9:5000', '203.0.113.9'],
  ])('threat 25: from a listed proxy: %s', (_what, value, remote) => {
    expect(xff('10.0.0.1', value)).toMatchObject({ remote, source: remote, direct: false });
    expect(from('10.0.0.1', 'Forwarded', value.replace(/[^, ]+/g, 'for="$&"')).remote).toBe(remote);
    // From everybody else it says nothing.
    expect(xff('203.0.113.77', value)).toMatchObject({ remote: '203.0.113.77', source: '203.0.113.77', direct: false });
  });

  test('threat 25: two kinds of header count where they agree', () => {
    const both = (a: string, b: string) => from('10.0.0.1', 'X-Forwarded-For', a, 'Forwarded', `for=${b}`).remote;
    expect(both('203.0.113.9', '203.0.113.9')).toBe('203.0.113.9');
    expect(both('203.0.113.9', '198.51.100.1')).toBe('10.0.0.1');
    expect(both('198.51.100.1', '203.0.113.9')).toBe('10.0.0.1');
    expect(both('203.0.113.9', 'evil')).toBe('10.0.0.1');
  });

  test('threat 25, A15 who hides behind a proxy of this host takes no room of loopback, and is not shown as it', () => {
    for (const headers of [
      ['X-Forwarded-For', '127.0.0.1'],
      ['X-Forwarded-For', '::ffff:127.0.0.1'],
      ['X-Forwarded-For', '203.0.113.9', 'Forwarded', 'for=127.0.0.1'],
      ['X-Forwarded-For', '203.0.113.9', 'Forwarded', 'for=198.51.100.1'],
      ['Forwarded', 'for="[::1]"'],
      ['X-Forwarded-For', '203.0.113.9, evil'],
      [],
    ]) {
      expect(from('127.0.0.1', ...headers)).toMatchObject({ source: 'proxied', remote: 'proxied', direct: false });
    }
    expect(xff('127.0.0.1', '203.0.113.9')).toMatchObject({ source: '203.0.113.9', remote: '203.0.113.9' });
  });

  test('A15 IPv6 clients of a proxy take room by their /64', () => {
    expect(xff('10.0.0.1', '2001:db8:1:2:3::4').source).toBe(xff('10.0.0.1', '2001:db8:1:2::9').source);
    expect(xff('10.0.0.1', '2001:db8:1:2::9')).toMatchObject({ remote: '2001:db8:1:2::9' });
  });

  test('A13 threat 26: nothing that comes through a proxy is direct, whatever is listed', () => {
    // Listed as a proxy and as a place of the secret: the proxy it is.
    expect(positionOf(tcp({ address: '192.0.2.7', host: 'gateway.example' }), proxied).direct).toBe(false);
    expect(xff('127.0.0.1', '203.0.113.9').direct).toBe(false);
    // A program beside the proxy, on its host, brings no such header.
    expect(positionOf(tcp(), proxied)).toMatchObject({ direct: true, source: 'loopback' });
  });

  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('127.0.0.1', '::1', '10.0.0.1', '10.0.0.2'));
  const junk = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('unknown', '_x', '"', ',', 'for=', ';', '[::1'));
  const hop = fc.oneof(
    address,
    address.map((a) => `"${a}"`),
    fc.tuple(address, fc.nat(70_000)).map(([a, p]) => `${a}:${p}`),
    junk,
  );
  const value = fc.array(hop, { maxLength: 6 }).map((hops) => hops.join(', '));
  const header = fc.tuple(
    fc.constantFrom(
      'X-Forwarded-For',
      'x-forwarded-for',
      'Forwarded',
      'X-Real-IP',
      'CF-Connecting-IP',
      'X-Openclaw-Scopes',
    ),
    fc.oneof(
      value,
      value.map((v) => v.replaceAll(/[^, ]+/g, 'for=$&')),
    ),
  );
  const headers = fc.array(header, { minLength: 1, maxLength: 4 });

  test('threat 25: whatever the headers, nobody unlisted moves his bucket, and nobody at all becomes direct', () => {
    fc.assert(
      fc.property(headers, fc.constantFrom('203.0.113.77', '2001:db8::77', '127.0.0.2', '10.0.0.1'), (lines, peer) => {
        const position = from(peer, ...lines.flat());
        expect(position.direct).toBe(false);
        if (peer === '10.0.0.1') return;
        expect(position).toMatchObject({ remote: peer, source: positionOf(tcp({ address: peer }), rules).source });
      }),
      { seed: 25, numRuns: 2_000 },
    );
  });

  test('threat 25: whatever a client sends, the hop that the proxy adds is the one that counts', () => {
    const client = fc.oneof(fc.ipV4(), fc.ipV6()).filter((a) => xff('10.0.0.1', a).remote !== '10.0.0.1');
    fc.assert(
      fc.property(headers, client, (lines, own) => {
        const sent = lines.filter(([name]) => name.toLowerCase() === 'x-forwarded-for').map(([, v]) => v);
        const others = lines.filter(([name]) => name.toLowerCase() !== 'x-forwarded-for').flat();
        const appended = from('10.0.0.1', ...others, 'X-Forwarded-For', [...sent, own].join(', '));
        const plain = xff('10.0.0.1', own).remote;
        // A `Forwarded` of the client's that the proxy handed on: then it is the proxy's own bucket, never a chosen one.
        const hasOther = others.some((name) => name.toLowerCase() === 'forwarded');
        expect(hasOther ? ['10.0.0.1', plain] : [plain]).toContain(appended.remote);
      }),
      { seed: 26, numRuns: 2_000 },
    );
  });
});
