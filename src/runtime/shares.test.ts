import { expect, test } from 'vitest';
import { MAIN, type Stage, stage } from '../../test/talk.ts';
import type { Giver } from '../core/authz/principal.ts';
import { type SessionKey, sessionKey } from '../core/conversation/session.ts';
import type { Retention } from './runtime.ts';
import { Shares } from './shares.ts';

const OWNER: Giver = { kind: 'owner' };
const token = (name: string): Giver => ({ kind: 'token', name });
const at = (name: string) => sessionKey(name, 'main') as SessionKey;
type Rules = { -readonly [K in keyof Retention]?: Retention[K] };

const say = async ({ talk, clock }: Stage, key: SessionKey, giver: Giver, text = 'said') => {
  await talk.inject(key, giver, text, null);
  clock.advance(1_000);
};
const keys = async ({ talk }: Stage) =>
  (await talk.sessions({ limit: 1_000 })).map(({ key }) => key.split(':')[2] ?? '').sort();
const dropped = (count: number, { next, gone }: { next(): { item: string } | null; gone(n: unknown): void }) =>
  Array.from({ length: count }, () => {
    const piece = next();
    gone(piece);
    return piece?.item;
  });

test('rule: what goes first is of whoever holds most, and of two that hold the same what stands first, the owner’s last', () => {
  const piece = (item: string, giver: Giver, size = 1) => ({ item, giver, size });
  const shares = new Shares([
    piece('o1', OWNER),
    piece('a1', token('a')),
    piece('b1', token('b')),
    piece('a2', token('a')),
    piece('o2', OWNER),
    piece('b2', token('b')),
    piece('a3', token('a')),
  ]);
  const hands = { next: () => shares.next(), gone: (one: unknown) => one !== null && shares.gone(one as never) };
  expect(dropped(8, hands)).toEqual(['a1', 'b1', 'a2', 'o1', 'b2', 'a3', 'o2', undefined]);
  // What they hold beside it counts, and what stays although it was to go.
  const others = new Shares(
    [piece('o1', OWNER), piece('a1', token('a')), piece('o2', OWNER)],
    [piece('', token('a'), 9)],
  );
  expect([others.next()?.item, others.next()?.item, others.next()?.item]).toEqual(['a1', 'o1', 'o2']);
});

test('rule: whoever floods an agent with sessions loses sessions of its own, and those in which nothing was said go first', async () => {
  const retention: Rules = { entries: 50 };
  const s = await stage({ retention });
  await say(s, at('notes'), OWNER);
  await say(s, at('phone'), token('phone'));
  for (let n = 100; n < 200; n += 1) {
    await s.talk.patch(at(`spam${n}`), token('a'), { label: 'x' });
    s.clock.advance(1_000);
  }
  await s.talk.prune();
  const left = await keys(s);
  expect(left).toHaveLength(50);
  expect(left.slice(0, 3)).toEqual(['notes', 'phone', 'spam152']);
  // With words in them, too.
  for (let n = 200; n < 300; n += 1) await say(s, at(`spam${n}`), token('a'));
  await s.talk.prune();
  expect((await keys(s)).slice(0, 3)).toEqual(['notes', 'phone', 'spam252']);
});

test('rule: two that hold too much lose until they hold the same', async () => {
  const s = await stage({ retention: { entries: 8 } });
  for (let n = 1; n <= 5; n += 1) for (const name of ['a', 'b']) await say(s, at(`${name}${n}`), token(name));
  await say(s, at('a6'), token('a'));
  await s.talk.prune();
  expect(await keys(s)).toEqual(['a3', 'a4', 'a5', 'a6', 'b2', 'b3', 'b4', 'b5']);
});

test('rule: nothing that was said goes for room as long as there are sessions in which nothing was', async () => {
  const s = await stage({ retention: { entries: 8 } });
  for (let n = 1; n <= 6; n += 1) await say(s, at(`said${n}`), OWNER);
  for (let n = 1; n <= 4; n += 1) await s.talk.patch(at(`empty${n}`), token('a'), { label: 'x' });
  await s.talk.prune();
  const left = await keys(s);
  expect(left.filter((key) => key.startsWith('said'))).toHaveLength(6);
  expect(left).toHaveLength(8);
});

test('rule: whoever fills the room of an agent loses what is its own, and conversations that others reset stay', async () => {
  const retention: Rules = {};
  const s = await stage({ retention });
  await say(s, at('notes'), OWNER, 'x'.repeat(1_000));
  await s.talk.reset(at('notes'), OWNER);
  await say(s, at('notes'), OWNER, 'x'.repeat(1_000));
  for (let n = 1; n <= 9; n += 1) await say(s, at(`flood${n}`), token('a'), 'x'.repeat(10_000));
  retention.bytes = 50_000;
  await s.talk.prune();
  expect(await keys(s)).toEqual(['flood6', 'flood7', 'flood8', 'flood9', 'notes']);
  expect(await s.store.read((tx) => tx.sessions.resets({ agent: 'main', limit: 9 }))).toHaveLength(1);
});

test('rule: what is said in the main session leaves half of the room to the others', async () => {
  const retention: Rules = { bytes: 50_000 };
  const s = await stage({ retention });
  await say(s, at('notes'), OWNER, 'x'.repeat(20_000));
  for (let n = 1; n <= 9; n += 1) await say(s, MAIN, token('a'), 'x'.repeat(10_000));
  await s.talk.prune();
  expect(await keys(s)).toEqual(['main', 'notes']);
  await say(s, at('more'), OWNER, 'x'.repeat(20_000));
  await s.talk.prune();
  expect(await keys(s)).toEqual(['main', 'more']);
});

test('rule: whoever fills the room for attachments loses what came with messages of its own', async () => {
  const retention: Rules = { attachmentBytes: 9_000 };
  const s = await stage({ retention });
  const enclosures = (text: string) => [
    { name: 'a.txt', mediaType: 'text/plain', base64: Buffer.from(text.padEnd(3_000, 'x')).toString('base64') },
  ];
  const send = async (id: string, key: SessionKey, giver: Giver) => {
    await s.send(id, 'see', { key, giver, enclosures: enclosures(id) });
    await s.ended(id);
    s.clock.advance(1_000);
  };
  await send('o1', at('notes'), OWNER);
  for (let n = 1; n <= 4; n += 1) await send(`a${n}`, at(`flood${n}`), token('a'));
  await s.talk.prune();
  const standing = [...s.contents.sessions()];
  expect(standing).toContain((await s.talk.session(at('notes')))?.id);
  expect(standing).toContain((await s.talk.session(at('flood4')))?.id);
  expect(standing).not.toContain((await s.talk.session(at('flood1')))?.id);
});
