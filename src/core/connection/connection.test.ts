import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestId } from '../authz/principal.ts';
import { ERRORS } from '../protocol/error.ts';
import { type Action, type ConnectionState, type Input, opened, QUEUE_MAX, type Step, step } from './connection.ts';

const BOUNDS = { callsMax: 3, refusedMax: 3 };
const REQUEST = 'r-1' as RequestId;

const call = (id: string, method = 'health'): Input => ({
  kind: 'message',
  message: { kind: 'call', call: { id, method } },
});
const CONNECT = call('c', 'connect');

function run(from: ConnectionState, ...inputs: Input[]): Step & { all: readonly Action[] } {
  let now: Step = { state: from, actions: [] };
  const all: Action[] = [];
  for (const input of inputs) {
    now = step(now.state, input, BOUNDS);
    all.push(...now.actions);
  }
  return { ...now, all };
}

const closes = (cause: string) => ({ kind: 'close', cause });
const refuses = (id: string, code: string) => ({ kind: 'refuse', id, code });

describe('the first frame', () => {
  const fresh = opened('tcp');

  it('threat 1: what is no connect is closed as OpenClaw closes it', () => {
    expect(run(fresh, { kind: 'message', message: { kind: 'not-json' } }).all).toEqual([closes('not_json')]);
    expect(run(fresh, { kind: 'message', message: { kind: 'invalid', id: 'x' } }).all).toEqual([
      closes('frame_invalid'),
    ]);
    expect(run(fresh, call('1')).all).toEqual([refuses('1', 'not_connect'), closes('not_connect')]);
    expect(run(fresh, { kind: 'deadline' }).all).toEqual([closes('handshake_timeout')]);
  });

  it('A3: a connect is judged once; the deadline does not cut one that is being judged', () => {
    expect(run(fresh, CONNECT).all).toEqual([{ kind: 'judge', call: { id: 'c', method: 'connect' } }]);
    expect(run(fresh, CONNECT, { kind: 'deadline' }).state.kind).toBe('judging');
    expect(run(fresh, CONNECT, { kind: 'refused' }).all.slice(1)).toEqual([refuses('c', 'verdict'), closes('verdict')]);
    const second = run(fresh, CONNECT, call('c2', 'connect'), { kind: 'let-in' });
    expect(second.all.filter((a) => a.kind === 'judge')).toHaveLength(1);
    expect(second.all.at(-1)).toEqual(refuses('c2', 'already_connected'));
  });

  it('rule: what is sent before the answer to connect is taken up in order, and bounded', () => {
    const early = run(fresh, CONNECT, call('1'), call('2'), { kind: 'let-in' });
    expect(early.all.map((a) => a.kind)).toEqual(['judge', 'raise-limit', 'hello', 'call', 'call']);
    const flood = Array.from({ length: QUEUE_MAX + 1 }, (_, i) => call(String(i)));
    expect(run(fresh, CONNECT, ...flood).state.kind).toBe('closing');
  });
});

describe('waiting for approval', () => {
  const waiting = run(opened('tcp'), CONNECT, { kind: 'wait', request: REQUEST });

  it('A8: it is told, and goes on to hello under the id of its connect', () => {
    expect(waiting.all.at(-1)).toEqual({ kind: 'tell-waiting', id: 'c', request: REQUEST });
    const on = run(waiting.state, { kind: 'let-in' });
    expect(on.all).toEqual([{ kind: 'raise-limit' }, { kind: 'hello', id: 'c' }]);
    expect(on.state).toMatchObject({ kind: 'connected', listening: true });
  });

  it('A8: it may send nothing, no deadline ends it, and it is answered however its request ends', () => {
    expect(run(waiting.state, { kind: 'deadline' }).state).toBe(waiting.state);
    for (const message of [CONNECT, call('1'), { kind: 'message', message: { kind: 'not-json' } } as const]) {
      expect(run(waiting.state, message).all).toEqual([
        refuses('c', 'spoke_while_waiting'),
        closes('spoke_while_waiting'),
      ]);
    }
    for (const code of ['rejected', 'ask_expired', 'ask_superseded', 'ask_elsewhere', 'stopping'] as const) {
      expect(run(waiting.state, { kind: 'end', code }).all).toEqual([refuses('c', code), closes(code)]);
    }
    const early = run(opened('tcp'), CONNECT, call('1'), { kind: 'wait', request: REQUEST });
    expect(early.all.at(-1)).toEqual(closes('spoke_while_waiting'));
  });
});

