import * as Type from '../type.ts';
import { EventLoop } from './gateway.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';
import { Instant } from './shape.ts';

const ByChannel = Type.Record(Type.String(), Type.Unknown());
const TextByChannel = Type.Record(Type.String(), Type.String());

/** As OpenClaw's clients read it (PROTOCOL.md §5.2). Everything but `ts` and `eventLoop` goes by the channel's id. */
export const channelsStatus = {
  name: 'channels.status',
  scope: READ,
  role: 'operator',
  input: Type.Object({
    /** Also ask each channel's service. */
    probe: Type.Optional(Type.Boolean()),
    /** For the probes. */
    timeoutMs: Type.Optional(Type.Number({ minimum: 0 })),
  }),
  output: Type.Object({
    ts: Instant,
    channelOrder: Type.Array(Type.String()),
    channelLabels: TextByChannel,
    channelDetailLabels: TextByChannel,
    channelSystemImages: TextByChannel,
    channelMeta: Type.Array(Type.Unknown()),
    channels: ByChannel,
    channelAccounts: ByChannel,
    channelDefaultAccountId: TextByChannel,
    eventLoop: EventLoop,
    statusIssues: Type.Array(Type.Unknown()),
  }),
  errors: [],
  summary: 'The chat channels that are configured, and how each of them does. This version has none: it names none.',
} as const satisfies Method;
