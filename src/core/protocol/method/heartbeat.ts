import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';
import { Instant } from './shape.ts';

/** As OpenClaw's clients read it (PROTOCOL.md §5.2). */
export const lastHeartbeat = {
  name: 'last-heartbeat',
  scope: READ,
  role: 'operator',
  input: Type.Object({}),
  output: Type.Union([
    Type.Object({
      ts: Instant,
      status: Type.String(),
      reason: Type.Optional(Type.String()),
      preview: Type.Optional(Type.String()),
      durationMs: Type.Optional(Type.Number()),
      hasMedia: Type.Optional(Type.Boolean()),
      message: Type.Optional(Type.String()),
    }),
    Type.Null(),
  ]),
  errors: [],
  summary: 'The last heartbeat of an agent; null when none ever ran. This version runs none.',
} as const satisfies Method;
