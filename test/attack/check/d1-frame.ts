// D1: what is malformed, before and after hello.
import { type Partner, plainParams } from '../../partner/client.ts';
import { until, within } from '../../partner/peer.ts';
import { type Closed, encodeFrame } from '../../partner/websocket.ts';
import { ADMIN, asking, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import { BROKEN, FIRST } from '../frame.ts';
import { gistOf, type Target } from '../target.ts';

/** Sends something as the very first thing; the answers to it and the close. */
async function first(target: Target, send: (partner: Partner) => void): Promise<{ answers: string[]; close: Closed }> {
  const partner = await target.open();
  send(partner);
  const close = await within(partner.closed, 'close', 5_000);
  return { answers: partner.received.slice(1), close };
}

/** The answer to one request, or the close that came instead. */
async function answerTo(partner: Partner, frame: Record<string, unknown>): Promise<string> {
  const from = partner.received.length;
  partner.send(frame);
  const isAnswer = (text: string) => JSON.parse(text).type === 'res';
  const answer = until('answer', () => partner.received.slice(from).some(isAnswer)).then(() =>
    gistOf(JSON.parse(partner.received.slice(from).find(isAnswer) ?? '')),
  );
  return Promise.race([answer, partner.closed.then(({ code }) => `closed ${code}`)]);
}

const EXTRA: readonly object[] = [
  { as: 'owner' },
  { constructor: 1 },
  { toString: 1 },
  { principal: { kind: 'owner' } },
  { seq: 1 },
];

async function unknownProperties(target: Target): Promise<undefined> {
  const known = await target.pair([READ]);
  const refused = /^(INVALID_REQUEST|closed 1008)/;
  for (const more of EXTRA) {
    const before = await target.open();
    const params = before.signed(asking([READ], target.credential(known)), { identity: known });
    const early = await answerTo(before, { type: 'req', id: '1', method: 'connect', params, ...more });
    matches(early, refused, `before hello, ${JSON.stringify(more)}`);
    const { partner } = await target.session(known, [READ]);
    const late = await answerTo(partner, { type: 'req', id: '1', method: 'health', ...more });
    matches(late, refused, `after hello, ${JSON.stringify(more)}`);
  }
  const connectWith = async (change: (params: Record<string, unknown>) => Record<string, unknown>) =>
    target.connect(asking([READ], target.credential(known)), { identity: known, tamper: change });
  for (const name of ['trust', 'constructor', 'Signature', 'scopes']) {
    const device = await connectWith((p) => ({ ...p, device: { ...(p.device as object), [name]: 'x' } }));
    matches(device.gist, refused, `device.${name}`);
    const auth = await connectWith((p) => ({ ...p, auth: { ...(p.auth as object | undefined), [name]: 'x' } }));
    matches(auth.gist, refused, `auth.${name}`);
  }
  // Elsewhere: ignored or refused, and never worth anything.
  for (const more of [{ isOwner: true, as: 'owner' }, { constructor: { admin: true } }]) {
    const { gist, payload } = await connectWith((p) => ({ ...p, ...more }));
    matches(gist, /^(ok|INVALID_REQUEST|closed 1008)/, `params ${JSON.stringify(more)}`);
    if (gist === 'ok') equal(payload.auth.scopes, [READ], `scopes beside ${JSON.stringify(more)}`);
  }
  const spoilt = await target.open();
  const params = JSON.stringify(spoilt.signed(asking([READ], target.credential(known)), { identity: known }));
  const proto = `"__proto__":{"scopes":["${ADMIN}"],"role":"operator","auth":{"token":"${target.options.token}"}}`;
  spoilt.ws.sendText(`{"type":"req","id":"1","method":"connect","params":${params.slice(0, -1)},${proto}}}`);
  await Promise.race([spoilt.closed, until('answer', () => spoilt.received.length > 1)]);
  const answer = JSON.parse(spoilt.received[1] ?? '{"ok":false}');
  if (answer.ok === true) equal(answer.payload.auth.scopes, [READ], '__proto__ in params');
  return undefined;
}

async function sizes(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const fill = (bytes: number) => {
    const frame = { type: 'req', id: '1', method: 'connect', params: { pad: '' } };
    frame.params.pad = 'x'.repeat(bytes - JSON.stringify(frame).length);
    return JSON.stringify(frame);
  };
  const fits = await first(target, (partner) => partner.ws.sendText(fill(65_536)));
  equal(fits.close.code, 1008, '64 KiB before hello are judged');
  const over = await first(target, (partner) => partner.ws.sendText(fill(65_537)));
  equal(over.close.code, 1009, '64 KiB and a byte before hello');
  equal(over.answers, [], 'nothing is answered to what is too large');
  const pieces = await first(target, (partner) => {
    for (let i = 0; i < 3; i += 1)
      partner.ws.sendFrame(Buffer.alloc(30_000, 0x20), { opcode: i === 0 ? 1 : 0, fin: false });
  });
  equal(pieces.close.code, 1009, 'in pieces');
  const { partner, hello } = await target.session(known, [READ]);
  const max = Number(hello.policy.maxPayload);
  const big = (bytes: number) => {
    const head = '{"type":"req","id":"big","method":"health","params":{"pad":"';
    return encodeFrame(Buffer.from(`${head}${'x'.repeat(bytes - head.length - 3)}"}}`));
  };
  partner.ws.sendBytes(big(max));
  const answered = until('answer to the largest frame', () => partner.received.some((r) => r.includes('"big"')));
  await Promise.race([
    answered,
    partner.closed.then(({ code }) => {
      throw new Error(`closed with ${code} at policy.maxPayload`);
    }),
  ]);
  partner.ws.sendBytes(big(max + 1));
  equal((await within(partner.closed, 'close', 10_000)).code, 1009, 'policy.maxPayload and a byte');
  return `policy.maxPayload ${max}`;
}

async function requests(target: Target): Promise<undefined> {
  const known = await target.pair([READ]);
  const allowed = async (peer: Partner) => peer.call('device.pair.list', {}).then(gistOf, () => 'closed');
  const { partner: reader } = await target.session(known, [READ]);
  matches(await allowed(reader), /^(FORBIDDEN|INVALID_REQUEST)/, 'the list of devices, for who may only read');
  const { partner } = await target.session(known, [READ]);
  for (const again of [
    plainParams({ scopes: [ADMIN], auth: { token: target.options.token } }),
    partner.signed(asking([ADMIN]), { identity: known }),
    {},
  ]) {
    const { partner: one } = await target.session(known, [READ]);
    const answer = await Promise.race([one.call('connect', again), one.closed.then(() => null)]);
    assert(answer === null || !answer.ok, 'a second connect was let in');
    const after = await Promise.race([allowed(one), one.closed.then(() => 'closed')]);
    assert(after !== 'ok', 'a second connect made somebody else of the session');
  }
  for (const id of ['same', 'same', 'a\r\nb', 'ü\u202e'])
    equal(gistOf(await partner.call('health', {}, { id })), 'ok', `id ${JSON.stringify(id)}`);
  const big = partner.call('health', {}, { id: 'x'.repeat(1_000_000), timeoutMs: 3_000 }).catch(() => null);
  const end = await Promise.race([
    partner.closed,
    until('an answer', () => partner.received.some((r) => r.includes('"ok":false') || r.length > 1_000_000)),
  ]);
  assert(end === undefined || end.code === 1008, 'an id of a megabyte');
  partner.end();
  void big;
  return undefined;
}

export const FRAME_CHECKS: readonly Check[] = [
  {
    id: 'D1.1',
    title: 'a first frame that is no connect is closed and told nothing',
    quick: true,
    needs: ['token'],
    run: async (target) => {
      for (const [name, text, code] of FIRST) {
        const { answers, close } = await first(target, (partner) => partner.ws.sendText(text));
        equal(close.code, code, name);
        for (const answer of answers) {
          const { type, ok } = JSON.parse(answer);
          equal({ type, ok }, { type: 'res', ok: false }, name);
        }
        await target.alive();
      }
      return `${FIRST.length} frames`;
    },
  },
  {
    id: 'D1.3',
    title: 'unknown properties: closed objects refuse them before and after hello, elsewhere they give nothing',
    quick: true,
    needs: ['token'],
    run: unknownProperties,
  },
  {
    id: 'D1.4',
    title: 'frames that RFC 6455 forbids are closed with its code, before and after hello',
    quick: true,
    needs: ['token'],
    run: async (target) => {
      const known = await target.pair([READ]);
      for (const [name, frames, codes] of BROKEN) {
        const send = (partner: Partner) => {
          for (const frame of frames) partner.ws.sendBytes(frame);
        };
        const { close } = await first(target, send);
        assert(codes.includes(close.code), `${name}, before hello: ${close.code}, due was ${codes}`);
        const { partner } = await target.session(known, [READ]);
        send(partner);
        const late = await within(partner.closed, 'close', 5_000);
        assert(codes.includes(late.code), `${name}, after hello: ${late.code}, due was ${codes}`);
        await target.alive();
      }
      return `${BROKEN.length} frames`;
    },
  },
  {
    id: 'D1.6',
    title: '64 KiB before hello and policy.maxPayload after it are taken, one byte more is closed with 1009',
    quick: true,
    needs: ['token'],
    run: sizes,
  },
  {
    id: 'D1.7',
    title: 'permessage-deflate is offered in vain',
    quick: true,
    needs: ['token'],
    run: async (target) => {
      const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
      const partner = await target.open({ headers });
      assert(!partner.ws.response.includes('sec-websocket-extensions'), 'an extension was agreed');
      // A frame that says it is compressed is one with a reserved bit.
      partner.ws.sendFrame(Buffer.from('x'), { reserved: 4 });
      equal((await within(partner.closed, 'close', 5_000)).code, 1002, 'a compressed frame');
      return undefined;
    },
  },
  {
    id: 'D1.8',
    title: 'a second connect changes nothing; ids are repeated, torn by line breaks, a megabyte long',
    quick: true,
    needs: ['token'],
    run: requests,
  },
];
