import { CLOSE } from '../close.ts';
import { again, answer, type Entry, run } from './entry.ts';

/** A call that isn't answered with a result. */
export const CALL = {
  already_connected: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'already connected',
    advice: () => 'a socket connects once; open another',
  }),
  call_frame: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `invalid request frame: ${c.text ?? ''}`,
    advice: () => 'a frame is {"type":"req","id","method","params"}',
  }),
  id_in_use: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'invalid request frame: at /id: belongs to a request that is still being answered',
    advice: () => 'give each request an id of its own',
  }),
  unknown_method: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `unknown method: ${c.method ?? ''}`,
    advice: () => 'call one of features.methods in the answer to connect',
  }),
  wrong_role: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `unauthorized role: ${c.role ?? ''}`,
    advice: () => 'connect in the role that the method is for',
  }),
  component: answer({
    code: 'FORBIDDEN',
    detail: null,
    retry: 'never',
    message: (c) => `not in this component's table: ${c.method ?? ''}`,
    advice: () => 'report it: a part of the gateway called what it may not',
  }),
  params_invalid: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `invalid ${c.method ?? ''} params: ${c.text ?? ''}`,
    advice: () => 'send what the method takes: PROTOCOL names it',
  }),
  config_invalid: answer({
    code: 'INVALID_REQUEST',
    detail: 'CONFIG_INVALID',
    retry: 'never',
    message: (c) => `invalid config: ${c.text ?? ''}`,
    remedy: (c) => run(c, 'config schema'),
  }),
  secret_named: answer({
    code: 'INVALID_REQUEST',
    detail: 'SECRET_NAMED',
    retry: 'never',
    message: (c) => `the shared secret is set in ${c.text ?? 'the configuration'}: change it there`,
    remedy: (c) => run(c, `config set gateway.auth.${c.authMode ?? 'token'} -`),
  }),
  config_beyond: answer({
    code: 'FORBIDDEN',
    detail: 'CONFIG_BEYOND',
    retry: 'never',
    message: (c) => `config change refused: ${c.text ?? ''}`,
    advice: () => "make the change on the gateway's host, as its owner",
  }),
  unavailable: answer({
    code: 'UNAVAILABLE',
    detail: 'UNAVAILABLE',
    retry: 'after',
    message: (c) => `not stored, nothing was changed${c.text === undefined ? '' : `: ${c.text}`}`,
    remedy: (c) => run(c, 'status --deep'),
  }),
  internal: answer({
    code: 'UNAVAILABLE',
    detail: 'INTERNAL',
    retry: 'after',
    message: 'internal error',
    remedy: (c) => run(c, 'logs --level error'),
  }),
  busy: answer({
    code: 'UNAVAILABLE',
    detail: 'BUSY',
    retry: 'after',
    message: 'too many requests of this connection are being answered',
    advice: again,
  }),
  starting: {
    code: 'UNAVAILABLE',
    detail: 'STARTING',
    retry: 'after',
    close: CLOSE.tryLater,
    message: 'gateway starting',
    advice: again,
  },
  stopping: {
    code: 'UNAVAILABLE',
    detail: 'STOPPING',
    retry: 'after',
    close: CLOSE.restart,
    message: 'service restart',
    advice: again,
  },
} as const satisfies Record<string, Entry>;

/** Why a session is closed from this side. */
export const END = {
  flood: {
    code: 'FORBIDDEN',
    detail: null,
    retry: 'never',
    close: CLOSE.refused,
    message: 'repeated unauthorized calls',
    advice: () => 'ask for what is missing with device.scopes.requestUpgrade before calling again',
  },
  slow_consumer: {
    code: 'UNAVAILABLE',
    detail: null,
    retry: 'after',
    close: CLOSE.refused,
    message: 'slow consumer',
    advice: () => 'read faster than events come, then ask for the state anew',
  },
  grant_ended: {
    code: 'NOT_PAIRED',
    detail: null,
    retry: 'onApproval',
    close: CLOSE.accessChanged,
    message: 'client invalidated: device access was revoked',
    remedy: (c) => run(c, 'devices list'),
  },
  secret_rotated: {
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    close: CLOSE.accessChanged,
    message: 'gateway auth changed',
    remedy: (c) => run(c, 'gateway secret show'),
  },
} as const satisfies Record<string, Entry>;