describe('connected', () => {
  const live = run(opened('tcp'), CONNECT, { kind: 'let-in' }).state;

  it('threat 8: a second connect is an error and changes nothing', () => {
    const again = run(live, CONNECT);
    expect(again.state).toBe(live);
    expect(again.all).toEqual([refuses('c', 'already_connected')]);
  });

  it('threat 8: an id in use is refused, and free once answered; calls in flight are bounded', () => {
    const one = run(live, call('1'), call('1'));
    expect(one.all).toEqual([{ kind: 'call', call: { id: '1', method: 'health' } }, refuses('1', 'id_in_use')]);
    const free = run(one.state, { kind: 'answered', id: '1', refused: false }, call('1'));
    expect(free.all.map((a) => a.kind)).toEqual(['reply', 'call']);
    expect(run(live, call('1'), call('2'), call('3'), call('4')).all.at(-1)).toEqual(refuses('4', 'busy'));
  });

  it('A9: no answer goes out to a call in flight of a session that was ended', () => {
    const ended = run(live, call('1'), { kind: 'end', code: 'grant_ended' });
    expect(ended.all.at(-1)).toEqual(closes('grant_ended'));
    expect(run(ended.state, { kind: 'answered', id: '1', refused: false }).all).toEqual([]);
  });

  it('threat 38: unauthorized calls one after the other end the session; one that is allowed starts anew', () => {
    const refused = (id: string): Input[] => [call(id), { kind: 'answered', id, refused: true }];
    const allowed: Input[] = [call('x'), { kind: 'answered', id: 'x', refused: false }];
    expect(run(live, ...refused('1'), ...refused('2')).state.kind).toBe('connected');
    expect(run(live, ...refused('1'), ...refused('2'), ...refused('3')).all.at(-1)).toEqual(closes('flood'));
    const mixed = run(live, ...refused('1'), ...refused('2'), ...allowed, ...refused('3'), ...refused('4'));
    expect(mixed.state.kind).toBe('connected');
  });

  it('rule: a call that is answered twice keeps its id until the second answer; an end drops that one too', () => {
    const first = { kind: 'answered', id: '1', refused: false, more: true } as const;
    const twice = run(live, call('1'), first);
    expect(twice.actions).toEqual([{ kind: 'reply', id: '1' }]);
    expect(run(twice.state, call('1')).actions).toEqual([refuses('1', 'id_in_use')]);
    const over = run(twice.state, { kind: 'answered', id: '1', refused: false });
    expect(over.actions).toEqual([{ kind: 'reply', id: '1' }]);
    expect(run(over.state, call('1')).actions).toMatchObject([{ kind: 'call' }]);
    const ended = run(twice.state, { kind: 'end', code: 'grant_ended' });
    expect(run(ended.state, { kind: 'answered', id: '1', refused: false }).all).toEqual([]);
  });

  it('threat 1: a bad frame is answered where it names an id, and ends the session where it does not', () => {
    expect(run(live, { kind: 'message', message: { kind: 'invalid', id: '7' } }).all).toEqual([
      refuses('7', 'call_frame'),
    ]);
    expect(run(live, { kind: 'message', message: { kind: 'invalid', id: null } }).state.kind).toBe('closing');
    expect(run(live, { kind: 'message', message: { kind: 'not-json' } }).state.kind).toBe('closing');
  });
});

describe('the owner socket', () => {
  const owner = opened('owner');

  it('A11: the first line may be any request; there is no deadline and no flood guard', () => {
    expect(run(owner, call('1')).all).toEqual([{ kind: 'call', call: { id: '1', method: 'health' } }]);
    expect(run(owner, { kind: 'deadline' }).state).toBe(owner);
    const many = Array.from({ length: 20 }, (_, i): Input[] => [
      call(`${i}`),
      { kind: 'answered', id: `${i}`, refused: true },
    ]);
    expect(run(owner, ...many.flat()).state.kind).toBe('connected');
  });

  it('A11: events flow after connect, once', () => {
    expect(owner).toMatchObject({ listening: false });
    const on = run(owner, CONNECT, call('1'), { kind: 'let-in' });
    expect(on.state).toMatchObject({ listening: true });
    expect(on.all.map((a) => a.kind)).toEqual(['judge', 'call', 'raise-limit', 'hello']);
    expect(run(on.state, CONNECT).all).toEqual([refuses('c', 'already_connected')]);
  });

  it('A11: where an owner proof has to be given the first frame is connect', () => {
    expect(run(opened('owner', 'owner-proof'), call('1')).state.kind).toBe('closing');
    const on = run(opened('owner', 'owner-proof'), CONNECT, { kind: 'let-in' });
    expect(on.state).toMatchObject({ kind: 'connected', door: 'owner', listening: true });
  });
});

describe('any sequence', () => {
  const inputs: fc.Arbitrary<Input> = fc.oneof(
    fc.constantFrom<Input>(
      CONNECT,
      { kind: 'deadline' },
      { kind: 'let-in' },
      { kind: 'wait', request: REQUEST },
      { kind: 'refused' },
      { kind: 'end', code: 'grant_ended' },
      { kind: 'gone' },
      { kind: 'message', message: { kind: 'not-json' } },
      { kind: 'message', message: { kind: 'invalid', id: null } },
      { kind: 'message', message: { kind: 'invalid', id: '1' } },
    ),
    fc.constantFrom('1', '2', '3', '4').map((id) => call(id)),
    fc.record({ kind: fc.constant('answered' as const), id: fc.constantFrom('1', '2', '3'), refused: fc.boolean() }),
  );

  it('rule: nothing is called before it is let in; one hello, one close and nothing after; refusals have texts', () => {
    fc.assert(
      fc.property(fc.array(inputs, { maxLength: 30 }), (sequence) => {
        const { all } = run(opened('tcp'), ...sequence);
        const kinds = all.map((a) => a.kind);
        const hello = kinds.indexOf('hello');
        const firstCall = kinds.indexOf('call');
        expect(firstCall === -1 || (hello !== -1 && hello < firstCall)).toBe(true);
        expect(kinds.filter((k) => k === 'hello').length).toBeLessThanOrEqual(1);
        expect(kinds.filter((k) => k === 'judge').length).toBeLessThanOrEqual(1);
        const end = kinds.indexOf('close');
        expect(end === -1 || end === kinds.length - 1).toBe(true);
        for (const a of all) {
          const code = a.kind === 'refuse' ? a.code : a.kind === 'close' ? a.cause : null;
          if (code !== null && code !== 'verdict') expect(Object.keys(ERRORS)).toContain(code);
        }
      }),
      { numRuns: 2000, seed: 7 },
    );
  });
});
