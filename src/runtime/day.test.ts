import { expect, test } from 'vitest';
import { dayEnd, timeIn, toldOf } from './day.ts';
import { judge } from './model/budget.ts';

test.each([
  ['UTC', '2026-11-21T16:00:00Z', '2026-11-22 00:00 UTC'],
  ['Europe/Berlin', '2026-11-21T23:30:00Z', '2026-11-23 00:00 Europe/Berlin'],
  // A day of 25 hours, and one that begins at one o'clock.
  ['Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-26 00:00 Europe/Berlin'],
  ['Asia/Beirut', '2026-03-28T12:00:00Z', '2026-03-29 01:00 Asia/Beirut'],
  ['Asia/Kathmandu', '2026-11-21T12:00:00Z', '2026-11-22 00:00 Asia/Kathmandu'],
])('rule: a day in %s ends where people there begin the next', (zone, at, end) => {
  expect(timeIn(dayEnd(Date.parse(at), zone), zone)).toBe(end);
});

const noon = { agent: 'work', at: Date.parse('2026-11-21T12:00:00Z'), zone: 'UTC' };

test.each([
  [
    { tokensPerDay: 10, usdPerDay: null },
    { tokens: 10, usd: 0 },
    'latchkey config set agents.defaults.budget.tokensPerDay 20',
  ],
  [
    { tokensPerDay: 10, usdPerDay: null },
    { tokens: 999, usd: 0 },
    'latchkey config set agents.defaults.budget.tokensPerDay 1998',
  ],
  [
    { tokensPerDay: null, usdPerDay: 0.001 },
    { tokens: 1, usd: 0.001 },
    'latchkey agents update work --usd-per-day 0.01',
  ],
])('rule: what raises the bound %j, of which %j is spent, lets the next call through', (bound, spent, remedy) => {
  const keys = { tokensPerDay: 'agents.defaults.budget.tokensPerDay', usdPerDay: 'agents.list[3].budget.usdPerDay' };
  const price = { input: 1, output: 1, cacheRead: null, cacheWrite: null };
  const verdict = judge(bound, spent, price);
  if (verdict.ok) throw new Error('the bound is not reached');
  const told = toldOf(verdict, { ...bound, keys }, spent, noon);
  expect(told).toMatchObject({ remedy });
  expect(told.why).toContain('; the day ends at 2026-11-22 00:00 UTC');
  const most = Number(remedy.split(' ').at(-1));
  const raised = bound.tokensPerDay === null ? { ...bound, usdPerDay: most } : { ...bound, tokensPerDay: most };
  expect(judge(raised, spent, price)).toEqual({ ok: true });
});
