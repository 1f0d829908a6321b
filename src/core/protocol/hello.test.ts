import { describe, expect, it } from 'vitest';
import { type HelloAuth, type HelloFacts, helloOk, helloText } from './hello.ts';

const AUTH: HelloAuth = {
  method: 'device',
  role: 'operator',
  held: ['operator.read'],
  granted: ['operator.read', 'operator.write'],
  coversGrant: false,
  deviceToken: 'T',
  issuedAtMs: 5,
  broughtStale: false,
  missing: [],
  requestId: null,
  rejected: false,
  unknown: [],
  ignored: [],
  notStored: false,
  decision: null,
};
const FACTS: HelloFacts = {
  protocol: 4,
  version: '1.2.3',
  connId: 'c',
  bootId: 'b',
  auth: AUTH,
  mayRead: true,
  isAdmin: false,
  presence: [{ host: 'h' }],
  health: { ok: true },
  stateVersion: { presence: 1, health: 2 },
  uptimeMs: 3,
  authMode: 'token',
  configPath: '/etc/x',
  stateDir: '/var/x',
};

const hello = (facts: Partial<HelloFacts>, auth: Partial<HelloAuth> = {}) =>
  helloOk({ ...FACTS, ...facts, auth: { ...AUTH, ...auth } }) as Record<string, Record<string, unknown>>;

describe('hello-ok', () => {
  it('A10: v4 is told what it holds, and no token while that is less than the grant', () => {
    expect(hello({}).auth).toEqual({ method: 'device', role: 'operator', scopes: ['operator.read'] });
    expect(hello({}, { broughtStale: true }).auth).toMatchObject({ deviceToken: 'T', scopes: ['operator.read'] });
    expect(hello({}, { coversGrant: true, held: ['operator.write'] }).auth).toMatchObject({
      deviceToken: 'T',
      issuedAtMs: 5,
      scopes: ['operator.write'],
    });
  });

  it('A10: v3 is told the grant with its token, and nothing where there is no device', () => {
    expect(hello({ protocol: 3 }).auth).toEqual({
      deviceToken: 'T',
      issuedAtMs: 5,
      role: 'operator',
      scopes: ['operator.read', 'operator.write'],
    });
    expect('auth' in hello({ protocol: 3 }, { deviceToken: null })).toBe(false);
    expect(hello({}, { deviceToken: null, method: 'token' }).auth).toMatchObject({ method: 'token' });
  });

  it('A4: what was asked and not held, and what counted as absent, is said in both versions', () => {
    const said = {
      missing: ['operator.admin'],
      requestId: 'r',
      ignored: ['secret'],
      unknown: ['operator.x'],
      notStored: true,
      rejected: true,
      decision: 'd_1',
    };
    expect(hello({ protocol: 3 }, said).auth).toMatchObject(said);
    expect(hello({ protocol: 4 }, said).auth).toMatchObject(said);
  });

  it('rule: paths only to an admin, presence only to who may read', () => {
    expect(JSON.stringify(hello({}))).not.toContain('/var/x');
    expect(hello({ isAdmin: true }).snapshot).toMatchObject({ stateDir: '/var/x', configPath: '/etc/x' });
    expect(hello({ mayRead: false }).snapshot).toMatchObject({ presence: [], health: { ok: true } });
  });

  it('rule: the parts that each version has', () => {
    expect(Object.keys(hello({ protocol: 4 }).server ?? {}).sort()).toEqual(['bootId', 'connId', 'version']);
    expect(Object.keys(hello({ protocol: 3 }).server ?? {}).sort()).toEqual(['connId', 'version']);
    expect(hello({ protocol: 4 }).features).toHaveProperty('capabilities', []);
    expect(hello({ protocol: 3 }).features).not.toHaveProperty('capabilities');
    expect(hello({}).policy).toEqual({ maxPayload: 26_214_400, maxBufferedBytes: 52_428_800, tickIntervalMs: 30_000 });
  });

  it('rule: as text it is the same', () => {
    for (const protocol of [3, 4] as const) {
      const facts = { ...FACTS, protocol };
      expect(JSON.parse(helloText(facts))).toEqual(JSON.parse(JSON.stringify(helloOk(facts))));
      expect(JSON.parse(helloText(facts)).features.methods).toContain('health');
    }
  });
});
