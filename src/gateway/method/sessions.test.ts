import { expect, test } from 'vitest';
import type { Context } from './handler.ts';
import { get, resolve } from './sessions.ts';

interface Labelled {
  readonly key: string;
  readonly id: string;
  readonly settings: { readonly label?: string };
}

function context(all: readonly Labelled[], ask?: Context['ask']): Context {
  const agent = { id: 'main', isDefault: true };
  const conversations = {
    agents: async () => [agent],
    session: async () => all[0],
    sessions: async ({ limit }: { limit: number }) => all.slice(0, limit),
  };
  return { services: { conversations }, principal: { kind: 'owner' }, session: null, ask } as unknown as Context;
}

const labelled = (key: string, label?: string): Labelled => ({
  key: `agent:main:${key}`,
  id: key,
  settings: label === undefined ? {} : { label },
});

test('A7 sessions.resolve: a label that several sessions have means none of them, and the answer names them', async () => {
  const c = context([labelled('fake', 'Taxes'), labelled('other'), labelled('real', 'Taxes')]);
  await expect(resolve(c, { label: 'Taxes' })).rejects.toMatchObject({
    name: 'WrongParams',
    message: 'at /label: 2 sessions have it, name one by its key: agent:main:fake, agent:main:real',
  });
  expect(await resolve(c, { sessionId: 'real' })).toEqual({ ok: true, key: 'agent:main:real' });
  expect(await resolve(context([labelled('real', 'Taxes')]), { label: 'Taxes' })).toEqual({
    ok: true,
    key: 'agent:main:real',
  });
  await expect(resolve(c, { label: 'none' })).rejects.toMatchObject({ code: 'session_unknown' });
});

test('A7 sessions.resolve: an older session of the same label is not hidden behind many newer ones', async () => {
  const spam = (count: number) => Array.from({ length: count }, (_, n) => labelled(`s${n}`));
  const c = context([labelled('fake', 'Taxes'), ...spam(3_000), labelled('real', 'Taxes')]);
  await expect(resolve(c, { label: 'Taxes' })).rejects.toThrow(/2 sessions have it.*agent:main:real/);
  const vast = context([labelled('fake', 'Taxes'), ...spam(4_000), labelled('real', 'Taxes')]);
  await expect(resolve(vast, { label: 'Taxes' })).rejects.toThrow(/too many sessions/);
});

test('rule: sessions.get that finds no room is no session in which nothing was said', async () => {
  const refused = { ok: false, denied: false, refused: { error: { message: 'busy' } } } as const;
  const c = context([labelled('main')], async () => refused as never);
  await expect(get(c, { key: 'main' })).rejects.toMatchObject({ name: 'Passed', answer: refused });
});
