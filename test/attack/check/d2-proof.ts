// D2: what a proof is worth twice, elsewhere, altered, or for another key.
import { createHash, sign } from 'node:crypto';
import type { Partner } from '../../partner/client.ts';
import { deviceBlock, type Identity, newIdentity, signature, signedText } from '../../partner/identity.ts';
import { until } from '../../partner/peer.ts';
import { encodeFrame } from '../../partner/websocket.ts';
import { ADMIN, asking, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches, skip } from '../check.ts';
import { ALTERED, ANY, delimited, SMALL } from '../forgery.ts';
import { answered, gistOf, type Target } from '../target.ts';

const INVALID = /^(INVALID_REQUEST|closed 1008)/;
const MISMATCH = /^INVALID_REQUEST DEVICE_AUTH_NONCE_MISMATCH$/;

type Device = Record<string, unknown>;

/** A connect of a paired device whose device block is changed after signing; `nonce` is signed as given. */
async function tampered(
  target: Target,
  identity: Identity,
  change: (device: Device) => unknown,
  nonce?: string,
): Promise<string> {
  const { gist, partner } = await target.connect(asking([READ], target.credential(identity)), {
    identity,
    ...(nonce === undefined ? {} : { nonce }),
    tamper: (params) => ({ ...params, device: change(params.device as Device) }),
  });
  partner?.end();
  return gist;
}

/** What a connect of these params comes to on a socket. */
async function sent(partner: Partner, params: unknown): Promise<string> {
  return gistOf(await answered(partner, partner.call('connect', params)));
}

/** Sends several connects in one write; what each came to. */
async function together(partner: Partner, all: readonly Record<string, unknown>[]): Promise<readonly string[]> {
  const frames = all.map((params, i) => ({ type: 'req', id: `c${i}`, method: 'connect', params }));
  partner.ws.sendBytes(Buffer.concat(frames.map((frame) => encodeFrame(Buffer.from(JSON.stringify(frame))))));
  const answers = () => partner.received.map((text) => JSON.parse(text)).filter((frame) => frame.type === 'res');
  await Promise.race([partner.closed, until('answers', () => answers().length === all.length)]);
  return answers().map((answer) => `${answer.id} ${gistOf(answer)}`);
}

async function replay(target: Target): Promise<undefined> {
  const known = await target.pair([READ]);
  const params = asking([READ], target.credential(known));
  const mine = await target.open();
  const captured = mine.signed(params, { identity: known });
  // While its own socket lives, before and after it was used there.
  matches(await sent(await target.open(), captured), MISMATCH, 'on another live socket');
  equal(await sent(mine, captured), 'ok', 'the control: on its own socket');
  assert((await sent(mine, captured)) !== 'ok', 'twice on the same socket');
  matches(await sent(await target.open(), captured), MISMATCH, 'on a new socket, after use');
  const twice = await target.open();
  const again = twice.signed(params, { identity: known });
  const both = await together(twice, [again, again]);
  equal(both.filter((answer) => answer.endsWith(' ok')).length, 1, `the same connect twice in one packet: ${both}`);
  const spent = await target.open();
  const bad = { ...spent.signed(params, { identity: known }), role: 'node' };
  const results = await together(spent, [bad, spent.signed(params, { identity: known })]);
  assert(!results.some((answer) => answer.endsWith(' ok')), `a good connect behind a refused one: ${results}`);
  return undefined;
}

