import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';

/** As OpenClaw's clients ask and read it (PROTOCOL.md §5.2); they follow by asking again with the cursor. */
export const logsTail = {
  name: 'logs.tail',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    /** From an earlier answer: what came since. It outlives rotation; where its file is gone the answer says `reset`. */
    cursor: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    /** Lines, 500 when absent. */
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000 })),
    /** Of lines, 250,000 when absent. */
    maxBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  }),
  output: Type.Object({
    file: Type.String(),
    /** Opaque; only to be handed back. */
    cursor: Type.Integer(),
    /** Bytes of the newest file. */
    size: Type.Integer(),
    /** Whole lines, oldest first: each a JSON object, redacted and escaped when it was written. */
    lines: Type.Array(Type.String()),
    /** Without a cursor: there are older lines than these. With one: there are newer ones, by the new cursor. */
    truncated: Type.Optional(Type.Boolean()),
    /** The cursor's file is gone: these are the newest lines, and some before them were never told. */
    reset: Type.Optional(Type.Boolean()),
    /** Bytes of lines that are too long for one answer, and were left out. */
    skippedBytes: Type.Optional(Type.Integer()),
  }),
  errors: [],
  summary: 'The newest lines of the log, or those that came since an earlier answer.',
} as const satisfies Method;
