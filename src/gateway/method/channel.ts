import type { MethodOutput } from '../../core/protocol/registry.ts';
import type { Context } from './handler.ts';

/** `channels.status`: no channel can be configured yet (`channels` is no key of the configuration), so there is none. */
export function status(c: Context): MethodOutput<'channels.status'> {
  return {
    ts: c.services.now(),
    channelOrder: [],
    channelLabels: {},
    channelDetailLabels: {},
    channelSystemImages: {},
    channelMeta: [],
    channels: {},
    channelAccounts: {},
    channelDefaultAccountId: {},
    eventLoop: c.services.loop(),
    statusIssues: [],
  };
}
