import { afterEach, beforeEach, expect, test } from 'vitest';
import { StoreUnavailable } from '../store.ts';
import { Connection } from './connection.ts';
import { selfTest } from './selftest.ts';

let real: Connection;
beforeEach(() => {
  real = new Connection(':memory:', { synchronous: 'OFF' });
});
afterEach(() => real.close());

/** The real engine, whose answers come back as an older runtime gave them. */
function spoilt(spoil: (value: unknown) => unknown): Parameters<typeof selfTest>[0] {
  return {
    exec: (sql) => real.exec(sql),
    run: (sql, ...values) => real.run(sql, ...values),
    get: <Row>(sql: string, ...values: Parameters<Connection['run']>[1][]) => {
      const row = real.get<Record<string, unknown>>(sql, ...values);
      return row && (Object.fromEntries(Object.entries(row).map(([k, v]) => [k, spoil(v)])) as Row);
    },
  };
}

test('S28 the engine that we run on gives back text, bytes and JSON with NUL', () => {
  selfTest(real);
  selfTest(real);
});

test('S28 an engine that cuts text at NUL, or bytes, is refused', () => {
  const cutText = spoilt((v) => (typeof v === 'string' ? v.split('\0')[0] : v));
  const cutBytes = spoilt((v) => (v instanceof Uint8Array ? v.subarray(0, 1) : v));
  for (const engine of [cutText, cutBytes]) expect(() => selfTest(engine)).toThrow(StoreUnavailable);
});
