import { expect, test } from 'vitest';
import { answerText } from './answer.ts';
import { Connection, type House } from './connection.ts';
import type { Pipe } from './listen/pipe.ts';

const MIB = 1024 * 1024;

test('threat 36: the frame of an answer has at most policy.maxPayload bytes, or there is none', () => {
  expect(answerText('1', { a: 1 })).toBe('{"type":"res","id":"1","ok":true,"payload":{"a":1}}');
  expect(answerText('1', 'x'.repeat(24 * MIB))?.length).toBeGreaterThan(24 * MIB);
  expect(answerText('1', 'x'.repeat(25 * MIB))).toBe(null);
  // Bytes, not characters; and what stands for one character in JSON.
  expect(answerText('1', '€'.repeat(9 * MIB))).toBe(null);
  expect(answerText('1', '\u0001'.repeat(5 * MIB))).toBe(null);
});

test('threat 36: an answer that is too large for its client is a refusal of that call, and the connection goes on', async () => {
  const sent: string[] = [];
  let closed = false;
  const payloads: unknown[] = ['x'.repeat(25 * MIB), 'fine'];
  const pipe: Partial<Pipe> = {
    facts: { door: 'owner' } as Pipe['facts'],
    allow: () => {},
    send: (text) => void sent.push(text),
    close: () => {
      closed = true;
    },
  };
  const session = { principal: { kind: 'owner' }, protocol: 4 };
  const house = {
    room: { take: () => true, give: () => {} },
    ownerSession: () => session,
    publisher: { check: () => {} },
    call: async () => ({ ok: true, payload: payloads.shift() }),
  } as unknown as House;
  const connection = new Connection(house, pipe as Pipe, 'c');
  for (const id of ['1', '2']) {
    connection.message(JSON.stringify({ type: 'req', id, method: 'health' }));
    await new Promise((done) => setImmediate(done));
  }
  expect(sent.map((text) => JSON.parse(text))).toMatchObject([
    { id: '1', ok: false, error: { code: 'INVALID_REQUEST', details: { refusal: 'answer_too_large' } } },
    { id: '2', ok: true, payload: 'fine' },
  ]);
  expect(closed).toBe(false);
});
