import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { ConnectParams, protocolFor } from './connect.ts';
import {
  EventFrame,
  errorFrame,
  eventFrame,
  okFrame,
  okText,
  RequestFrame,
  ResponseFrame,
  unknownKeys,
} from './frame.ts';
import { invalidText } from './invalid.ts';
import * as Type from './type.ts';

const request = Compile(RequestFrame);
const connect = Compile(ConnectParams);
const CONNECT = { minProtocol: 3, maxProtocol: 4, client: { id: 'cli', mode: 'cli', version: '1', platform: 'linux' } };
const DEVICE = { id: 'a', publicKey: 'k', signature: 's', signedAt: 1, nonce: 'n' };

describe('frames', () => {
  it('rule: the envelope is closed, and its ids are bounded', () => {
    const frame = { type: 'req', id: '1', method: 'health' };
    expect(request.Check(frame)).toBe(true);
    expect(request.Check({ ...frame, params: null, traceparent: '00-1', expectedProfileId: 'p' })).toBe(true);
    for (const bad of [
      { ...frame, x: 1 },
      { ...frame, id: '' },
      { ...frame, id: 1 },
      { ...frame, id: 'x'.repeat(129) },
      { ...frame, method: '' },
      { ...frame, type: 'event' },
      [],
      null,
      7,
      'req',
      {},
      JSON.parse('{"type":"req","id":"1","method":"m","__proto__":{}}'),
    ]) {
      expect(request.Check(bad), JSON.stringify(bad)).toBe(false);
    }
  });

  it('rule: what is built here is what the schemas say', () => {
    const response = Compile(ResponseFrame);
    expect(response.Check(okFrame('1', { a: 1 }))).toBe(true);
    expect(okFrame('1', undefined)).toEqual({ type: 'res', id: '1', ok: true });
    expect(okText('"', '{"a":1}')).toBe(JSON.stringify(okFrame('"', { a: 1 })));
    expect(response.Check(errorFrame('1', { code: 'X', message: 'y' }))).toBe(true);
    expect(response.Check({ type: 'res', id: '1', ok: false })).toBe(false);
    expect(Compile(EventFrame).Check(eventFrame('tick', { ts: 1 }))).toBe(true);
  });
});

describe('connect.params', () => {
  it('A2: any client id and mode is accepted, and no delimiter of a signed text can be in one', () => {
    for (const id of ['cli', 'openclaw-control-ui', 'something nobody heard of', 'ü', 'x'.repeat(64)]) {
      expect(connect.Check({ ...CONNECT, client: { ...CONNECT.client, id, mode: id } }), id).toBe(true);
    }
    for (const id of ['', 'x'.repeat(65), 'a|b', 'a\nb', 'a\0', 7]) {
      for (const key of ['id', 'mode']) {
        expect(connect.Check({ ...CONNECT, client: { ...CONNECT.client, [key]: id } }), `${key} ${id}`).toBe(false);
      }
    }
    for (const key of ['version', 'platform', 'deviceFamily']) {
      expect(connect.Check({ ...CONNECT, client: { ...CONNECT.client, [key]: 'a|b' } }), key).toBe(false);
    }
  });

  it('threat 17: no scope can pass for two', () => {
    for (const scope of ['operator.read,operator.admin', 'a|b', 'a b', '', 'x'.repeat(65)]) {
      expect(connect.Check({ ...CONNECT, scopes: [scope] }), scope).toBe(false);
    }
    expect(connect.Check({ ...CONNECT, scopes: ['operator.unheard-of'] })).toBe(true);
    expect(connect.Check({ ...CONNECT, scopes: Array(33).fill('operator.read') })).toBe(false);
    expect(connect.Check({ ...CONNECT, scopes: 'operator.read' })).toBe(false);
  });

  it('threat 3: auth and device are closed, the rest is open, and what is unknown in it is counted', () => {
    expect(connect.Check({ ...CONNECT, auth: { token: 't', x: 1 } })).toBe(false);
    expect(connect.Check({ ...CONNECT, device: { ...DEVICE, x: 1 } })).toBe(false);
    const latchkey = { gatewayKey: 'A'.repeat(43), host: 'h:1', r: 'B'.repeat(43) };
    expect(connect.Check({ ...CONNECT, device: { ...DEVICE, latchkey } })).toBe(true);
    expect(connect.Check({ ...CONNECT, device: { ...DEVICE, latchkey: { ...latchkey, x: 1 } } })).toBe(false);
    const news = { ...CONNECT, news: { a: 1 }, client: { ...CONNECT.client, more: 1 }, permissions: { a: 1 } };
    expect(connect.Check(news)).toBe(true);
    expect(unknownKeys(ConnectParams, CONNECT)).toBe(0);
    expect(unknownKeys(ConnectParams, news)).toBe(2);
    expect(unknownKeys(ConnectParams, { ...CONNECT, constructor: 1 })).toBe(1);
  });

  it('A3: a v1 device block, without a nonce, has a valid shape: it is refused by name, not as invalid', () => {
    const { nonce, ...rest } = DEVICE;
    expect(nonce).toBe('n');
    expect(connect.Check({ ...CONNECT, device: rest })).toBe(true);
    for (const signedAt of [1.5, '1', null]) {
      expect(connect.Check({ ...CONNECT, device: { ...DEVICE, signedAt } }), String(signedAt)).toBe(false);
    }
  });

  it("rule: what is wrong is said in OpenClaw's words, quoted harmlessly and bounded", () => {
    const said = (value: unknown) => invalidText(connect.Errors(value));
    expect(said({ x: 1 })).toBe(
      "must have required property 'minProtocol'; must have required property 'maxProtocol'; must have required property 'client'",
    );
    expect(said({ ...CONNECT, auth: { nope: 1 } })).toBe("at /auth: unexpected property 'nope'");
    expect(said({ ...CONNECT, minProtocol: 'x' })).toBe('at /minProtocol: must be integer');
    // A value of the right kind that is too long was not meant to be null.
    const name = Type.Object({ label: Type.Union([Type.String({ maxLength: 3 }), Type.Null()]) });
    const of = (label: unknown) =>
      invalidText([...Compile(name).Errors({ label })] as Parameters<typeof invalidText>[0]);
    expect(of('long')).toBe('at /label: must not have more than 3 characters');
    expect(of(7)).toContain('must be null');
    expect(said([])).toMatch(/^must be object|^must have required/);
    const keys = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k\n${i}${'y'.repeat(100)}`, 1]));
    const long = said({ ...CONNECT, auth: keys });
    expect(long.length).toBeLessThanOrEqual(500);
    expect(long).not.toContain('\n');
  });

  it('rule: the version is the highest that both sides speak', () => {
    expect(protocolFor({ minProtocol: 3, maxProtocol: 3 })).toBe(3);
    expect(protocolFor({ minProtocol: 3, maxProtocol: 4 })).toBe(4);
    expect(protocolFor({ minProtocol: 4, maxProtocol: 9 })).toBe(4);
    expect(protocolFor({ minProtocol: 1, maxProtocol: 2 })).toBeNull();
    expect(protocolFor({ minProtocol: 5, maxProtocol: 6 })).toBeNull();
    expect(protocolFor({ minProtocol: 4, maxProtocol: 3 })).toBeNull();
  });
});
