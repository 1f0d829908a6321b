// T10: what a request says about where it came from. A forwarding header or an Origin takes privileges away and gives none.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORWARDING, foreignOrigins } from '../attack/name.ts';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer, Peer } from '../partner/peer.ts';
import { UpgradeRefused } from '../partner/websocket.ts';
import { ADMIN, asking, gist, granted, paired, READ, rows } from './act.ts';

type Headers = Readonly<Record<string, string | readonly string[]>>;

describe('T10 forwarding headers and Origin on loopback', () => {
  let gateway: Gateway;
  let owner: Peer;
  let known: Identity;

  beforeAll(async () => {
    gateway = await start({ config: { gateway: { controlUi: { allowedOrigins: ['https://ui.example'] } } } });
    owner = await gateway.owner();
    known = await paired(owner, [READ]);
  });
  afterAll(() => gateway?.stop());

  /** What a connect comes to, refused at the upgrade or later. */
  async function outcome(headers: Headers, identity?: Identity, credential = true): Promise<string> {
    try {
      const partner = await Partner.open({ port: gateway.port, headers });
      const params = asking([READ], credential ? { auth: { token: gateway.token } } : {});
      const answer: Answer = await partner.connect(params, identity === undefined ? {} : { identity });
      partner.end();
      return gist(answer);
    } catch (error) {
      if (error instanceof UpgradeRefused) return `upgrade ${error.status}`;
      throw error;
    }
  }

  it('A13 the control: without any such header the secret opens and pairs', async () => {
    expect(await outcome({})).toBe('ok');
    const fresh = newIdentity();
    expect(await outcome({}, fresh)).toBe('ok');
    expect(await granted(owner, fresh)).toContain(ADMIN);
  });

  it.each(FORWARDING)('T10 %s: %s takes the secret its loopback privileges', async (name, value) => {
    const headers = { [name]: value };
    expect(await outcome(headers)).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED');
    const fresh = newIdentity();
    expect(await outcome(headers, fresh)).toBe('NOT_PAIRED PAIRING_REQUIRED');
    expect(await granted(owner, fresh)).toBeNull();
    // A4: a granted key needs no privilege of place.
    expect(await outcome(headers, known, false)).toBe('ok');
  });

  const foreign = () => foreignOrigins(gateway.port);

  it('T10 threat 22 a page of any other origin is refused before anything it brings is judged', async () => {
    const before = await rows(owner);
    for (const origin of foreign()) {
      for (const identity of [undefined, known, newIdentity()]) {
        expect(await outcome({ Origin: origin }, identity), `Origin: ${origin}`).toMatch(
          /^(upgrade 4\d\d|INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED)$/,
        );
      }
    }
    const two = await outcome({ Origin: ['https://evil.example', 'https://ui.example'] }, known);
    expect(two).toMatch(/^(upgrade 4\d\d|INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED)$/);
    const twoTheOtherWay = await outcome({ Origin: ['https://ui.example', 'https://evil.example'] }, known);
    expect(twoTheOtherWay).toMatch(/^(upgrade 4\d\d|INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED)$/);
    // A15: an Origin off the list can't ask.
    expect((await rows(owner)).open).toEqual(before.open);
  });

  it('T10 with a forwarding header beside it a foreign Origin stays foreign', async () => {
    for (const [name, value] of FORWARDING)
      expect(await outcome({ Origin: 'https://evil.example', [name]: value }, known)).toMatch(
        /^(upgrade 4\d\d|INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED)$/,
      );
  });

  it('T10 an allowed page connects with its key and may ask, but a secret in it neither opens nor pairs', async () => {
    for (const origin of ['https://ui.example', 'HTTPS://UI.example', `http://127.0.0.1:${gateway.port}`]) {
      expect(await outcome({ Origin: origin }, known, false), origin).toBe('ok');
      expect(await outcome({ Origin: origin }), origin).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED');
      const fresh = newIdentity();
      expect(await outcome({ Origin: origin }, fresh), origin).toBe('NOT_PAIRED PAIRING_REQUIRED');
      expect(await granted(owner, fresh)).toBeNull();
      expect((await rows(owner, fresh)).open).toHaveLength(1);
    }
  });

  it('threat 23 a Host that is no loopback name is answered 4xx, on every path', async () => {
    const bad = [
      'attacker.test',
      `attacker.test:${gateway.port}`,
      '2130706433',
      '0x7f.1',
      '127.1',
      '127.0.0.1.evil',
      '',
    ];
    for (const host of [...bad, null]) {
      const failed = await Partner.open({ port: gateway.port, host }).then(
        (partner) => {
          partner.end();
          return null;
        },
        (error: unknown) => error,
      );
      expect(failed, `Host: ${host}`).toBeInstanceOf(UpgradeRefused);
      expect((failed as UpgradeRefused).status, `Host: ${host}`).toBeGreaterThanOrEqual(400);
      expect((failed as UpgradeRefused).status, `Host: ${host}`).toBeLessThan(500);
    }
    const good = ['127.0.0.1', `127.0.0.1:${gateway.port}`, 'localhost', `LOCALHOST:${gateway.port}`];
    for (const host of good) {
      const partner = await Partner.open({ port: gateway.port, host });
      expect(gist(await partner.connect(asking([READ]), { identity: known })), `Host: ${host}`).toBe('ok');
      partner.end();
    }
  });
});
