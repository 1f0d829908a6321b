// The plain HTTP that OpenClaw's clients ask of a gateway (PROTOCOL.md §1.2).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { fetched } from './conversation.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

describe("HTTP as OpenClaw's clients ask it", () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.stop());

  it.each(['/health', '/healthz'])('rule GET %s says that it lives', async (path) => {
    const { status, type, text } = await fetched(gateway.port, `GET ${path}`);
    expect([status, type, JSON.parse(text)]).toEqual([200, JSON_TYPE, { ok: true, status: 'live' }]);
  });

  it('rule GET /startupz, asked before health, status, doctor and channels status, says that it has started', async () => {
    const { status, type, text } = await fetched(gateway.port, 'GET /startupz');
    expect([status, type, JSON.parse(text)]).toEqual([200, JSON_TYPE, { ok: true, status: 'started' }]);
  });

  it('rule HEAD /, by which dashboard looks for a page, finds one and is sent no body', async () => {
    const { status, type, text } = await fetched(gateway.port, 'HEAD /');
    expect([status, type, text]).toEqual([200, 'text/html; charset=utf-8', '']);
  });
});