async function altered(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  for (const [name, change] of ALTERED) {
    const gist = await tampered(target, known, (device) => ({
      ...device,
      signature: change(Buffer.from(String(device.signature), 'base64url')).toString('base64url'),
    }));
    matches(gist, INVALID, `a signature ${name}`);
  }
  for (const hex of SMALL) {
    const raw = Buffer.from(hex, 'hex');
    const device = { id: createHash('sha256').update(raw).digest('hex'), publicKey: raw.toString('base64url') };
    for (const forged of [...SMALL.map((r) => Buffer.concat([Buffer.from(r, 'hex'), Buffer.alloc(32)])), ANY]) {
      const partner = await target.open();
      const proof = { signature: forged.toString('base64url'), signedAt: partner.challenge.ts };
      const block = { ...device, ...proof, nonce: partner.challenge.nonce };
      matches(await sent(partner, { ...asking([READ]), device: block }), INVALID, `a key of small order ${hex}`);
      partner.end();
    }
  }
  return `${ALTERED.length} signatures, ${SMALL.length} keys of small order`;
}

async function wrongKey(target: Target): Promise<undefined> {
  const known = await target.pair([READ]);
  const admin = await target.pair([ADMIN]);
  const stranger = newIdentity();
  const before = [await target.granted(known), await target.granted(admin)];
  const due = /^INVALID_REQUEST DEVICE_AUTH_(DEVICE_ID_MISMATCH|SIGNATURE_INVALID)$/;
  matches(await tampered(target, known, (d) => ({ ...d, publicKey: stranger.publicKey })), due, "a stranger's key");
  matches(await tampered(target, known, (d) => ({ ...d, id: stranger.id })), due, "a stranger's id");
  matches(await tampered(target, known, (d) => ({ ...d, id: admin.id })), due, 'the id of another paired device');
  const params = asking([ADMIN], target.credential(known));
  const partner = await target.open();
  const signing = { version: 'v3' as const, nonce: partner.challenge.nonce, signedAt: partner.challenge.ts };
  const text = Buffer.from(signedText(admin.id, params, signing));
  const forged = sign(null, text, known.privateKey).toString('base64url');
  const device = { ...deviceBlock(admin, params, signing), signature: forged };
  matches(await sent(partner, { ...params, device }), due, 'another key for the id of the admin');
  const claims = await target.open();
  const mine = { version: 'v3' as const, nonce: claims.challenge.nonce, signedAt: claims.challenge.ts };
  const claimed = signature(known, signedText(admin.id, params, mine));
  const block = { ...deviceBlock(known, params, mine), id: admin.id, signature: claimed };
  matches(await sent(claims, { ...params, device: block }), due, "an own key, signing for the admin's id");
  equal([await target.granted(known), await target.granted(admin)], before, 'the records');
  return undefined;
}

async function downgrade(target: Target): Promise<undefined> {
  const known = await target.pair([READ]);
  const params = asking([READ], target.credential(known));
  for (const version of ['v1', 'v4', 'lk1', 'V3', '']) {
    const partner = await target.open();
    const signing = { version: 'v3' as const, nonce: partner.challenge.nonce, signedAt: partner.challenge.ts };
    const text = signedText(known.id, params, signing).replace('v3|', `${version}|`);
    const device = { ...deviceBlock(known, params, signing), signature: signature(known, text) };
    matches(await sent(partner, { ...params, device }), INVALID, `a text of version ${JSON.stringify(version)}`);
  }
  const v2 = await target.connect(params, { identity: known, version: 'v2' });
  equal(v2.gist, 'ok', 'v2 stays accepted (A18)');
  if (target.product !== 'latchkey') skip('the rest is about signatures that name the gateway, which this one has not');
  const partner = await target.open({ lk: true });
  const latchkey = {
    gatewayKey: partner.challenge.gateway?.key ?? '',
    host: target.options.host,
    r: Buffer.alloc(32, 3).toString('base64url'),
  };
  const options = { identity: known, latchkey };
  const weaker = await answered(partner, partner.connect(params, { ...options, version: 'v3' }));
  matches(gistOf(weaker), INVALID, 'a v3 text beside a named gateway');
  for (const [name, wrong] of [
    ['another gateway', { gatewayKey: Buffer.alloc(32, 5).toString('base64url') }],
    ['another host', { host: 'evil.example' }],
  ] as const) {
    const other = await target.open({ lk: true });
    const block = { ...latchkey, ...wrong };
    const answer = await answered(other, other.connect(params, { identity: known, version: 'lk1', latchkey: block }));
    matches(gistOf(answer), INVALID, `a proof for ${name}`);
  }
  return undefined;
}

