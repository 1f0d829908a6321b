import type { OperatorScope } from '../authz/scope.ts';
import { PAIRING, READ } from './method/scope.ts';

/**
 * The events there are, and what a session must hold to be sent them (PROTOCOL.md §6). One that doesn't stand here
 * goes to nobody. Payloads: `connect.challenge` {nonce, ts, capabilities, gateway?, owner?}, `connect.waiting`
 * {requestId, code, s, asked, held, expiresAt}, `tick` {ts}, `health` as the method's result, `presence`
 * {presence: rows of system-presence}, `shutdown` {reason, restartExpectedMs?}, `device.pair.requested` a pending row
 * of `device.pair.list`, `device.pair.resolved` {requestId, deviceId, decision, ts}, `agent` and `chat` what a run does
 * and says, `sessions.changed` {sessionKey, agentId, reason, ts, session, …} and `session.message` {sessionKey, agentId,
 * message, messageId, messageSeq, session}: the last two only for who subscribed.
 */
export const EVENTS = {
  'connect.challenge': 'none',
  'connect.waiting': 'none',
  tick: 'none',
  health: 'none',
  presence: READ,
  shutdown: 'none',
  'device.pair.requested': PAIRING,
  'device.pair.resolved': PAIRING,
  agent: READ,
  chat: READ,
  'sessions.changed': READ,
  'session.message': READ,
} as const satisfies Record<string, OperatorScope | 'none'>;
export type EventName = keyof typeof EVENTS;

/** `features.events`. */
export const EVENT_NAMES = Object.keys(EVENTS) as readonly EventName[];
