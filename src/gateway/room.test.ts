import { describe, expect, it } from 'vitest';
import type { DeviceId, Principal } from '../core/authz/principal.ts';
import { CallRoom, Share, WaitingCalls } from './room.ts';

const MIB = 1024 * 1024;
const OWNER: Principal = { kind: 'owner' };
const DEVICE: Principal = { kind: 'device', device: 'd'.repeat(64) as DeviceId, role: 'operator', asked: null };

/** Connections of one device that hold all there is. */
function filled(room: CallRoom): readonly Share[] {
  const shares = Array.from({ length: 8 }, () => new Share(room));
  for (const share of shares) expect(share.take(16 * MIB, DEVICE)).not.toBeNull();
  return shares;
}

describe('room for calls', () => {
  it('threat 37: whoever fills it shuts everybody out but the owner', () => {
    const room = new CallRoom();
    filled(room);
    expect(new Share(room).take(1, DEVICE)).toBeNull();
    const owner = new Share(room);
    expect(owner.take(20 * MIB, OWNER)).not.toBeNull();
    // Its own connection is bounded as every other.
    expect(owner.take(20 * MIB, OWNER)).toBeNull();
  });

  it('threat 37: the owner takes nothing of what the others share', () => {
    const room = new CallRoom();
    for (let n = 0; n < 8; n += 1) new Share(room).take(16 * MIB, OWNER);
    expect(new Share(room).take(16 * MIB, DEVICE)).not.toBeNull();
  });

  it('threat 37: a connection that leaves gives back what it held, once', () => {
    const room = new CallRoom();
    const [first] = filled(room);
    const share = new Share(room);
    first?.end();
    first?.end();
    const give = share.take(16 * MIB, DEVICE);
    expect(give).not.toBeNull();
    share.end();
    // Its call is answered after it left.
    give?.();
    const next = new Share(room);
    expect(next.take(16 * MIB, DEVICE)).not.toBeNull();
    expect(new Share(room).take(1, DEVICE)).toBeNull();
    expect(share.take(1, DEVICE)).toBeNull();
  });
});

it('threat 38: so many calls of one principal wait, and nobody else is refused for them', () => {
  const waiting = new WaitingCalls();
  const exits = Array.from({ length: 64 }, () => waiting.enter('one'));
  expect(exits).not.toContain(null);
  expect(waiting.enter('one')).toBeNull();
  expect(waiting.enter('another')).not.toBeNull();
  exits[0]?.();
  expect(waiting.enter('one')).not.toBeNull();
  expect(waiting.enter('one')).toBeNull();
});
