import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  IDLE,
  type LaneCommand,
  type LaneEffect,
  type LaneState,
  MODES,
  type Mode,
  type RunId,
  step,
  WAITING_MAX,
} from './lane.ts';

const id = (n: number): RunId => `r${n}` as RunId;
const accept = (n: number, mode: Mode): LaneCommand => ({ kind: 'accept', run: id(n), mode });

function play(...commands: readonly LaneCommand[]): {
  readonly state: LaneState;
  readonly effects: readonly LaneEffect[];
} {
  let state = IDLE;
  let effects: readonly LaneEffect[] = [];
  for (const command of commands) ({ state, effects } = step(state, command));
  return { state, effects };
}

describe('rule a lane runs one at a time', () => {
  test.each(MODES)('rule the first message starts at once, whatever its mode: %s', (mode) => {
    expect(play(accept(1, mode)).effects).toEqual([{ kind: 'start', run: id(1), with: [] }]);
  });

  test('rule followups get runs of their own, in order', () => {
    const commands = [accept(1, 'followup'), accept(2, 'followup'), accept(3, 'followup')];
    expect(play(...commands).effects).toEqual([]);
    expect(play(...commands, { kind: 'ended' }).effects).toEqual([{ kind: 'start', run: id(2), with: [] }]);
    expect(play(...commands, { kind: 'ended' }, { kind: 'ended' }).effects).toEqual([
      { kind: 'start', run: id(3), with: [] },
    ]);
  });

  test('rule what is collected goes into one run, and stops at what wants its own', () => {
    const waiting = [accept(2, 'collect'), accept(3, 'collect'), accept(4, 'followup'), accept(5, 'collect')];
    const { state, effects } = play(accept(1, 'followup'), ...waiting, { kind: 'ended' });
    expect(effects).toEqual([{ kind: 'start', run: id(3), with: [id(2)] }]);
    expect(state.waiting.map(({ run }) => run)).toEqual([id(4), id(5)]);
  });

  test('rule what steers joins between two steps, and never overtakes', () => {
    const commands = [accept(1, 'followup'), accept(2, 'steer'), accept(3, 'followup'), accept(4, 'steer')];
    expect(play(...commands, { kind: 'boundary' }).effects).toEqual([{ kind: 'join', run: id(2), into: id(1) }]);
    // The run ended before it came to a boundary: nothing that was said is lost.
    expect(play(...commands, { kind: 'ended' }).effects).toEqual([{ kind: 'start', run: id(2), with: [] }]);
  });

  test('rule an interrupt stops what runs, once, and goes in front of what waits', () => {
    const commands = [accept(1, 'followup'), accept(2, 'followup'), accept(3, 'interrupt')];
    expect(play(...commands).effects).toEqual([{ kind: 'stop', run: id(1) }]);
    const both = play(...commands, accept(4, 'interrupt'));
    expect(both.effects).toEqual([]);
    expect(both.state.waiting.map(({ run }) => run)).toEqual([id(3), id(4), id(2)]);
    expect(play(...commands, { kind: 'boundary' }).effects).toEqual([]);
  });

  test('rule an abort drops what waits and stops what runs', () => {
    const commands = [accept(1, 'followup'), accept(2, 'followup'), accept(3, 'followup')];
    expect(play(...commands, { kind: 'abort', run: id(2) }).effects).toEqual([{ kind: 'drop', run: id(2) }]);
    expect(play(...commands, { kind: 'abort', run: null }).effects).toEqual([
      { kind: 'drop', run: id(2) },
      { kind: 'drop', run: id(3) },
      { kind: 'stop', run: id(1) },
    ]);
    expect(play(...commands, { kind: 'abort', run: id(9) }).effects).toEqual([]);
    expect(play(...commands, { kind: 'abort', run: null }, { kind: 'abort', run: null }).effects).toEqual([]);
  });

  test('rule another one leads what runs, and is what an abort stops', () => {
    const led = [accept(1, 'followup'), accept(2, 'followup'), { kind: 'lead', run: id(9) }] as const;
    expect(play(...led).effects).toEqual([]);
    expect(play(...led, { kind: 'abort', run: id(1) }).effects).toEqual([]);
    expect(play(...led, { kind: 'abort', run: id(9) }).effects).toEqual([{ kind: 'stop', run: id(9) }]);
    expect(play(...led, { kind: 'ended' }).effects).toEqual([{ kind: 'start', run: id(2), with: [] }]);
    expect(play({ kind: 'lead', run: id(9) }).state).toEqual(IDLE);
  });

  test('rule a full lane refuses and changes nothing', () => {
    let state = IDLE;
    for (let n = 0; n <= WAITING_MAX; n += 1) state = step(state, accept(n, 'followup')).state;
    const refused = step(state, accept(999, 'interrupt'));
    expect(refused).toEqual({ state, effects: [], full: true });
    expect(step(state, accept(999, 'followup')).full).toBe(true);
  });
});

test('rule every accepted run begins, joins or is dropped exactly once, and never two run at once', () => {
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...MODES).map((mode) => ({ kind: 'accept' as const, mode })) },
    { weight: 2, arbitrary: fc.constant({ kind: 'ended' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'boundary' as const }) },
    { weight: 1, arbitrary: fc.option(fc.nat(30)).map((nth) => ({ kind: 'abort' as const, nth })) },
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      let state = IDLE;
      let running: RunId | null = null;
      let accepted = 0;
      const fates = new Map<RunId, number>();
      const settle = (run: RunId) => fates.set(run, (fates.get(run) ?? 0) + 1);
      const carry = (effects: readonly LaneEffect[]) => {
        for (const effect of effects) {
          if (effect.kind === 'start') {
            expect(running).toBeNull();
            running = effect.run;
            for (const run of [...effect.with, effect.run]) settle(run);
          } else if (effect.kind === 'join') {
            expect(effect.into).toBe(running);
            settle(effect.run);
          } else if (effect.kind === 'drop') settle(effect.run);
          else expect(effect.run).toBe(running);
        }
      };
      const say = (next: LaneCommand) => {
        const stepped = step(state, next);
        if (next.kind === 'ended') running = null;
        ({ state } = stepped);
        carry(stepped.effects);
        expect(state.running?.run ?? null).toBe(running);
        return stepped;
      };
      for (const one of commands) {
        if (one.kind === 'accept') {
          accepted += 1;
          if (say(accept(accepted, one.mode)).full) accepted -= 1;
        } else if (one.kind === 'abort') say({ kind: 'abort', run: one.nth === null ? null : id(one.nth) });
        else say(one);
      }
      // Whoever still waits comes to its turn.
      for (let n = 0; n <= WAITING_MAX && state.running !== null; n += 1) say({ kind: 'ended' });
      expect(state).toEqual(IDLE);
      expect([...fates.values()].every((count) => count === 1)).toBe(true);
      expect(fates.size).toBe(accepted);
    }),
    { numRuns: 500 },
  );
});
