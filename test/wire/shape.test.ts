// The comparison itself: each way in which an answer can differ from a recorded one is seen.
import { expect, it } from 'vitest';
import { differences, shapeOf } from './shape.ts';

const how = (recorded: unknown, ours: unknown) =>
  differences(shapeOf(recorded), shapeOf(ours), 'payload').map((difference) => difference.how);

it('rule what is the same, or more, is no difference', () => {
  const recorded = { a: 1, b: [{ c: 'x' }], d: null, e: {}, config: { x: 1 } };
  expect(how(recorded, recorded)).toEqual([]);
  expect(how(recorded, { a: 2, b: [{ c: '', f: 1 }, { c: 'y' }], d: 3, e: { g: 1 }, config: {}, h: [] })).toEqual([]);
});

it('rule a key that is away, sometimes away or of another type is a difference', () => {
  expect(how({ a: { b: 1 } }, { a: {} })).toEqual(['payload.a.b is missing']);
  expect(how({ a: { b: 1 } }, {})).toEqual(['payload.a is missing']);
  expect(how({ a: 1 }, { a: '1' })).toEqual(['payload.a is string, was number']);
  expect(how({ a: 1 }, { a: null })).toEqual(['payload.a is null, was number']);
  expect(how({ a: [] }, { a: {} })).toEqual(['payload.a is object, was list']);
  expect(how([{ a: 1 }], [{ a: 1 }, {}])).toEqual(['payload[].a is not in each of them']);
  expect(how({ config: {} }, { config: [] })).toEqual(['payload.config is list, was object']);
});

it('rule a list that had members has members', () => {
  expect(how({ a: [{ b: 1 }] }, { a: [] })).toEqual(['payload.a is empty, and was not']);
  expect(how({ a: [1] }, { a: ['1'] })).toEqual(['payload.a[] is string, was number']);
  expect(how({ a: [] }, { a: ['1'] })).toEqual([]);
});

it('rule what was only sometimes there may be away, and is compared where it is there', () => {
  const recorded = [{ a: 1 }, { a: 1, b: 1 }];
  expect(how(recorded, [{ a: 1 }])).toEqual([]);
  expect(how(recorded, [{ a: 1, b: '' }])).toEqual(['payload[].b is string, was number']);
});

it('rule keys that are data are one', () => {
  const recorded = { channels: { telegram: { a: 1 } }, byStatus: { queued: 1 }, 'agent:main:main': { b: 1 } };
  expect(how(recorded, { channels: {}, byStatus: {}, x: 1 })).toEqual([]);
  expect(how(recorded, { channels: { discord: { a: '' } }, byStatus: { other: null } })).toEqual([
    'payload.byStatus.* is null, was number',
    'payload.channels.*.a is string, was number',
  ]);
});
