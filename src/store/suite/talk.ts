import type { Row, RowBody } from '../../core/conversation/row.ts';
import type { RunAsk, RunState } from '../../core/conversation/run.ts';
import {
  agentOf,
  NO_USAGE,
  type SessionId,
  type SessionKey,
  type SessionSettings,
  type SessionState,
} from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { WriteTx } from '../store.ts';
import { byCode, byDevice, HARD, NOON, OWNER } from './sample.ts';

export const sessionKey = (rest: string, agent = 'main'): SessionKey => `agent:${agent}:${rest}` as SessionKey;
export const sessionId = (n: number): SessionId => `s${n}` as SessionId;
export const runId = (text: string): RunId => text as RunId;

/** The session `n`, as begun. */
export function session(n: number, more: Partial<SessionState> = {}): SessionState {
  const key = more.key ?? sessionKey(`place-${n}`);
  return {
    key,
    id: sessionId(n),
    agent: agentOf(key),
    giver: OWNER,
    createdAt: NOON,
    updatedAt: NOON + n,
    settings: {},
    rows: 0,
    compacted: 0,
    usage: NO_USAGE,
    context: 0,
    lastRun: null,
    revision: 1,
    ...more,
  };
}

/** Something in every field that a session can have, but for rows. */
export function fullSession(n: number): SessionState {
  return session(n, {
    key: sessionKey(`${HARD} ${n}`, 'other-1'),
    giver: byCode(byDevice(4)),
    createdAt: -1,
    settings: { label: HARD, model: HARD, queue: 'collect', thinking: HARD } satisfies Required<SessionSettings>,
    usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 2 ** 40 },
    context: 7,
    lastRun: runId(HARD),
    revision: 12,
  });
}

export type Said = Omit<Row, 'session'>;

export function said(seq: number, more: Partial<Said> = {}): Said {
  const body: RowBody = { kind: 'user', text: `row ${seq}`, from: { kind: 'person', name: null }, attachments: [] };
  return { seq, at: NOON + seq, run: null, body, ...more };
}

const ATTACHMENT = { name: HARD, mediaType: 'image/png', bytes: 9, sha256: 'f'.repeat(64) };

/** Every kind of row, with everything that it can have: a kind that is missing here does not compile. */
const EVERY: { readonly [K in RowBody['kind']]: readonly Extract<RowBody, { kind: K }>[] } = {
  user: [
    { kind: 'user', text: HARD, from: { kind: 'outside', name: HARD }, attachments: [ATTACHMENT, ATTACHMENT] },
    { kind: 'user', text: '', from: { kind: 'gateway', name: null }, attachments: [] },
  ],
  assistant: [
    {
      kind: 'assistant',
      text: HARD,
      calls: [{ id: HARD, name: HARD, input: HARD }],
      model: 'acme/large',
      usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 },
      stop: 'partial',
    },
    { kind: 'assistant', text: '', calls: [], model: '', usage: NO_USAGE, stop: 'tools' },
  ],
  tool: [
    { kind: 'tool', call: HARD, name: HARD, text: HARD, failed: true },
    { kind: 'tool', call: '1', name: 'n', text: '', failed: false },
  ],
  note: [
    { kind: 'note', text: HARD, label: HARD },
    { kind: 'note', text: HARD, label: null },
  ],
  command: [{ kind: 'command', text: HARD, from: { kind: 'person', name: HARD }, answer: HARD }],
  summary: [{ kind: 'summary', text: HARD, through: 3 }],
};
export const BODIES: readonly RowBody[] = Object.values(EVERY).flat();
export const ANSWER: RowBody = EVERY.assistant[0] ?? { kind: 'note', text: '', label: null };

/** Saves a session with so many rows. */
export async function talk(tx: WriteTx, state: SessionState, rows: number): Promise<void> {
  await tx.sessions.save(state, 0);
  for (let seq = 1; seq <= rows; seq += 1) await tx.sessions.append(state.id, said(seq));
  if (rows > 0) await tx.sessions.save({ ...state, rows, revision: state.revision + 1 }, state.revision);
}

export function run(id: string, more: Partial<RunState> = {}): RunState {
  return {
    id: runId(id),
    key: sessionKey('main'),
    session: sessionId(1),
    giver: OWNER,
    ask: { text: `ask of ${id}`, from: { kind: 'person', name: null }, attachments: [] },
    fingerprint: 'a'.repeat(64),
    acceptedAt: NOON,
    startedAt: null,
    endedAt: null,
    end: null,
    usage: NO_USAGE,
    costMicros: null,
    revision: 1,
    ...more,
  };
}

/** As `run`, over since `at`. */
export function ended(id: string, at: number, more: Partial<RunState> = {}): RunState {
  return run(id, { startedAt: NOON, endedAt: at, end: { kind: 'ok' }, ...more });
}

/** Something in every field that a run can have. */
export function fullRun(id: string, end: RunState['end']): RunState {
  return run(id, {
    key: sessionKey(HARD),
    session: sessionId(7),
    giver: { kind: 'token', name: HARD },
    ask: {
      text: HARD,
      from: { kind: 'outside', name: HARD },
      attachments: [ATTACHMENT],
      mode: 'steer',
      model: HARD,
      thinking: HARD,
      timeoutMs: 2 ** 40,
    } satisfies Required<RunAsk>,
    startedAt: NOON + 1,
    endedAt: end === null ? null : NOON + 2,
    end,
    usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 },
    costMicros: 5,
    revision: 6,
  });
}
