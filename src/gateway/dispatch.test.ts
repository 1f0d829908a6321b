// What stands between a call and its handler: who may call is asked again where time may have passed.
import { beforeEach, describe, expect, it } from 'vitest';
import type { DeviceId, Principal } from '../core/authz/principal.ts';
import { err, ok } from '../core/base/result.ts';
import { type Caller, Dispatch } from './dispatch.ts';
import { Leave } from './leave.ts';
import type { Services } from './method/handler.ts';
import type { Session } from './session.ts';
import { Turns } from './turn.ts';

/** Long enough for a turn to be handed on: others are served in between. */
async function settled(): Promise<void> {
  for (let n = 0; n < 3; n += 1) await new Promise((done) => setImmediate(done));
}
const who = (name: string): Principal => ({
  kind: 'device',
  device: name as DeviceId,
  role: 'operator',
  asked: null,
});

let mayCall: boolean;
let reads: number;
let patches: number;
let gates: (() => void)[];
let dispatch: Dispatch;
beforeEach(() => {
  [mayCall, reads, patches, gates] = [true, 0, 0, []];
  const wait = () => new Promise<void>((done) => gates.push(done));
  const agent = { id: 'main', isDefault: true, model: 'a/b' };
  const session = { key: 'agent:main:main', id: 's', agent: 'main', settings: {}, usage: {}, rows: 1, lastRun: null };
  const conversations = {
    agents: async () => [agent],
    session: async () => session,
    sessions: async () => {
      reads += 1;
      await wait();
      return [session];
    },
    abort: async () => {
      patches += 1;
      await wait();
      return ['r'];
    },
  };
  const authority = {
    mayCall: () => (mayCall ? ok(null) : err({ code: 'role', role: 'operator' })),
  };
  const services = { authority, conversations, now: () => 0, turns: new Turns(() => []) };
  dispatch = new Dispatch(services as unknown as Services, (error) => {
    throw error;
  });
});

function caller(name = 'a', left = new Leave()): Caller {
  const pipe = { buffered: () => 0 };
  return { principal: who(name), session: { principal: who(name), pipe } as unknown as Session, protocol: 4, left };
}
const usage = (by: Caller) => dispatch.call(by, 'sessions.usage', {});
const open = async () => {
  gates.shift()?.();
  await settled();
};

describe('who may call', () => {
  it('A9, A20 is asked again when the turn is there: for whoever was narrowed while it waited nothing is read', async () => {
    const [first, second] = [usage(caller()), usage(caller())];
    await settled();
    expect(reads).toBe(1);
    mayCall = false;
    await open();
    expect([await first, await second]).toMatchObject([
      { ok: false, denied: false, refused: { error: { details: { refusal: 'wrong_role' } } } },
      { ok: false, denied: false, refused: { error: { details: { refusal: 'wrong_role' } } } },
    ]);
    expect(reads).toBe(1);
  });

  it('A9, A20 is asked again after what only reads, whether it has turns or not', async () => {
    const told = dispatch.call(caller(), 'usage.status', {});
    mayCall = false;
    expect(await told).toMatchObject({ ok: false });
  });

  it('A9 what changed something is answered as it was: a refusal would say that nothing was done', async () => {
    const aborted = dispatch.call(caller(), 'chat.abort', { sessionKey: 'main' });
    await settled();
    mayCall = false;
    await open();
    expect(await aborted).toMatchObject({ ok: true, payload: { aborted: true } });
    expect(patches).toBe(1);
  });

  it('threat 36: of whoever left while it waited nothing is read', async () => {
    const left = new Leave();
    const first = usage(caller());
    const second = usage(caller('a', left));
    await settled();
    left.end();
    await open();
    expect([(await first).ok, (await second).ok, reads]).toEqual([true, false, 1]);
  });
});

describe('turns', () => {
  it('A11: the owner, and what the gateway asks itself, wait for nobody', async () => {
    const sessions = Array.from({ length: 12 }, (_, n) => usage(caller(`d${n}`)));
    await settled();
    expect(reads).toBe(4);
    const own: Caller = { ...caller(), principal: { kind: 'owner' } };
    const asked = [usage(own), usage({ ...caller(), session: null })];
    await settled();
    expect(reads).toBe(6);
    while (gates.length > 0) await open();
    expect((await Promise.all([...sessions, ...asked])).every((answer) => answer.ok)).toBe(true);
  });

  it('threat 38: what waits is bounded by what it came in', async () => {
    const size = 1024 * 1024;
    const asked = Array.from({ length: 6 }, () => usage({ ...caller(), size }));
    expect(await asked[5]).toMatchObject({ ok: false, refused: { error: { details: { refusal: 'busy' } } } });
    for (let n = 0; n < 5; n += 1) await open();
    expect((await Promise.all(asked)).map(({ ok: isOk }) => isOk)).toEqual([true, true, true, true, true, false]);
  });

  it('threat 38: an answer that only reads is not kept, whatever key it is asked with', async () => {
    const asked = () => dispatch.call(caller(), 'sessions.usage', { idempotencyKey: 'k' });
    const first = asked();
    await settled();
    await open();
    const second = asked();
    await settled();
    await open();
    expect([(await first).ok, (await second).ok, reads]).toEqual([true, true, 2]);
    const aborts = [0, 1].map(() => dispatch.call(caller(), 'chat.abort', { sessionKey: 'main', idempotencyKey: 'k' }));
    await settled();
    await open();
    expect((await Promise.all(aborts)).every((answer) => answer.ok)).toBe(true);
    expect(patches).toBe(1);
  });
});
