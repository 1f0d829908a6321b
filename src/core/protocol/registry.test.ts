import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { OPERATOR_SCOPES } from '../authz/scope.ts';
import { scopesFor } from './ask.ts';
import { EVENTS } from './event.ts';
import { rowName } from './method/method.ts';
import { isMethodRow, lookup, METHOD_NAMES, METHODS, rowFor } from './registry.ts';

describe('methods', () => {
  it('rule: each row has a name of its own, a spelled scope and a sentence; self rows stand beside a plain one', () => {
    const rows = METHODS.map(rowName);
    expect(new Set(rows).size).toBe(rows.length);
    for (const m of METHODS) {
      expect([...OPERATOR_SCOPES, 'none'], m.name).toContain(m.scope);
      expect(m.summary, m.name).toMatch(/^[A-Z].*\.$/);
      if ('self' in m) {
        expect(m.scope, m.name).toBe('none');
        expect(lookup(m.name)?.plain.scope, m.name).not.toBe('none');
      }
      // Every schema compiles, and no result can be built from nothing where it has required keys.
      expect(typeof Compile(m.input).Check({}), m.name).toBe('boolean');
      expect(Compile(m.output).Check(7), m.name).toBe(false);
    }
    expect(METHOD_NAMES.length).toBe(METHODS.filter((m) => !('self' in m || 'given' in m)).length);
    expect(isMethodRow('device.token.revoke (self)')).toBe(true);
    expect(isMethodRow('health (self)')).toBe(false);
    expect(lookup('connect')).toBeUndefined();
    expect(lookup('__proto__')).toBeUndefined();
  });

  it('A1: whoever chooses the model of a run is judged by the row that says so', () => {
    const rows = lookup('agent');
    if (rows === undefined) throw new Error('no such method');
    expect(rows.plain.scope).toBe('operator.write');
    for (const model of ['offline/echo', '', null, 7]) {
      expect(rowFor(rows, { message: 'x', model }, null).scope).toBe('operator.admin');
    }
    expect(rowFor(rows, { message: 'x' }, null)).toBe(rows.plain);
    expect(isMethodRow('agent (model)')).toBe(true);
  });

  it('A7: a call is judged by the self row only when it names the caller itself', () => {
    const rows = lookup('device.token.revoke');
    if (rows === undefined) throw new Error('no such method');
    const me = { deviceId: 'me', role: 'operator' };
    expect(rowFor(rows, { deviceId: 'me' }, me)).toBe(rows.self);
    expect(rowFor(rows, { deviceId: 'me', role: 'operator' }, me)).toBe(rows.self);
    expect(rowFor(rows, { deviceId: 'me', role: 'node' }, me)).toBe(rows.plain);
    expect(rowFor(rows, { deviceId: 'other' }, me)).toBe(rows.plain);
    expect(rowFor(rows, {}, me)).toBe(rows.plain);
    expect(rowFor(rows, { deviceId: 'me' }, null)).toBe(rows.plain);
    const plain = lookup('health');
    if (plain === undefined) throw new Error('no such method');
    expect(rowFor(plain, { deviceId: 'me' }, me)).toBe(plain.plain);
  });

  it('rule: a client asks for no more than its methods need', () => {
    expect(scopesFor(['health'])).toEqual([]);
    expect(scopesFor(['device.scopes.requestUpgrade'])).toEqual([]);
    expect(scopesFor(['device.pair.list', 'device.pair.approve'])).toEqual(['operator.pairing']);
    expect(scopesFor(['status', 'health', 'gateway.secret.rotate', 'system-presence'])).toEqual([
      'operator.admin',
      'operator.read',
    ]);
  });

  it('rule: the scopes of PROTOCOL.md §5.2 and §6', () => {
    const scopeOf = (name: string) => lookup(name)?.plain.scope;
    expect(scopeOf('health')).toBe('none');
    for (const name of ['status', 'system-presence', 'config.get']) expect(scopeOf(name), name).toBe('operator.read');
    expect(scopeOf('device.pair.setupCode')).toBe('operator.admin');
    const decisions = METHOD_NAMES.filter((n) => /^device\.(pair|token|grant|code)\./.test(n));
    for (const name of decisions.filter((n) => n !== 'device.pair.setupCode')) {
      expect(scopeOf(name), name).toBe('operator.pairing');
    }
    expect(EVENTS.presence).toBe('operator.read');
    expect(EVENTS['device.pair.requested']).toBe('operator.pairing');
    expect(EVENTS.tick).toBe('none');
  });

  it("rule: OpenClaw's own params are taken", () => {
    const takes = (name: string, params: unknown) => Compile(lookup(name)?.plain.input ?? {}).Check(params);
    expect(takes('status', { includeChannelSummary: false, includeCliProjection: true })).toBe(true);
    expect(takes('health', { probe: true })).toBe(true);
    expect(takes('device.token.rotate', { deviceId: 'd', role: 'operator', scopes: ['operator.read'] })).toBe(true);
    expect(takes('device.pair.approve', { requestId: 'r' })).toBe(true);
    expect(takes('device.pair.approve', {})).toBe(false);
    expect(takes('device.pair.list', {})).toBe(true);
    expect(takes('device.pair.rename', { deviceId: 'd', label: 'x', news: 1 })).toBe(true);
  });
});
