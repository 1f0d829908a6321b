import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../authz/command.ts';
import { CLOSE, closeReason } from './close.ts';
import { ACCESS } from './error/access.ts';
import { backoffMs, ERRORS, type ErrorCode, refusalOfOutcome, refuse, remedyFor } from './error.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

describe('refusals', () => {
  it('A16: every refusal of core/authz has its answer, and no name stands twice', () => {
    expect(Object.keys(ACCESS).sort()).toEqual([...REFUSALS].sort());
    expect(new Set(CODES).size).toBe(CODES.length);
  });

  it('A16: each says whether trying again helps, what to do, and under which name', () => {
    for (const code of CODES) {
      for (const protocol of [3, 4] as const) {
        const { error, close } = refuse(code, { protocol, command: 'lk' });
        expect(error.details?.refusal, code).toBe(code);
        expect(['NOT_PAIRED', 'INVALID_REQUEST', 'UNAVAILABLE', 'FORBIDDEN'], code).toContain(error.code);
        expect(remedyFor(code, {})?.remedy, code).toMatch(/\S/);
        if (close !== null) expect(Object.values(CLOSE), code).toContain(close.code);
      }
    }
    expect(remedyFor('__proto__', {})).toBeNull();
    expect(remedyFor('toString', {})).toBeNull();
  });

  it('rule: the texts that old clients compare', () => {
    const cli = { clientId: 'cli', clientMode: 'cli' };
    const said = (code: ErrorCode, c = {}) => refuse(code, { protocol: 4, ...c }).error.message;
    expect(said('secret_mismatch', cli)).toBe(
      "unauthorized: gateway token mismatch (use this gateway's gateway.auth.token or pair the device)",
    );
    expect(said('secret_mismatch', { ...cli, protocol: 3 })).toBe(
      'unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)',
    );
    expect(said('secret_mismatch', { clientId: 'openclaw-control-ui', clientMode: 'webchat' })).toBe(
      'unauthorized: gateway token mismatch (open the dashboard URL and paste the token in Control UI settings)',
    );
    expect(said('secret_mismatch', { clientId: 'x', clientMode: 'backend', authMode: 'password' })).toBe(
      'unauthorized: gateway password mismatch (provide gateway auth password)',
    );
    expect(said('identity_required')).toBe('device identity required');
    expect(said('device_id')).toBe('device identity mismatch');
    expect(said('signature')).toBe('device signature invalid');
    expect(said('nonce_required')).toBe('device nonce required');
    expect(said('nonce_mismatch')).toBe('device nonce mismatch');
    expect(said('public_key')).toBe('device public key invalid');
    expect(said('protocol_mismatch')).toBe('protocol mismatch');
    expect(said('role')).toBe('invalid role');
    expect(said('not_found')).toBe('unknown requestId');
    expect(said('not_found', { subject: 'deviceId' })).toBe('unknown deviceId');
    expect(said('unknown_method', { method: 'nope.nope' })).toBe('unknown method: nope.nope');
    expect(said('wrong_role', { role: 'node' })).toBe('unauthorized role: node');
    expect(said('params_invalid', { method: 'cron.list', text: 'at /limit: must be integer' })).toBe(
      'invalid cron.list params: at /limit: must be integer',
    );
  });

  it('rule: a pairing refusal is as each version knows it', () => {
    const c = {
      requestId: 'r-1',
      role: 'operator',
      deviceId: 'd',
      asked: ['operator.read'],
      s: 'S',
      expiresAt: 9,
    };
    const v4 = refuse('pairing_required', { protocol: 4, ...c });
    expect(v4.error).toMatchObject({
      code: 'NOT_PAIRED',
      message: 'pairing required: device is not approved yet',
      details: {
        code: 'PAIRING_REQUIRED',
        reason: 'not-paired',
        requestId: 'r-1',
        remediationHint: 'latchkey devices approve r-1',
        deviceId: 'd',
        requestedRole: 'operator',
        requestedScopes: ['operator.read'],
        s: 'S',
        expiresAtMs: 9,
      },
    });
    expect(v4.close).toEqual({
      code: 1008,
      reason: 'pairing required: device is not approved yet (requestId: r-1)',
    });
    const v3 = refuse('pairing_required', { protocol: 3, ...c });
    expect(v3.error.message).toBe('pairing required');
    expect(v3.error.details).toMatchObject({ code: 'PAIRING_REQUIRED', requestId: 'r-1', reason: 'not-paired' });
    expect(v3.close).toEqual({ code: 1008, reason: 'pairing required' });
    const higher = refuse('pairing_required', { protocol: 4, ...c, role: 'node', approvedRoles: ['operator'] });
    expect(higher.error.details).toMatchObject({ reason: 'role-upgrade', approvedRoles: ['operator'] });
  });

  it('rule: a missing scope is FORBIDDEN to v4 and INVALID_REQUEST to v3, with the same text', () => {
    const c = { scopes: ['operator.admin'] };
    expect(refuse('missing_scope', { protocol: 4, ...c })).toEqual({
      close: null,
      remedy: 'latchkey devices list',
      error: {
        code: 'FORBIDDEN',
        message: 'missing scope: operator.admin',
        details: {
          code: 'MISSING_SCOPE',
          missingScope: 'operator.admin',
          requiredScopes: ['operator.admin'],
          refusal: 'missing_scope',
        },
      },
    });
    expect(refuse('missing_scope', { protocol: 3, ...c }).error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'missing scope: operator.admin',
    });
  });

  it('A3: a connect without a nonce may come again at once; A16: what is left is said', () => {
    expect(refuse('nonce_required', {}).error).toMatchObject({ retryable: true, retryAfterMs: 250 });
    expect(refuse('rejected', { retryAfterMs: 1234.5 }).error).toMatchObject({ retryable: true, retryAfterMs: 1235 });
    expect(refuse('signature', {}).error.retryAfterMs).toBeUndefined();
    expect(refuse('signature', { retryAfterMs: 60_000 }).error.retryAfterMs).toBe(60_000);
    expect([1, 2, 3, 7, 1000].map(backoffMs)).toEqual([1000, 2000, 4000, 60_000, 60_000]);
  });

  it('A2: a label changes the words of a hint and nothing else', () => {
    for (const code of CODES) {
      const seen = ['cli', 'openclaw-control-ui', 'node-host', 'x'].map((id) => {
        const { error, close } = refuse(code, { clientId: id, clientMode: id === 'cli' ? 'cli' : 'webchat' });
        return JSON.stringify([error.code, error.details, error.retryable, error.retryAfterMs, close?.code]);
      });
      expect(new Set(seen).size, code).toBe(1);
    }
  });

  it('A8: a waiting socket is answered however its request ends', () => {
    const ends = (['rejected', 'superseded', 'expired', 'replaced', 'ended'] as const).map(refusalOfOutcome);
    expect(new Set(ends).size).toBe(5);
    for (const code of ends) expect(refuse(code, { protocol: 4 }).close?.code, code).toBe(1008);
  });

  it('rule: a close reason is at most 120 bytes and never cut within a character', () => {
    expect(closeReason('x'.repeat(200))).toBe('x'.repeat(120));
    expect(closeReason('€'.repeat(41))).toBe('€'.repeat(40));
    expect(closeReason(`${'x'.repeat(118)}😀`)).toBe('x'.repeat(118));
    expect(closeReason('short')).toBe('short');
  });
});
