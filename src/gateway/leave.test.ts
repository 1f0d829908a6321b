import { describe, expect, it } from 'vitest';
import { Leave } from './leave.ts';

describe('the leave of a connection', () => {
  it('threat 38: ends what waits in its name', () => {
    const leave = new Leave();
    let times = 0;
    leave.signal.addEventListener('abort', () => {
      times += 1;
    });
    expect(leave.signal.aborted).toBe(false);
    leave.end();
    leave.end();
    expect([leave.signal.aborted, times]).toEqual([true, 1]);
  });

  it('threat 38: is known to whoever asks for it afterwards', () => {
    const leave = new Leave();
    leave.end();
    expect(leave.signal.aborted).toBe(true);
  });

  it('one signal is all that it ever has', () => {
    const leave = new Leave();
    expect(leave.signal).toBe(leave.signal);
  });
});
