import type { Static } from 'typebox';
import { FRAME_ID_MAX, METHOD_MAX } from './limit.ts';
import * as Type from './type.ts';

/**
 * The envelopes of PROTOCOL.md §2: one JSON object for each message. They are closed, as are `device`, `auth`,
 * `scopes` and `role` in `connect.params`: an unknown key in them is an error. Elsewhere unknown keys are ignored,
 * and counted by `unknownKeys`, so that newer clients are understood and their news is noticed.
 */
const Id = Type.String({ minLength: 1, maxLength: FRAME_ID_MAX });

export const RequestFrame = Type.Object(
  {
    type: Type.Literal('req'),
    id: Id,
    method: Type.String({ minLength: 1, maxLength: METHOD_MAX }),
    params: Type.Optional(Type.Unknown()),
    // 9.6 sends these two beside the request; neither is used here.
    traceparent: Type.Optional(Type.String({ maxLength: 512 })),
    expectedProfileId: Type.Optional(Type.String({ maxLength: 256 })),
  },
  { additionalProperties: false },
);
export type RequestFrame = Static<typeof RequestFrame>;

export const WireError = Type.Object(
  {
    code: Type.String(),
    message: Type.String(),
    details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    retryable: Type.Optional(Type.Boolean()),
    /** Milliseconds. */
    retryAfterMs: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
);
export type WireError = Static<typeof WireError>;

export const ResponseFrame = Type.Union([
  Type.Object(
    { type: Type.Literal('res'), id: Id, ok: Type.Literal(true), payload: Type.Optional(Type.Unknown()) },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      type: Type.Literal('res'),
      id: Id,
      ok: Type.Literal(false),
      error: WireError,
      payload: Type.Optional(Type.Unknown()),
    },
    { additionalProperties: false },
  ),
]);
export type ResponseFrame = Static<typeof ResponseFrame>;

const StateVersion = Type.Object({ presence: Type.Integer(), health: Type.Integer() }, { additionalProperties: false });
export type StateVersion = Static<typeof StateVersion>;

export const EventFrame = Type.Object(
  {
    type: Type.Literal('event'),
    event: Type.String({ minLength: 1 }),
    payload: Type.Optional(Type.Unknown()),
    /** From 1, without gaps, for each connection; absent on what is sent to one client only. */
    seq: Type.Optional(Type.Integer({ minimum: 1 })),
    stateVersion: Type.Optional(StateVersion),
  },
  { additionalProperties: false },
);
export type EventFrame = Static<typeof EventFrame>;

export function okFrame(id: string, payload: unknown): ResponseFrame {
  return { type: 'res', id, ok: true, ...(payload === undefined ? {} : { payload }) };
}

/** `okFrame` as JSON, with a payload that is JSON already. */
export function okText(id: string, payload: string): string {
  return `{"type":"res","id":${JSON.stringify(id)},"ok":true,"payload":${payload}}`;
}

export function errorFrame(id: string, error: WireError): ResponseFrame {
  return { type: 'res', id, ok: false, error };
}

export function eventFrame(event: string, payload: unknown): EventFrame {
  return { type: 'event', event, payload };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * How many keys of `value` its schema doesn't name, in open objects at any depth that the schema describes. A record
 * names all of its keys.
 */
export function unknownKeys(schema: object, value: unknown): number {
  const { properties, items, patternProperties } = schema as {
    properties?: Record<string, object>;
    items?: object;
    patternProperties?: object;
  };
  if (Array.isArray(value)) {
    return items === undefined ? 0 : value.reduce<number>((sum, v) => sum + unknownKeys(items, v), 0);
  }
  if (!isObject(value) || properties === undefined || patternProperties !== undefined) return 0;
  let count = 0;
  for (const [key, inner] of Object.entries(value)) {
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    count += known === undefined ? 1 : unknownKeys(known, inner);
  }
  return count;
}
