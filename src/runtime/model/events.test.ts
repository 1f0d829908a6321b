import { expect, test } from 'vitest';
import { Events, TooMuch } from './events.ts';

/** What a client library is given of a stream that comes in pieces of this size. */
function handed(text: string, size: number): readonly string[] {
  const events = new Events();
  const bytes = Buffer.from(text);
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const piece of events.take(bytes.subarray(at, at + size))) pieces.push(Buffer.from(piece).toString());
  }
  return pieces;
}

test('A16: only whole events go on, with one kind of line end and no line that says nothing, wherever they are cut', () => {
  const text = [
    '\ufeffdata: {"a":1}\n\n',
    ': still at it\n\n',
    'event: x\r\ndata: {"b":\r\ndata:2}\r\nid: 7\r\n\r\n',
    'a\r\ra\rdata: "ä"\r\r',
    'data\n\n',
    'data: [DONE]\n\n',
    'data: {"no":"end"}\n',
  ].join('');
  const wanted = 'data: {"a":1}\n\ndata: {"b":\ndata:2}\n\ndata: "ä"\n\ndata: [DONE]\n\n';
  for (let size = 1; size <= Buffer.byteLength(text); size += 1) expect(handed(text, size).join('')).toBe(wanted);
});

test('A16: a flood of small events is handed on a few at a time', () => {
  const pieces = handed('data: {}\n\n'.repeat(10_000), 65_536);
  expect(Math.max(...pieces.map((piece) => piece.match(/data/g)?.length ?? 0))).toBe(64);
  expect(pieces.join('').length).toBe(100_000);
  const large = handed(`data: ${'x'.repeat(1_000)}\n\n`.repeat(1_000), 65_536);
  expect(Math.max(...large.map(({ length }) => length))).toBeLessThan(18_000);
});

test('A16: an event has a bounded size, also one that comes byte by byte, and a bounded number of lines', () => {
  const image = `data: {"data":"${'A'.repeat(15_000_000)}"}\n\n`;
  expect(handed(image, 65_536).join('')).toBe(image);
  expect(() => handed(`data: "${'A'.repeat(17_000_000)}`, 65_536)).toThrow(TooMuch);
  expect(() => handed(`: ${'A'.repeat(17_000_000)}`, 65_536)).toThrow(TooMuch);
  expect(handed(`data: "${'A'.repeat(100_000)}"\n\n`, 1).join('').length).toBe(100_010);
  expect(handed(`${'data:\n'.repeat(10_000)}\n`, 65_536).length).toBe(1);
  expect(() => handed('data:\n'.repeat(10_001), 65_536)).toThrow(/10000 lines/);
  // Comments are no part of an event, and are many where a model thinks for long.
  expect(handed(`${': at it\n'.repeat(3_000_000)}data: 1\n\n`, 65_536)).toEqual(['data: 1\n\n']);
});

test('A16: an event is looked at as a whole, over its lines, and the next one by itself', () => {
  const calls = Array.from({ length: 700 }, () => '{}').join(',');
  expect(() => handed(`data: {"a":[${calls},\ndata: ${calls}]}\n\n`, 999)).toThrow(/more than 1024 entries/);
  expect(handed(`data: {"a":[${calls}]}\n\n`.repeat(3), 999).length).toBe(3);
});

test('rule: the last event goes on without the empty line behind it, where it is whole', () => {
  const ended = (text: string, size: number) => {
    const events = new Events();
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) for (const _ of events.take(bytes.subarray(at, at + size)));
    const last = events.end();
    return last === null ? null : Buffer.from(last).toString();
  };
  for (const size of [1, 3, 1_000]) {
    for (const end of ['', '\n', '\r', '\r\n', '\n: so it is', '\nevent: x\n']) {
      expect(ended(`data: {"a":0}\n\ndata: {"a":\ndata: 1}${end}`, size)).toBe('data: {"a":\ndata: 1}\n\n');
    }
    for (const cut of ['data: {"a":1', 'data: {"a":"}\n', 'data: [{}\n', 'data: 1\n', 'da', 'data:', ': {}', '']) {
      expect(ended(`data: {"a":0}\n\n${cut}`, size)).toBeNull();
    }
  }
  expect(() => ended(`data: {"a":[${'{},'.repeat(1_100)}1]}`, 64)).toThrow(TooMuch);
});
