import { Check } from 'typebox/value';
import { expect, test } from 'vitest';
import { channelsStatus } from '../../core/protocol/method/channel.ts';
import { lastHeartbeat } from '../../core/protocol/method/heartbeat.ts';
import { METHOD_NAMES } from '../../core/protocol/registry.ts';
import { Pulse } from '../pulse.ts';
import { status } from './channel.ts';
import type { Context } from './handler.ts';
import { last } from './heartbeat.ts';

const context = { services: { now: () => 7, loop: () => new Pulse(0).facts } } as unknown as Context;

test('rule channels.status names no channel, as none can be configured, in the shape that it promises', () => {
  const answer = status(context);
  expect(Check(channelsStatus.output, answer)).toBe(true);
  const { ts, eventLoop, ...channels } = answer;
  expect([ts, eventLoop.degraded]).toEqual([7, false]);
  expect(Object.values(channels).map((value) => Object.keys(value).length)).toEqual(Array(9).fill(0));
});

test('rule last-heartbeat is null, as none ever ran, in the shape that it promises', () => {
  expect(last()).toBeNull();
  expect(Check(lastHeartbeat.output, last())).toBe(true);
  expect(Check(lastHeartbeat.output, { ts: 1, status: 'skipped' })).toBe(true);
});

test('rule what OpenClaw asks and Latchkey has not built is unknown: no stub stands for it', () => {
  expect(METHOD_NAMES).toEqual(expect.arrayContaining(['channels.status', 'last-heartbeat']));
  expect(METHOD_NAMES).not.toContain('doctor.memory.status');
  expect(METHOD_NAMES).not.toContain('diagnostics.stability');
});
