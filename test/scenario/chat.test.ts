// A person talks to an agent over the wire: what each protocol is told and in which order, what an abort and a kill -9 leave.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { METHOD_NAMES } from '../../src/core/protocol/registry.ts';
import { type Gateway, type GatewayOptions, newStateDir, removeStateDir, start } from '../gateway.ts';
import { connected, plainParams } from '../partner/client.ts';
import { type Event, type Payload, type Peer, until } from '../partner/peer.ts';
import { type SlowModel, startSlowModel } from '../slowmodel.ts';
import { ADMIN, paired, READ, session, WRITE } from './act.ts';

const MAIN = 'agent:main:main';
const OFFLINE = { models: { local: { enabled: false } } };

let gateway: Gateway;
beforeAll(async () => {
  gateway = await start({ config: OFFLINE });
});
afterAll(() => gateway?.stop());

const open: { end(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.end();
});

/** A session of a device that holds these scopes, in one protocol. */
async function talker(at: Gateway, scopes: readonly string[] = [READ, WRITE], protocol: 3 | 4 = 4, more = {}) {
  const identity = await paired(await at.owner(), scopes);
  const params = { ...plainParams({ scopes, ...more }), minProtocol: protocol, maxProtocol: protocol };
  const { partner, hello } = await connected({ port: at.port }, params, { identity });
  open.push(partner);
  return Object.assign(partner, { hello, identity });
}

let keys = 0;
const freshKey = () => `key-${++keys}`;

function send(peer: Peer, message: string, more: Record<string, unknown> = {}): Promise<Payload> {
  return peer.ask('chat.send', { sessionKey: 'main', message, deliver: false, idempotencyKey: freshKey(), ...more });
}

const isOver = (runId: string) => (p: Payload) => p.runId === runId && /^(final|aborted|error)$/.test(p.state);
const over = (peer: Peer, runId: string) => peer.event('chat', { where: isOver(runId), timeoutMs: 30_000 });

const ofRun = (peer: Peer, runId: string): readonly Event[] =>
  peer.events.filter(({ event, payload }) => /^(agent|chat)$/.test(event) && payload.runId === runId);

/** An event in one word: `chat final`, `agent lifecycle start`, repeated ones once. */
function order(events: readonly Event[]): readonly string[] {
  const names = events.map(({ event, payload: p }) =>
    event === 'chat' ? `chat ${p.state}` : `agent ${p.stream}${p.data.phase === undefined ? '' : ` ${p.data.phase}`}`,
  );
  return names.filter((name, i) => !names.slice(0, i).includes(name));
}

