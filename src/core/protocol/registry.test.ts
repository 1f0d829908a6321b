import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { OPERATOR_SCOPES } from '../authz/scope.ts';
import { scopesFor } from './ask.ts';
import { EVENTS } from './event.ts';
import { type Method, rowName } from './method/method.ts';
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

  it('A11, threat 36: what grows with what is stored is answered in turn', () => {
    // What has a list, and takes no turn: it is of a fixed size, or of one thing that is named.
    const fixed = new Set([
      // Asked by probes, without an account of what is stored.
      'health',
      'last-heartbeat',
      'channels.status',
      'commands.list',
      'config.schema',
      'config.schema.lookup',
      'usage.status',
      'models.probe',
      'device.scopes.waitUpgrade',
      'sessions.describe',
      // It asks for chat.history, which has turns.
      'sessions.get',
    ]);
    const hasList = (schema: unknown): boolean =>
      typeof schema === 'object' &&
      schema !== null &&
      (('type' in schema && schema.type === 'array') || Object.values(schema).some(hasList));
    const reading = METHODS.filter((m: Method) => m.acts !== true);
    const lists = reading.filter((m) => hasList(m.output)).map((m: Method) => [m.name, m.inTurn === true]);
    expect(lists.length).toBeGreaterThan(20);
    for (const [name, inTurn] of lists) expect([name, inTurn]).toEqual([name, !fixed.has(String(name))]);
    for (const name of fixed) expect(reading.map((m) => m.name)).toContain(name);
  });

  it('A9: what changes something is answered as it was, and is never what reading is enough for', () => {
    const named = (acts: boolean) => METHODS.filter((m: Method) => (m.acts === true) === acts && !('given' in m));
    for (const m of named(true)) expect(['operator.read'], m.name).not.toContain(m.scope);
    // What asks for more than to read, and changes nothing.
    const beyond = named(false).filter((m) => !['operator.read', 'none'].includes(m.scope));
    expect(beyond.map((m) => m.name).sort()).toEqual(['agent.wait', 'device.pair.list', 'models.probe']);
    const open = named(true).filter((m) => m.scope === 'none');
    expect(open.every((m) => 'self' in m || m.name === 'device.scopes.requestUpgrade')).toBe(true);
    // Nothing that acts waits for others' turns.
    expect(named(true).filter((m: Method) => m.inTurn === true)).toEqual([]);
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
