import type { MethodOutput } from '../../core/protocol/registry.ts';

/** `last-heartbeat`: nothing runs heartbeats yet (`health` says `enabled: false`), so there never was one. */
export function last(): MethodOutput<'last-heartbeat'> {
  return null;
}
