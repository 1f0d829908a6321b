import { again, answer, type Entry, run } from './entry.ts';

/** What is said to an agent and can't be: not stored, nothing began. */
export const CHAT = {
  unknown_agent: answer({
    code: 'INVALID_REQUEST',
    detail: 'UNKNOWN_AGENT',
    retry: 'never',
    message: (c) => `unknown agent: ${c.text ?? ''}`,
    remedy: (c) => run(c, 'agents list'),
  }),
  agent_exists: answer({
    code: 'INVALID_REQUEST',
    detail: 'AGENT_EXISTS',
    retry: 'never',
    message: (c) => `agent "${c.text ?? ''}" already exists`,
    remedy: (c) => run(c, 'agents list'),
  }),
  /** There is always somebody to talk to. */
  agent_reserved: answer({
    code: 'INVALID_REQUEST',
    detail: 'AGENT_RESERVED',
    retry: 'never',
    message: (c) => `"${c.text ?? ''}" cannot be deleted`,
    advice: () => 'make another agent the default one if this one is not to be spoken to (agents update ID --default)',
  }),
  session_key: answer({
    code: 'INVALID_REQUEST',
    detail: 'SESSION_KEY',
    retry: 'never',
    message: (c) => `invalid session key: ${c.text ?? ''}`,
    remedy: (c) => run(c, 'sessions list'),
  }),
  session_unknown: answer({
    code: 'INVALID_REQUEST',
    detail: 'SESSION_UNKNOWN',
    retry: 'never',
    message: (c) => `unknown session: ${c.text ?? ''}`,
    remedy: (c) => run(c, 'sessions list'),
  }),
  run_unknown: answer({
    code: 'INVALID_REQUEST',
    detail: 'RUN_UNKNOWN',
    retry: 'never',
    message: (c) => `unknown run: ${c.text ?? ''}`,
    advice: () => 'wait for a run by the idempotency key that it was accepted with',
  }),
  run_conflict: answer({
    code: 'INVALID_REQUEST',
    detail: 'RUN_CONFLICT',
    retry: 'never',
    message: 'this idempotency key was used for something else',
    advice: () => 'give each message a key of its own; only the very same message may come again with its key',
  }),
  lane_full: answer({
    code: 'UNAVAILABLE',
    detail: 'LANE_FULL',
    retry: 'after',
    message: 'too many messages wait in this session',
    advice: again,
  }),
  too_many_sessions: answer({
    code: 'UNAVAILABLE',
    detail: 'TOO_MANY_SESSIONS',
    retry: 'never',
    message: 'too many new sessions in one day',
    advice: () => 'go on in a session that is there (sessions list), or begin another one tomorrow',
  }),
  bad_attachment: answer({
    code: 'INVALID_REQUEST',
    detail: 'BAD_ATTACHMENT',
    retry: 'never',
    message: (c) => `attachment refused: ${c.text ?? ''}`,
    advice: () => 'send images and text files, as base64',
  }),
  unknown_model: answer({
    code: 'INVALID_REQUEST',
    detail: 'UNKNOWN_MODEL',
    retry: 'never',
    message: (c) => `unknown model: ${c.text ?? ''}`,
    remedy: (c) => run(c, 'models list'),
  }),
  unknown_thinking: answer({
    code: 'INVALID_REQUEST',
    detail: 'UNKNOWN_THINKING',
    retry: 'never',
    // OpenClaw's programs show the message alone.
    message: (c) =>
      `unknown thinking level: ${c.text ?? ''} (there are off, minimal, low, medium, high, xhigh, adaptive)`,
    advice: () => 'say one of the levels, or nothing: then the model does as it does by itself',
  }),
  probed_often: answer({
    code: 'UNAVAILABLE',
    detail: 'PROBED_OFTEN',
    retry: 'never',
    message: 'too many probes of models in one minute',
    advice: () => 'wait a minute: each probe costs tokens',
  }),
  message_too_large: answer({
    code: 'INVALID_REQUEST',
    detail: 'TOO_LARGE',
    retry: 'never',
    message: (c) => `too large: ${c.text ?? ''}`,
    advice: () => 'send less at once',
  }),
  /** The call that would have begun it is refused; the connection ends by itself. */
  run_stopping: answer({
    code: 'UNAVAILABLE',
    detail: 'STOPPING',
    retry: 'after',
    message: 'service restart',
    advice: again,
  }),
  gateway_needed: answer({
    code: 'UNAVAILABLE',
    detail: 'GATEWAY_NEEDED',
    retry: 'never',
    message: 'no gateway runs here, and agents think only in one',
    remedy: (c) => run(c, 'gateway run'),
  }),
  no_channel: answer({
    code: 'INVALID_REQUEST',
    detail: 'NO_CHANNEL',
    retry: 'never',
    message: 'no channel is set up to deliver the answer to; without deliver it comes to whoever asks',
    advice: () => 'say it without deliver: the answer comes to whoever asks',
  }),
  /** A message that begins as a command to the gateway, and is none that can be carried out. */
  command_invalid: answer({
    code: 'INVALID_REQUEST',
    detail: 'COMMAND',
    retry: 'never',
    message: (c) => c.text ?? 'not a command',
    advice: () => 'say /help: it names the commands there are',
  }),
} as const satisfies Record<string, Entry>;
