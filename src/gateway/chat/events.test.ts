import { expect, it } from 'vitest';
import type { RunState } from '../../core/conversation/run.ts';
import { NO_USAGE, type SessionId, type SessionKey } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { Conversations, RunEvent } from '../../runtime/runtime.ts';
import type { Session } from '../session.ts';
import { ChatEvents } from './events.ts';

const RUN = 'r' as RunId;
const KEY = 'agent:main:main' as SessionKey;
const PLACE = { run: RUN, key: KEY, seq: 1, at: 5 };

type Told = {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: payloads are looked into as they come
  readonly payload: any;
  readonly dropIfSlow: boolean;
  readonly isUnnumbered: boolean;
};

/** A clock that only moves when it is told to, and who hears what is published: two sessions of each protocol, one draws tools. */
function stage() {
  let now = 1_000;
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  let timer = 0;
  const told: Record<3 | 4, Told[]> = { 3: [], 4: [] };
  const drawn: Record<3 | 4, Told[]> = { 3: [], 4: [] };
  let listener: (event: RunEvent) => void = () => {};
  const conversations = {
    subscribe: (heard: typeof listener) => {
      listener = heard;
      return () => {};
    },
  } as unknown as Conversations;
  const errors: unknown[] = [];
  const events = new ChatEvents({
    conversations,
    publish(event, payload, { only, dropIfSlow = false, isUnnumbered = false }) {
      for (const [to, caps] of [
        [told, []],
        [drawn, ['tool-events']],
      ] as const)
        for (const protocol of [3, 4] as const)
          if (only?.({ protocol, id: String(protocol), caps: caps as readonly string[] } as Session) !== false)
            to[protocol].push({ event, payload, dropIfSlow, isUnnumbered });
    },
    clock: {
      after(delayMs, run) {
        const id = ++timer;
        timers.set(id, { at: now + delayMs, run });
        return () => void timers.delete(id);
      },
      monotonicMs: () => now,
      now: () => now,
    },
    diary: { error: (_event, error) => void errors.push(error) },
  });
  return {
    told,
    drawn,
    errors,
    async say(...happened: readonly RunEvent[]) {
      for (const event of happened) listener(event);
      await events.settled();
    },
    pass(byMs: number) {
      now += byMs;
      for (const [id, { at, run }] of [...timers]) {
        if (at > now) continue;
        timers.delete(id);
        run();
      }
    },
    deltas: (protocol: 3 | 4) =>
      told[protocol].filter(({ payload }) => payload.state === 'delta').map((t) => t.payload),
  };
}

const start: RunEvent = { ...PLACE, kind: 'start', startedAt: 5 };
const text = (all: string, delta: string): RunEvent => ({ ...PLACE, kind: 'text', text: all, delta });

function end(kind: 'ok' | 'aborted' | 'interrupted' | 'joined', said: string | null): RunEvent {
  const state: RunState = {
    id: RUN,
    key: KEY,
    session: 's' as SessionId,
    giver: { kind: 'owner' },
    ask: { text: 'x', from: { kind: 'person', name: null }, attachments: [] },
    fingerprint: 'f',
    acceptedAt: 1,
    startedAt: 5,
    endedAt: 9,
    end: kind === 'joined' ? { kind, into: 'o' as RunId } : { kind },
    usage: NO_USAGE,
    costMicros: null,
    revision: 1,
  };
  return { ...PLACE, kind: 'end', state, text: said, stop: 'stop' };
}

it('rule: chat says all that was said at most every 150 ms, and what was said last without waiting for more', async () => {
  const s = stage();
  await s.say(start, text('a', 'a'), text('ab', 'b'), text('abc', 'c'));
  expect(s.deltas(4).map((p) => p.deltaText)).toEqual(['a']);
  // Its own time is for a run that falls silent: one that goes on is told together with what it says next.
  s.pass(209);
  expect(s.deltas(4)).toHaveLength(1);
  s.pass(1);
  expect(s.deltas(4).map((p) => p.deltaText)).toEqual(['a', 'bc']);
  expect(s.deltas(3).map((p) => p.message.content[0].text)).toEqual(['a', 'abc']);
  // A step with tools begins another answer: what was said before is replaced.
  s.pass(1_000);
  await s.say(text('new', 'new'));
  expect(s.deltas(4).at(-1)).toMatchObject({ deltaText: 'new', replace: true });
  await s.say(text('newer', 'er'), end('ok', 'newer'));
  s.pass(1_000);
  expect(s.deltas(4)).toHaveLength(3);
  expect(s.told[4].at(-1)).toMatchObject({ event: 'chat', dropIfSlow: false, payload: { state: 'final' } });
  expect(s.errors).toEqual([]);
});

