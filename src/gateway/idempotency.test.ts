import { expect, test } from 'vitest';
import type { Principal } from '../core/authz/principal.ts';
import type { Answer } from './answer.ts';
import { Idempotency } from './idempotency.ts';

const OWNER: Principal = { kind: 'owner' };
const SECRET: Principal = { kind: 'secret', asked: null };

function counted(answer: (n: number) => Answer) {
  let n = 0;
  return { calls: () => n, call: async () => answer(++n) };
}

test('rule the same key of the same principal and method has its effect once', async () => {
  const ids = new Idempotency();
  const { call, calls } = counted((n) => ({ ok: true, payload: n }));
  const key = { idempotencyKey: 'k' };
  const both = await Promise.all([ids.once(OWNER, 'm', key, call), ids.once(OWNER, 'm', key, call)]);
  expect([both, calls()]).toEqual([
    [
      { ok: true, payload: 1 },
      { ok: true, payload: 1 },
    ],
    1,
  ]);
  await ids.once(SECRET, 'm', key, call);
  await ids.once(OWNER, 'other', key, call);
  await ids.once(OWNER, 'm', {}, call);
  expect(calls()).toBe(4);
});

test('rule a failure that may pass is tried again under its key', async () => {
  const ids = new Idempotency();
  const refused = { error: { code: 'UNAVAILABLE', message: '', retryable: true }, close: null, remedy: null };
  const { call, calls } = counted((n) => (n === 1 ? { ok: false, refused, denied: false } : { ok: true, payload: n }));
  const key = { idempotencyKey: 'k' };
  expect((await ids.once(OWNER, 'm', key, call)).ok).toBe(false);
  expect((await ids.once(OWNER, 'm', key, call)).ok).toBe(true);
  expect(calls()).toBe(2);
});