describe('PROTOCOL §6: a turn', () => {
  it('rule: v3 is told what 2026.2.19 was recorded to tell, in that order, and nothing that only v4 knows', async () => {
    const peer = await talker(gateway, [READ, WRITE], 3);
    const { runId, status } = await send(peer, '/say one two three');
    expect(status).toBe('started');
    const { payload: final } = await over(peer, runId);
    const told = ofRun(peer, runId);
    expect(order(told)).toEqual([
      'agent lifecycle start',
      'agent assistant',
      'chat delta',
      'agent lifecycle end',
      'chat final',
    ]);
    const agents = told.filter(({ event }) => event === 'agent').map(({ payload }) => payload);
    expect(agents.map(({ seq }) => seq)).toEqual(agents.map((_, i) => i + 1));
    expect(JSON.stringify(told)).not.toMatch(/agentId|deltaText|stopReason|run_status/);
    expect(final).toMatchObject({
      sessionKey: MAIN,
      seq: agents.length,
      message: { role: 'assistant', content: [{ type: 'text', text: 'one two three' }] },
    });
    const texts = agents.filter(({ stream }) => stream === 'assistant').map(({ data }) => data);
    expect(texts.map(({ delta }) => delta).join('')).toBe('one two three');
    expect(texts.at(-1).text).toBe('one two three');
  });

  it('rule: v4 is told more: phases, the model, what is new in each delta, why it stopped', async () => {
    const peer = await talker(gateway);
    await peer.ask('sessions.subscribe', {});
    const { runId } = await send(peer, '/say one two three');
    const { payload: final } = await over(peer, runId);
    const told = ofRun(peer, runId);
    expect(order(told)).toEqual([
      'chat status',
      'agent run_status preparing_context',
      'agent lifecycle start',
      'agent run_status starting_model',
      'agent lifecycle model',
      'agent assistant',
      'chat delta',
      'agent usage',
      'agent lifecycle finishing',
      'agent lifecycle end',
      'chat final',
    ]);
    expect(final).toMatchObject({ agentId: 'main', stopReason: 'stop', sessionKey: MAIN });
    const deltas = told.filter(({ event, payload }) => event === 'chat' && payload.state === 'delta');
    let text = '';
    for (const { payload } of deltas) {
      text = payload.replace === true ? payload.deltaText : text + payload.deltaText;
      expect(payload.message.content[0].text).toBe(text);
    }
    const seqs = told.filter(({ event }) => event === 'agent').map(({ payload }) => payload.seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    // Who subscribed hears of the session and of both messages.
    await until('both messages', () => peer.events.filter(({ event }) => event === 'session.message').length >= 2);
    const messages = peer.events.filter(({ event }) => event === 'session.message').map(({ payload }) => payload);
    expect(messages.map(({ message }) => message.role)).toEqual(['user', 'assistant']);
    expect(messages[1].messageSeq).toBe(messages[0].messageSeq + 1);
    expect(peer.events.some(({ event, payload }) => event === 'sessions.changed' && payload.sessionKey === MAIN)).toBe(
      true,
    );
  });

  it.each(['hello', '/status'])(
    'rule: the answer to the call comes before the first event of its run: %s',
    async (text) => {
      const peer = await talker(gateway);
      const { runId } = await send(peer, text);
      await over(peer, runId);
      const frames = peer.received.map((frame) => JSON.parse(frame));
      const answered = frames.findIndex(({ type, payload }) => type === 'res' && payload?.status === 'started');
      const first = frames.findIndex(({ event, payload }) => /^(chat|agent)$/.test(event) && payload.runId === runId);
      expect(answered).toBeGreaterThan(-1);
      expect(first).toBeGreaterThan(answered);
    },
  );

  it('rule: two clients are told the same, each by a sequence without a gap', async () => {
    const [one, two] = [await talker(gateway), await talker(gateway, [READ])];
    const { runId } = await send(one, 'hello');
    await Promise.all([over(one, runId), over(two, runId)]);
    const payloads = (peer: Peer) => ofRun(peer, runId).map(({ payload }) => JSON.stringify(payload));
    expect(payloads(two)).toEqual(payloads(one));
    for (const peer of [one, two]) {
      const seqs = peer.events.flatMap(({ seq }) => seq ?? []);
      expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    }
  });

  it('rule: agent answers twice under one id, and the second time after the last event', async () => {
    const peer = await talker(gateway);
    const params = { message: 'hi', agentId: 'main', deliver: false, timeout: 600, idempotencyKey: freshKey() };
    const first = await peer.call('agent', params, { id: 'twice' });
    expect(first).toMatchObject({ ok: true, payload: { status: 'accepted', runId: params.idempotencyKey } });
    const answers = () => peer.received.map((text) => JSON.parse(text)).filter(({ id }) => id === 'twice');
    await until('the second answer', () => answers().length === 2);
    expect(answers()[1]).toMatchObject({
      ok: true,
      payload: {
        status: 'ok',
        summary: 'completed',
        result: { payloads: [{ text: '[offline model] You said: hi', mediaUrl: null }], meta: { aborted: false } },
      },
    });
    const frames = peer.received.map((text) => JSON.parse(text));
    const final = frames.findIndex(({ event, payload }) => event === 'chat' && payload.state === 'final');
    expect(frames.findLastIndex(({ id }) => id === 'twice')).toBeGreaterThan(final);
    // The id is free again.
    expect(await peer.call('agents.list', {}, { id: 'twice' })).toMatchObject({ ok: true });
    expect(await peer.ask('agent.wait', { runId: params.idempotencyKey })).toMatchObject({ status: 'ok' });
  });

  it('rule: history is the transcript, a page at a time, without a gap', async () => {
    const peer = await talker(gateway);
    for (const text of ['first', 'second']) {
      const { runId } = await send(peer, text, { sessionKey: 'pages' });
      await over(peer, runId);
    }
    const all = await peer.ask('chat.history', { sessionKey: 'pages' });
    expect(all.messages.map(({ __openclaw }: Payload) => __openclaw.seq)).toEqual([1, 2, 3, 4]);
    expect(all).toMatchObject({ hasMore: false, totalMessages: 4 });
    const last = await peer.ask('chat.history', { sessionKey: 'pages', limit: 1 });
    expect(last.messages.map(({ __openclaw }: Payload) => __openclaw.seq)).toEqual([4]);
    expect(last.hasMore).toBe(true);
    const before = await peer.ask('chat.history', { sessionKey: 'pages', limit: 2, before: 4 });
    expect(before.messages.map(({ __openclaw }: Payload) => __openclaw.seq)).toEqual([2, 3]);
  });
});

describe('A1: who may talk', () => {
  it('A1: a session that reads hears and sends nothing; one without read hears nothing', async () => {
    const [reader, talks, none] = [await talker(gateway, [READ]), await talker(gateway), await talker(gateway, [])];
    const refused = await reader.call('chat.send', { sessionKey: 'main', message: 'x', idempotencyKey: freshKey() });
    expect(refused).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining('missing scope: operator.write') },
    });
    const { runId } = await send(talks, 'who hears it');
    await Promise.all([over(talks, runId), over(reader, runId)]);
    expect(ofRun(none, runId)).toEqual([]);
    const { messages } = await reader.ask('chat.history', { sessionKey: 'main' });
    expect(JSON.stringify(messages)).toContain('who hears it');
  });

  it('A1: what is said as a command needs what the call that it stands for needs', async () => {
    const peer = await talker(gateway);
    const at = { sessionKey: 'commands' };
    const { runId } = await send(peer, 'hello', at);
    await over(peer, runId);
    for (const text of ['/new', '/reset', '/model offline/echo']) {
      const answer = await peer.call('chat.send', { ...at, message: text, idempotencyKey: freshKey() });
      expect(answer, text).toMatchObject({
        ok: false,
        error: { message: "missing scope: operator.admin (on the gateway's host: latchkey devices list)" },
      });
    }
    const status = await send(peer, '/status', at);
    const { payload } = await over(peer, status.runId);
    expect(payload.message.content[0].text).toContain('Session: agent:main:commands');
    const { messages } = await peer.ask('chat.history', at);
    expect(messages.map(({ role }: Payload) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(messages[2]).toMatchObject({ content: [{ text: '/status' }], excludeFromContext: true });
    const admin = await talker(gateway, [ADMIN]);
    await over(admin, (await send(admin, '/new', at)).runId);
    const anew = await peer.ask('chat.history', at);
    expect(anew.messages.map(({ role }: Payload) => role)).toEqual(['user', 'assistant']);
    expect(
      await peer.call('chat.send', { ...at, message: '/queue sideways', idempotencyKey: freshKey() }),
    ).toMatchObject({
      ok: false,
      error: { details: { refusal: 'command_invalid' } },
    });
  });

  it('A16: what cannot be said is refused by name, and nothing is stored', async () => {
    const peer = await talker(gateway);
    const refusal = async (params: Record<string, unknown>) => {
      const answer = await peer.call('chat.send', { message: 'x', idempotencyKey: freshKey(), ...params });
      return answer.ok ? 'ok' : answer.error.details?.refusal;
    };
    expect(await refusal({ sessionKey: 'agent:nobody:main' })).toBe('unknown_agent');
    expect(await refusal({ sessionKey: 'main', agentId: 'nobody' })).toBe('unknown_agent');
    expect(await refusal({ sessionKey: 'agent:other:main', agentId: 'main' })).toBe('session_key');
    expect(await refusal({ sessionKey: 'a b' })).toBe('session_key');
    expect(await refusal({ sessionKey: 'main', message: 'x'.repeat(2 * 1024 * 1024) })).toBe('message_too_large');
    const key = freshKey();
    await over(peer, (await send(peer, 'mine', { idempotencyKey: key })).runId);
    expect(await refusal({ sessionKey: 'main', message: 'another', idempotencyKey: key })).toBe('run_conflict');
    expect(await peer.ask('sessions.describe', { key: 'agent:main:never' })).toEqual({ session: null });
    const wait = await peer.call('agent.wait', { runId: 'never' });
    expect(wait).toMatchObject({ ok: false, error: { details: { refusal: 'run_unknown' } } });
  });

  it('rule: features.methods is what is served: each is known, and what is not built is not named', async () => {
    const peer = await talker(gateway);
    expect(peer.hello.features.methods).toEqual(METHOD_NAMES);
    expect(METHOD_NAMES).toContain('chat.send');
    // The owner is not shut out for asking wrongly.
    const owner = await gateway.owner();
    for (const name of METHOD_NAMES) {
      const answer = await owner.call(name, 7);
      expect(answer.ok ? '' : answer.error.message, name).not.toContain('unknown method');
    }
    expect(await peer.call('cron.list', {})).toMatchObject({
      ok: false,
      error: { message: 'unknown method: cron.list' },
    });
  });
});

