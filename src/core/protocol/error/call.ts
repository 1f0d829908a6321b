import { CLOSE } from '../close.ts';
import { again, answer, type Entry, run } from './entry.ts';

/** A call that isn't answered with a result. */
export const CALL = {
  already_connected: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'already connected',
    remedy: () => 'a socket connects once; open another',
  }),
  call_frame: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `invalid request frame: ${c.text ?? ''}`,
    remedy: () => 'a frame is {"type":"req","id","method","params"}',
  }),
  id_in_use: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'invalid request frame: at /id: belongs to a request that is still being answered',
    remedy: () => 'give each request an id of its own',
  }),
  unknown_method: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `unknown method: ${c.method ?? ''}`,
    remedy: () => 'features.methods in the answer to connect lists what there is',
  }),
  wrong_role: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `unauthorized role: ${c.role ?? ''}`,
    remedy: () => 'operators and nodes have methods of their own',
  }),
  component: answer({
    code: 'FORBIDDEN',
    detail: null,
    retry: 'never',
    message: (c) => `not in this component's table: ${c.method ?? ''}`,
    remedy: () => 'A12: COMPONENTS in core/authz/principal.ts',
  }),
  params_invalid: answer({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `invalid ${c.method ?? ''} params: ${c.text ?? ''}`,
    remedy: () => 'latchkey gateway call METHOD --params JSON',
  }),
  config_invalid: answer({
    code: 'INVALID_REQUEST',
    detail: 'CONFIG_INVALID',
    retry: 'never',
    message: (c) => `invalid config: ${c.text ?? ''}`,
    remedy: (c) => run(c, 'config schema'),
  }),
  config_beyond: answer({
    code: 'FORBIDDEN',
    detail: 'CONFIG_BEYOND',
    retry: 'never',
    message: (c) => `config change refused: ${c.text ?? ''}`,
    remedy: (c) => `on the gateway's host: ${run(c, 'config set KEY VALUE')}`,
  }),
  unavailable: answer({
    code: 'UNAVAILABLE',
    detail: 'UNAVAILABLE',
    retry: 'after',
    message: (c) => `not stored, nothing was changed${c.text === undefined ? '' : `: ${c.text}`}`,
    remedy: (c) => `free some room on the disk that holds the state directory (${run(c, 'status')} names it)`,
  }),
  internal: answer({
    code: 'UNAVAILABLE',
    detail: 'INTERNAL',
    retry: 'after',
    message: 'internal error',
    remedy: (c) => `${run(c, 'logs --level error')} on the gateway's host shows it; ${again()}`,
  }),
  busy: answer({
    code: 'UNAVAILABLE',
    detail: 'BUSY',
    retry: 'after',
    message: 'too many requests of this connection are being answered',
    remedy: again,
  }),
  starting: {
    code: 'UNAVAILABLE',
    detail: 'STARTING',
    retry: 'after',
    close: CLOSE.tryLater,
    message: 'gateway starting',
    remedy: again,
  },
  stopping: {
    code: 'UNAVAILABLE',
    detail: 'STOPPING',
    retry: 'after',
    close: CLOSE.restart,
    message: 'service restart',
    remedy: again,
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
    remedy: () => 'ask for what is missing with device.scopes.requestUpgrade before calling again',
  },
  slow_consumer: {
    code: 'UNAVAILABLE',
    detail: null,
    retry: 'after',
    close: CLOSE.refused,
    message: 'slow consumer',
    remedy: () => 'read faster than events come, then ask for the state anew',
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
    remedy: (c) => `${run(c, 'gateway secret show')} on the gateway's host prints the new one`,
  },
} as const satisfies Record<string, Entry>;
