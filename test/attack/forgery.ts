// Proofs that prove nothing: altered signatures, keys that anybody can sign for, fields that move a delimiter.
import type { ConnectParams } from '../partner/identity.ts';
import { asking, READ } from '../scenario/act.ts';

/** The same signature with S + L: verifies where S is not checked to be below the group's order. */
function plusOrder(raw: Buffer): Buffer {
  const order = (1n << 252n) + 27742317777372353535851937790883648493n;
  let s = 0n;
  for (let i = 63; i >= 32; i -= 1) s = (s << 8n) | BigInt(raw[i] ?? 0);
  s += order;
  const out = Buffer.from(raw);
  for (let i = 32; i < 64; i += 1) {
    out[i] = Number(s & 0xffn);
    s >>= 8n;
  }
  return out;
}

/** What is done to the 64 bytes of a right signature. */
export const ALTERED: readonly (readonly [string, (signature: Buffer) => Buffer])[] = [
  ['zero', () => Buffer.alloc(64)],
  ['truncated', (raw: Buffer) => raw.subarray(0, 63)],
  ['of 65 bytes', (raw: Buffer) => Buffer.concat([raw, Buffer.alloc(1)])],
  ['with one bit turned', (raw: Buffer) => Buffer.concat([Buffer.from([(raw[0] ?? 0) ^ 1]), raw.subarray(1)])],
  ['with S + L', plusOrder],
  ['empty', () => Buffer.alloc(0)],
];

/** Every encoding of a point of small order, with the sign bit clear and set. */
export const SMALL = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].flatMap((hex) => {
  const signed = Buffer.from(hex, 'hex');
  signed[31] = (signed[31] ?? 0) | 0x80;
  return [hex, signed.toString('hex')];
});

/** (s·B, s): signs every text for the key that is the neutral point. */
export const ANY = Buffer.from(
  '17ffad8068dc0de9935d36636f3ad1b5de6de3413b12388e453b05f2a4c1d3db' +
    '15cd5b0700000000000000000000000000000000000000000000000000000000',
  'hex',
);

/** Connects whose fields hold a delimiter of the signed text. */
export function delimited(): readonly ConnectParams[] {
  const base = asking([READ]);
  return [
    asking(['operator.read,operator.admin']),
    asking(['operator.read|1']),
    asking([READ], { client: { ...base.client, id: 'cli|cli', mode: 'cli', version: '1', platform: 'linux' } }),
    asking([READ], { client: { ...base.client, id: 'cli', mode: 'cli|x', version: '1', platform: 'linux' } }),
    asking([READ], { client: { ...base.client, id: 'cli', mode: 'cli', version: '1', platform: 'linux|linux' } }),
    asking([READ], { auth: { token: 'a|b' } }),
  ];
}