describe('a model that takes its time', () => {
  let model: SlowModel;
  const running: Gateway[] = [];
  beforeAll(async () => {
    model = await startSlowModel();
  });
  afterAll(async () => {
    for (const one of running) await one.stop();
    await model.stop();
  });

  const slowly = () => ({
    ...OFFLINE,
    models: {
      local: { enabled: false },
      providers: { lab: { kind: 'openai-compatible', baseUrl: model.url, models: [{ id: 'slow' }] } },
    },
    agents: { defaults: { model: { primary: 'lab/slow' } } },
  });

  async function gatewayWith(more: GatewayOptions = {}): Promise<Gateway> {
    const one = await start({ config: slowly(), ...more });
    running.push(one);
    return one;
  }

  const delta = (peer: Peer, runId: string) =>
    peer.event('chat', { where: (p) => p.runId === runId && p.state === 'delta', timeoutMs: 30_000 });

  it('T19: an abort in the middle closes the connection to the model, keeps what was said, and says so', async () => {
    const own = await gatewayWith();
    const peer = await talker(own);
    const { runId } = await send(peer, 'go on for ever');
    await delta(peer, runId);
    expect(await peer.ask('chat.abort', { sessionKey: 'main', runId })).toEqual({
      ok: true,
      aborted: true,
      runIds: [runId],
    });
    expect(model.open()).toBe(0);
    const { payload } = await over(peer, runId);
    expect(payload).toMatchObject({
      state: 'aborted',
      message: { content: [{ text: expect.stringContaining('word') }] },
    });
    const { messages } = await peer.ask('chat.history', { sessionKey: 'main' });
    expect(messages.at(-1)).toMatchObject({ role: 'assistant', stopReason: 'aborted' });
    expect(await peer.ask('agent.wait', { runId })).toMatchObject({ status: 'error', outcome: 'aborted' });
    expect(await peer.ask('chat.abort', { sessionKey: 'main' })).toEqual({ ok: true, aborted: false, runIds: [] });
  });

  it('A9: who may no longer talk when the run is over is told so, not what the agent said', async () => {
    const own = await gatewayWith();
    const peer = await talker(own);
    await peer.call('agent', { message: 'go on', idempotencyKey: freshKey() }, { id: 'narrowed' });
    await peer.event('chat', { where: (p) => p.state === 'delta', timeoutMs: 30_000 });
    const owner = await own.owner();
    await owner.ask('device.grant.narrow', { deviceId: peer.identity.id, role: 'operator', scopes: [] });
    await owner.ask('chat.abort', { sessionKey: 'main' });
    const answers = () => peer.received.map((text) => JSON.parse(text)).filter(({ id }) => id === 'narrowed');
    await until('the second answer', () => answers().length === 2);
    expect(answers()[1]).toMatchObject({ ok: false, error: { message: expect.stringContaining('missing scope') } });
  });

  it.each(['accepted', 'the first delta'])(
    'T19: kill -9 at %s: the run is closed as interrupted, and whoever waits is told after reconnecting',
    async (moment) => {
      const stateDir = newStateDir(slowly());
      try {
        const first = await gatewayWith({ stateDir });
        const peer = await talker(first);
        const key = freshKey();
        const { runId } = await send(peer, 'go on for ever', { idempotencyKey: key });
        if (moment !== 'accepted') await delta(peer, runId);
        await first.kill();
        const second = await gatewayWith({ stateDir });
        const { partner: again } = await session(second, peer.identity, [READ, WRITE]);
        open.push(again);
        const ended = await again.ask('agent.wait', { runId, timeoutMs: 0 });
        // What was accepted and had not begun is begun: it is never lost.
        if (moment === 'accepted' && ended.status === 'timeout') {
          await until('the model is asked', () => model.open() === 1);
          expect(await again.ask('chat.abort', { sessionKey: 'main' })).toMatchObject({ runIds: [runId] });
        } else expect(ended).toMatchObject({ status: 'error', outcome: 'interrupted' });
        const same = { sessionKey: 'main', message: 'go on for ever', deliver: false, idempotencyKey: key };
        const repeated = await again.ask('chat.send', same);
        expect(['error', 'aborted']).toContain(repeated.status);
        const { messages } = await again.ask('chat.history', { sessionKey: 'main' });
        const seqs = messages.map(({ __openclaw }: Payload) => __openclaw.seq);
        expect(seqs).toEqual(seqs.map((_: number, i: number) => i + 1));
        expect(messages.filter(({ role }: Payload) => role === 'user')).toHaveLength(1);
        const other = await again.call('chat.send', { ...same, message: 'another' });
        expect(other).toMatchObject({ ok: false, error: { details: { refusal: 'run_conflict' } } });
        await second.halt();
      } finally {
        removeStateDir(stateDir);
      }
    },
  );

  it('T19: the same message sent again is one run: while it runs, after it, and after a restart', async () => {
    const stateDir = newStateDir(OFFLINE);
    try {
      const first = await gatewayWith({ stateDir });
      const peer = await talker(first);
      const same = { sessionKey: 'main', message: '/say once', idempotencyKey: freshKey() };
      const both = await Promise.all([peer.ask('chat.send', same), peer.ask('chat.send', same)]);
      expect(both.map(({ status }) => status).filter((status) => status === 'started')).toHaveLength(1);
      await over(peer, same.idempotencyKey);
      expect(await peer.ask('chat.send', same)).toEqual({ runId: same.idempotencyKey, status: 'ok' });
      expect(await first.halt()).toBe(0);
      const second = await gatewayWith({ stateDir });
      const { partner: again } = await session(second, peer.identity, [READ, WRITE]);
      open.push(again);
      expect(await again.ask('chat.send', same)).toEqual({ runId: same.idempotencyKey, status: 'ok' });
      const { messages } = await again.ask('chat.history', { sessionKey: 'main' });
      expect(messages).toHaveLength(2);
      await second.halt();
    } finally {
      removeStateDir(stateDir);
    }
  });

  it('T19: a gateway that is told to end tells whoever waits first', async () => {
    const own = await gatewayWith();
    const peer = await talker(own);
    await peer.call('agent', { message: 'go on', idempotencyKey: freshKey() }, { id: 'ending' });
    await peer.event('chat', { where: (p) => p.state === 'delta', timeoutMs: 30_000 });
    expect(await own.halt()).toBe(0);
    const answers = peer.received.map((text) => JSON.parse(text)).filter(({ id }) => id === 'ending');
    expect(answers[1]).toMatchObject({ ok: true, payload: { status: 'error', outcome: 'interrupted' } });
  });
});
