import { describe, expect, it } from 'vitest';
import { LineReader } from './line.ts';

function read(reader: LineReader, ...chunks: (string | Buffer)[]) {
  const lines: string[] = [];
  let fault: string | null = null;
  for (const chunk of chunks) {
    fault = reader.take(Buffer.from(chunk as string), (text) => lines.push(text) > 0);
    if (fault !== null) break;
  }
  return { lines, fault };
}

describe('lines', () => {
  it('rule: whole lines come out, however the bytes come in', () => {
    const text = '{"a":"ü€😀"}\n\n{"b":2}\r\n{"half":';
    const bytes = Buffer.from(text);
    const whole = read(new LineReader(100), bytes);
    const single = read(new LineReader(100), ...[...bytes].map((b) => Buffer.from([b])));
    expect(whole).toEqual({ lines: ['{"a":"ü€😀"}', '{"b":2}\r'], fault: null });
    expect(single).toEqual(whole);
  });

  it('threat 6: a line is at most the bound, to the byte', () => {
    expect(read(new LineReader(5), '12345\n').lines).toEqual(['12345']);
    expect(read(new LineReader(5), '123456\n').fault).toBe('large');
    expect(read(new LineReader(5), '123', '456').fault).toBe('large');
    const reader = new LineReader(5);
    reader.allow(6);
    expect(read(reader, '123456\n').lines).toEqual(['123456']);
  });

  it('threat 4: what is no UTF-8 is a fault', () => {
    expect(read(new LineReader(50), Buffer.from([0x22, 0xff, 0x22, 0x0a])).fault).toBe('encoding');
    expect(read(new LineReader(50), Buffer.from([0xed, 0xa0, 0x80, 0x0a])).fault).toBe('encoding');
  });

  it('rule: a reader that was told to stop hands out nothing more', () => {
    const lines: string[] = [];
    new LineReader(50).take(Buffer.from('1\n2\n3\n'), (text) => lines.push(text) < 2);
    expect(lines).toEqual(['1', '2']);
  });
});