it('rule: only what will be said again is left out for who reads slowly', async () => {
  const s = stage();
  await s.say(start, text('a', 'a'), end('ok', 'a'));
  for (const protocol of [3, 4] as const) {
    const dropped = s.told[protocol].filter(({ dropIfSlow }) => dropIfSlow);
    expect(dropped.map(({ payload }) => payload.stream ?? payload.state)).toEqual(['assistant', 'delta']);
  }
});

it.each([
  ['aborted', 'half', { state: 'aborted', message: { content: [{ text: 'half' }] } }],
  ['interrupted', 'half', { state: 'error', errorMessage: expect.stringContaining('interrupted') }],
  ['joined', 'of the other', { state: 'final' }],
] as const)('rule: a run that ended %s says so', async (kind, said, expected) => {
  const s = stage();
  await s.say(start, end(kind, said));
  for (const protocol of [3, 4] as const) expect(s.told[protocol].at(-1)?.payload).toMatchObject(expected);
  // What joined another run is answered by that one, once.
  if (kind === 'joined') expect(s.told[4].at(-1)?.payload.message).toBeUndefined();
});

it('rule: a run that never began has a last word and nothing before it', async () => {
  const s = stage();
  await s.say(end('aborted', null));
  for (const protocol of [3, 4] as const) {
    expect(s.told[protocol]).toHaveLength(1);
    expect(s.told[protocol][0]).toMatchObject({ event: 'chat', payload: { state: 'aborted', seq: 1 } });
  }
});

it('rule: a tool is told to who draws tools alone, in the shape of its protocol, and everybody counts without a gap', async () => {
  const s = stage();
  const call = { id: 'call_1', name: 'look', input: '{"at":"it"}' };
  const result = { call: 'call_1', name: 'look', text: 'There is none.', failed: true };
  const tool: readonly RunEvent[] = [
    { ...PLACE, kind: 'tool', phase: 'start', call },
    { ...PLACE, kind: 'tool', phase: 'result', result },
  ];
  await s.say(start, text('a', 'a'), ...tool, text('b', 'b'));
  s.pass(1_000);
  await s.say({ ...PLACE, kind: 'tool', phase: 'start', call: { ...call, input: 'no JSON' } }, end('ok', 'b'));
  for (const protocol of [3, 4] as const) {
    for (const heard of [s.told[protocol], s.drawn[protocol]]) {
      const numbers = heard.filter(({ event }) => event === 'agent').map(({ payload }) => payload.seq);
      expect(numbers).toEqual(numbers.map((_, at) => at + 1));
      // As the `agent` event beside it has it.
      const final = heard.at(-1)?.payload;
      expect([final.state, final.seq]).toEqual(['final', numbers.length]);
    }
    const isTool = ({ payload }: Told) => payload.stream === 'tool';
    expect(s.told[protocol].filter(isTool)).toEqual([]);
    const told = s.drawn[protocol].filter(isTool);
    expect(told.map(({ isUnnumbered }) => isUnnumbered)).toEqual(told.map(() => protocol === 3));
    const content = [{ type: 'text', text: 'There is none.' }];
    expect(told.map(({ payload }) => payload.data)).toEqual([
      { phase: 'start', name: 'look', toolCallId: 'call_1', args: { at: 'it' } },
      {
        phase: 'result',
        name: 'look',
        toolCallId: 'call_1',
        isError: true,
        ...(protocol === 3 ? {} : { result: { content, details: { status: 'failed' } } }),
      },
      { phase: 'start', name: 'look', toolCallId: 'call_1', args: 'no JSON' },
    ]);
    expect(told[0]?.payload).toMatchObject({ runId: 'r', sessionKey: KEY, ts: 5 });
    // Nobody is told anything twice.
    expect(s.drawn[protocol].length).toBe(s.told[protocol].length + 3);
  }
  expect(s.errors).toEqual([]);
});
