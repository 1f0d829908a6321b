import { expect, test } from 'vitest';
import type { Pipe } from './listen/pipe.ts';
import { Publisher } from './publish.ts';
import type { Session } from './session.ts';

function session(id: string, more: { buffered?: () => number; scopes?: boolean; listening?: boolean } = {}) {
  const sent: { seq: number; event: string }[] = [];
  const ended: string[] = [];
  const pipe = {
    send: (text: string) => sent.push(JSON.parse(text)),
    buffered: more.buffered ?? (() => 0),
    close: (_code: number, reason: string) => ended.push(reason),
    cut: () => ended.push('cut'),
  } as unknown as Pipe;
  const made = {
    id,
    pipe,
    listening: more.listening ?? true,
    principal: { kind: 'secret', asked: more.scopes === false ? [] : null },
  } as unknown as Session;
  return { made, sent, ended };
}

const maySee = (p: Session['principal'], scope: string) =>
  scope === 'none' || (p.kind === 'secret' && p.asked === null);

test('rule events carry a gap-free seq for each session, counting only what it may see', () => {
  const publisher = new Publisher(maySee, 100);
  const all = session('a');
  const few = session('b', { scopes: false });
  for (const s of [all, few]) publisher.add(s.made);
  publisher.publish('tick', {}, { scope: 'none' });
  publisher.publish('presence', {}, { scope: 'operator.read' });
  publisher.publish('tick', {}, { scope: 'none' });
  expect(all.sent.map((e) => e.seq)).toEqual([1, 2, 3]);
  expect(few.sent.map((e) => [e.event, e.seq])).toEqual([
    ['tick', 1],
    ['tick', 2],
  ]);
});

test('threat 36 a slow consumer is closed, and nobody else notices', () => {
  const publisher = new Publisher(maySee, 100);
  const slow = session('a', { buffered: () => 101 });
  const quick = session('b');
  for (const s of [slow, quick]) publisher.add(s.made);
  publisher.publish('tick', {}, { scope: 'none' });
  expect(slow.ended).toEqual(['slow consumer', 'cut']);
  expect(quick.sent).toHaveLength(1);
  expect(quick.ended).toEqual([]);
});

test('rule nothing is sent to a session that has not been welcomed', () => {
  const publisher = new Publisher(maySee, 100);
  const early = session('a', { listening: false });
  publisher.add(early.made);
  publisher.publish('tick', {}, { scope: 'none' });
  expect(early.sent).toEqual([]);
});

test('rule an event for some alone has no number, and leaves no gap behind', () => {
  const publisher = new Publisher(maySee, 100);
  const { made, sent } = session('a');
  publisher.add(made);
  publisher.publish('tick', {}, { scope: 'none' });
  publisher.publish('agent', {}, { scope: 'none', isUnnumbered: true });
  publisher.publish('tick', {}, { scope: 'none', stateVersion: { presence: 1, health: 1 } });
  expect(sent.map((e) => [e.event, 'seq' in e ? e.seq : null])).toEqual([
    ['tick', 1],
    ['agent', null],
    ['tick', 2],
  ]);
});
