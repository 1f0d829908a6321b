import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeResponse, encodeQuery, labelsOf, TYPE } from './dns-message.ts';

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));
/** A response with so many answers, and what follows. */
const response = (answers: number, ...parts: (string | number[])[]) =>
  bytes([0, 0, 0x84, 0, 0, 0, 0, answers, 0, 0, 0, 0], ...parts);
const IN = [0x80, 1, 0, 0, 0, 120];

describe('a question', () => {
  it('asks for an answer to the asker alone, and escapes stand for the label as it is', () => {
    expect(encodeQuery([{ name: '_x._tcp.local', type: TYPE.PTR }])).toEqual(
      bytes([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], [2], '_x', [4], '_tcp', [5], 'local', [0, 0, 12, 0x80, 1]),
    );
    expect(labelsOf('a\\.b\\\\c._tcp.local')).toEqual(['a.b\\c', '_tcp', 'local']);
    expect(encodeQuery([{ name: 'a\\.b.local', type: 1 }]).subarray(12, 17)).toEqual(bytes([3], 'a.b', [5]));
    expect(() => encodeQuery([{ name: 'x'.repeat(64), type: 1 }])).toThrow();
  });
});

describe('a response', () => {
  it('is read record by record, names by their pointers', () => {
    const message = response(
      5,
      [2, ...Buffer.from('_x'), 4, ...Buffer.from('_tcp'), 5, ...Buffer.from('local'), 0],
      [0, 12, ...IN, 0, 7, 4, ...Buffer.from('a.b!'), 0xc0, 12],
      // The instance's name, at byte 12 + 15 + 10.
      [0xc0, 37, 0, 33, ...IN, 0, 10, 0, 0, 0, 0, 0x49, 0x65, 1, ...Buffer.from('h'), 0xc0, 20],
      [0xc0, 37, 0, 16, ...IN, 0, 8, 3, ...Buffer.from('k=v'), 1, ...Buffer.from('f'), 0, 0],
      [1, ...Buffer.from('h'), 0xc0, 20, 0, 1, ...IN, 0, 4, 192, 0, 2, 7],
      [1, ...Buffer.from('h'), 0xc0, 20, 0, 28, ...IN, 0, 16, 0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), 1],
    );
    expect(decodeResponse(message)).toEqual([
      { type: 'PTR', name: '_x._tcp.local', target: 'a\\.b!._x._tcp.local' },
      { type: 'SRV', name: 'a\\.b!._x._tcp.local', target: 'h.local', port: 18789 },
      { type: 'TXT', name: 'a\\.b!._x._tcp.local', texts: ['k=v', 'f', '', ''] },
      { type: 'A', name: 'h.local', address: '192.0.2.7' },
      { type: 'AAAA', name: 'h.local', address: '2001:db8::1' },
    ]);
  });

  it('that is none, breaks off, or points in a ring is nothing', () => {
    expect(decodeResponse(encodeQuery([{ name: 'a.local', type: 1 }]))).toBeNull();
    expect(decodeResponse(Buffer.alloc(0))).toBeNull();
    expect(decodeResponse(response(1, [0xc0, 12, 0, 1, ...IN, 0, 4, 1, 2, 3, 4]))).toBeNull();
    expect(decodeResponse(response(1, [0xc0, 14, 0xc0, 12]))).toBeNull();
    expect(decodeResponse(response(1, [63], 'x'))).toBeNull();
    expect(decodeResponse(response(1, [1], 'a', [0, 0, 1, ...IN, 0xff, 0xff, 1]))).toBeNull();
    const endless = Array.from({ length: 10 }, () => [63, ...Buffer.alloc(63, 'a')]).flat();
    expect(decodeResponse(response(1, endless, [0, 0, 1, ...IN, 0, 4, 1, 2, 3, 4]))).toBeNull();
  });

  it('of a wrong length, class or type leaves that record out', () => {
    expect(decodeResponse(response(1, [1], 'a', [0, 0, 1, ...IN, 0, 3, 1, 2, 3]))).toEqual([]);
    expect(decodeResponse(response(1, [1], 'a', [0, 0, 1, 0, 3, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]))).toEqual([]);
    expect(decodeResponse(response(1, [1], 'a', [0, 0, 47, ...IN, 0, 2, 1, 2]))).toEqual([]);
  });

  it('of any bytes ends, in bounded work', () => {
    const header = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => [0, 0, 0x84, 0, 0, a, 0, b, 0, a, 0, b]);
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 600 }), (head, body) => {
        const records = decodeResponse(Buffer.from([...head, ...body]));
        expect(records === null || records.length <= 256).toBe(true);
      }),
      { seed: 7, numRuns: 5_000 },
    );
    // Every record points at the same long name.
    const long = response(255, [...Array.from({ length: 3 }, () => [63, ...Buffer.alloc(63, 'a')]).flat(), 0]);
    const many = Buffer.concat([
      long,
      ...Array.from({ length: 254 }, () => bytes([0xc0, 12, 0, 12, ...IN, 0, 2, 0xc0, 12])),
    ]);
    expect(decodeResponse(many)).toBeNull();
  });
});
