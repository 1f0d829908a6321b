// D2.11 and D2.21: what the gateway makes up, and how long it takes to say no.

import { openWebSocket } from '../../partner/websocket.ts';
import { asking, READ } from '../../scenario/act.ts';
import { assert, type Check, matches } from '../check.ts';
import { answered, type Target } from '../target.ts';

async function nonces(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const params = asking([READ], target.credential(known));
  const other = await target.open();
  // A padded one that is trimmed has another signed text.
  const due = /^INVALID_REQUEST( DEVICE_AUTH_(NONCE_REQUIRED|NONCE_MISMATCH|SIGNATURE_INVALID))?$|^closed 100[89]/;
  const blocks: Readonly<Record<string, (own: string) => string | undefined>> = {
    absent: () => undefined,
    blank: () => '',
    spaces: () => '   ',
    padded: (own) => ` ${own} `,
    'of another live socket': () => other.challenge.nonce,
    'of 40 KB': () => 'n'.repeat(40_000),
    'of a megabyte': () => 'n'.repeat(1_000_000),
  };
  for (const [name, make] of Object.entries(blocks)) {
    const partner = await target.open();
    const nonce = make(partner.challenge.nonce);
    const signed = partner.signed(params, { identity: known, nonce: nonce ?? '' });
    const { nonce: _none, ...device } = signed.device as Record<string, unknown>;
    const block = nonce === undefined ? device : { ...device, nonce };
    const answer = await answered(partner, partner.call('connect', { ...signed, device: block }));
    const gist = answer.ok ? 'ok' : `${answer.error.code} ${String(answer.error.details?.code ?? '')}`.trimEnd();
    matches(gist, due, `a nonce ${name}`);
  }
  const seen = new Set<string>();
  const wanted = target.quick ? 2_000 : 100_000;
  const place = { ...target.place(), trace: () => {} };
  const take = async () => {
    while (seen.size < wanted) {
      const ws = await openWebSocket(place);
      const nonce = await new Promise<string>((done) => {
        ws.onText = (text) => done(JSON.parse(text).payload.nonce);
      });
      assert(!seen.has(nonce), `the same nonce twice: ${nonce}`);
      seen.add(nonce);
      // A reset leaves no port behind that has to wait.
      ws.socket.resetAndDestroy();
    }
  };
  await Promise.all(Array.from({ length: 32 }, take));
  return `${seen.size} nonces, ${entropyOf(seen)} bits that are set in half of them`;
}

/** The bits that are neither constant nor counted. @throws Error when they are fewer than 122, a random UUID's. */
function entropyOf(nonces: ReadonlySet<string>): number {
  const isUuid = [...nonces].every((nonce) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(nonce));
  const bytes = [...nonces].map((n) =>
    isUuid ? Buffer.from(n.replaceAll('-', ''), 'hex') : Buffer.from(n, 'base64url'),
  );
  const length = Math.min(...bytes.map((one) => one.length));
  // Seven standard deviations: once in 10^9 runs by chance, and never for a counter, a clock or a constant.
  const most = 3.5 * Math.sqrt(bytes.length);
  let fair = 0;
  for (let bit = 0; bit < length * 8; bit += 1) {
    const ones = bytes.reduce((sum, one) => sum + (((one[bit >> 3] ?? 0) >> (bit & 7)) & 1), 0);
    if (Math.abs(ones - bytes.length / 2) < most) fair += 1;
  }
  assert(fair >= (isUuid ? 122 : 128), `${fair} random bits in a nonce`);
  return fair;
}

/** Milliseconds from sending a wrong secret to the answer. */
async function timed(target: Target, token: string): Promise<number> {
  const ws = await openWebSocket({ ...target.place(), trace: () => {} });
  let answeredAt = 0;
  const done = new Promise<void>((go) => {
    let first = true;
    ws.onText = () => {
      if (!first) {
        answeredAt = performance.now();
        go();
      }
      if (first) ready();
      first = false;
    };
  });
  let ready: () => void = () => {};
  await new Promise<void>((go) => {
    ready = go;
  });
  const params = asking([READ], { auth: { token } });
  const began = performance.now();
  ws.sendText(JSON.stringify({ type: 'req', id: '1', method: 'connect', params }));
  await done;
  ws.socket.resetAndDestroy();
  return answeredAt - began;
}

/** Welch's t of two samples, without the slowest tenth of each: what the scheduler did is no secret. */
function welch(a: readonly number[], b: readonly number[]): number {
  const about = (all: readonly number[]) => {
    const kept = all.toSorted((x, y) => x - y).slice(0, Math.floor(all.length * 0.9));
    const mean = kept.reduce((sum, x) => sum + x, 0) / kept.length;
    return { mean, error: kept.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (kept.length - 1) / kept.length };
  };
  const [one, two] = [about(a), about(b)];
  return Math.abs(one.mean - two.mean) / Math.sqrt(one.error + two.error);
}

/** How long a wrong secret takes to be refused, by how much of it is right. */
async function timing(target: Target): Promise<string> {
  const inner = target.over(await target.spawn({ config: { gateway: { auth: { rateLimit: { lockoutMs: 0 } } } } }));
  const secret = inner.options.token;
  const wrong = (right: number, length = secret.length) =>
    `${secret.slice(0, right)}${'~'.repeat(Math.max(0, length - right))}`;
  const kinds: Readonly<Record<string, string>> = {
    'nothing right': wrong(0),
    '8 right': wrong(8),
    '31 right': wrong(31),
    'all but one right': wrong(secret.length - 1),
    'too short': wrong(0, 16),
    'too long': wrong(0, 2 * secret.length),
    'right and then some': `${secret}~`,
  };
  const names = Object.keys(kinds);
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  const dice = target.dice(21);
  const total = target.quick ? 1_400 : 20_000;
  for (let i = 0; i < 200; i += 1) await timed(inner, wrong(0));
  for (let i = 0; i < total; i += 1) {
    const name = dice.pick(names);
    samples.get(name)?.push(await timed(inner, kinds[name] ?? ''));
  }
  const base = samples.get('nothing right') ?? [];
  const notes: string[] = [];
  for (const name of names.slice(1)) {
    const t = welch(base, samples.get(name) ?? []);
    notes.push(`${name} ${t.toFixed(1)}`);
    assert(t < 4.5, `a wrong secret with ${name} takes another time: t = ${t.toFixed(1)}`);
  }
  return `${total} samples, t: ${notes.join(', ')}`;
}

export const NONCE_CHECKS: readonly Check[] = [
  {
    id: 'D2.11',
    title: 'a nonce that is absent, blank, padded, huge or of another socket is refused; nonces are unique and random',
    quick: true,
    needs: ['token'],
    run: nonces,
  },
  {
    id: 'D2.21',
    title: 'how much of a wrong secret is right does not show in the time of the refusal',
    quick: false,
    needs: ['second process'],
    run: timing,
  },
];
