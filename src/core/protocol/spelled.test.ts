import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode, type ErrorContext, refuse } from './error.ts';
import { CLOSE_REASON_BYTES } from './limit.ts';
import { spelled } from './spelled.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];
const REQUEST = '947ea31b-a673-475b-94f3-eb87856d43cf';
const CONTEXTS: readonly ErrorContext[] = [3, 4].flatMap((protocol) => [
  { protocol: protocol as 3 | 4 },
  { protocol: protocol as 3 | 4, requestId: REQUEST, scopes: ['operator.pairing'], clientId: 'cli', role: 'operator' },
]);

describe('refusals for programs without a table of remedies', () => {
  it.each(CODES)('A16 %s: its own words stay in front, the command stands behind them, whole or not at all', (code) => {
    for (const c of CONTEXTS) {
      const plain = refuse(code, c);
      const told = spelled(plain);
      if (plain.remedy === null) {
        expect(told).toEqual(plain);
        continue;
      }
      expect(told.error).toEqual({
        ...plain.error,
        message: `${plain.error.message} (on the gateway's host: ${plain.remedy})`,
      });
      const [was, is] = [plain.close?.reason ?? '', told.close?.reason ?? ''];
      expect(is.startsWith(was)).toBe(true);
      expect(Buffer.byteLength(is)).toBeLessThanOrEqual(CLOSE_REASON_BYTES);
      expect(is === was || is.endsWith(`${plain.remedy})`), is).toBe(true);
    }
  });

  it('A16: the close reasons that 2026.2.19 and 2026.3.13 print have the command too', () => {
    const reason = (code: ErrorCode) => spelled(refuse(code, { protocol: 3, requestId: REQUEST })).close?.reason;
    const pairing = `pairing required (on the gateway's host: latchkey devices approve ${REQUEST})`;
    expect([reason('pairing_required'), reason('rejected')]).toEqual([pairing, pairing]);
  });

  it('rule: 2026.9.6 reads the request out of a close reason', () => {
    const { close } = spelled(refuse('pairing_required', { protocol: 4, requestId: REQUEST }));
    expect(/\(requestId:\s*([^\s)]+)\)/i.exec(close?.reason ?? '')?.[1]).toBe(REQUEST);
    const { error } = spelled(refuse('missing_scope', { protocol: 4, scopes: ['operator.read'] }));
    expect(/\bmissing scope:\s*([a-z0-9._-]+)/i.exec(error.message)?.[1]).toBe('operator.read');
  });
});