export const PROOF_CHECKS: readonly Check[] = [
  {
    id: 'D2.10',
    title: 'a captured connect opens nothing: on another socket, on its own again, twice in one packet',
    quick: true,
    needs: ['token'],
    run: replay,
  },
  {
    id: 'D2.10 restart',
    title: 'a connect captured before a restart opens nothing after it',
    quick: true,
    needs: ['second process'],
    run: async (target) => {
      const first = target.over(await target.spawn());
      const { options } = first;
      const known = await first.pair([READ]);
      const captured = (await first.open()).signed(asking([READ]), { identity: known });
      await options.own?.kill();
      const second = target.over(await target.spawn({ stateDir: options.stateDir ?? '' }));
      matches(await sent(await second.open(), captured), MISMATCH, 'after the restart');
      equal((await second.enter(known, [READ])).gist, 'ok', 'the control: a new proof');
      return undefined;
    },
  },
  {
    id: 'D2.12',
    title: 'signedAt: what is no integer or was not signed is refused; a wrong clock locks nobody out (A3)',
    quick: true,
    needs: ['token'],
    run: async (target) => {
      const known = await target.pair([READ]);
      for (const signedAt of ['1', 1.5, null, true, 1e300])
        matches(await tampered(target, known, (d) => ({ ...d, signedAt })), INVALID, `signedAt ${String(signedAt)}`);
      const other = await tampered(target, known, (d) => ({ ...d, signedAt: Number(d.signedAt) + 1 }));
      matches(other, /SIGNATURE_INVALID$/, 'not the one that was signed');
      const ts = (await target.open()).challenge.ts;
      for (const signedAt of [
        0,
        1,
        ts - 3_600_000,
        ts - 121_000,
        ts + 119_000,
        ts + 3_600_000,
        Number.MAX_SAFE_INTEGER,
      ]) {
        const params = asking([READ], target.credential(known));
        const { gist } = await target.connect(params, { identity: known, signedAt });
        equal(gist, 'ok', `a clock that is ${signedAt - ts} ms off`);
      }
      return undefined;
    },
  },
  {
    id: 'D2.13',
    title: 'the id of one device with the key or the signature of another is refused, and the records stay',
    quick: true,
    needs: ['token'],
    run: wrongKey,
  },
  {
    id: 'D2.15',
    title: 'signatures that are altered, and keys that anybody can sign for, prove nothing',
    quick: true,
    needs: ['token'],
    run: altered,
  },
  {
    id: 'D2.17',
    title: 'what would move a delimiter of the signed text is refused, and no request holds its halves',
    quick: true,
    needs: ['token'],
    run: async (target) => {
      for (const params of delimited()) {
        const fresh = target.adopt(newIdentity());
        const { gist } = await target.connect(params, { identity: fresh });
        matches(gist, INVALID, JSON.stringify({ scopes: params.scopes, client: params.client }));
        const asked = (await target.pending(fresh)).flatMap((row) => row.scopes);
        equal(
          asked.filter((scope: string) => scope !== READ),
          [],
          `asked by ${JSON.stringify(params.scopes)}`,
        );
      }
      const paired = await target.pair([READ]);
      const joined = asking([`${READ},${ADMIN}`], target.credential(paired));
      const { gist, payload } = await target.connect(joined, { identity: paired });
      if (gist === 'ok') assert(!JSON.stringify(payload.auth.scopes).includes(ADMIN), 'half a scope was held');
      equal(await target.granted(paired), [READ], 'the grant');
      return undefined;
    },
  },
  {
    id: 'D2.18',
    title: 'a text of one version passes for no other; whoever names the gateway signs the text that does',
    quick: true,
    needs: ['token'],
    run: downgrade,
  },
];
