import {
  answer,
  approve,
  type Entry,
  type ErrorContext,
  names,
  PAIRING_WHY,
  pairing,
  pairingReason,
  refusal,
  run,
  secretHint,
} from './entry.ts';

const isConfig = (c: ErrorContext): boolean => c.method?.startsWith('config.') === true;

/** Access refused by a rule: the names are those of `REFUSALS` in core/authz, each of them. */
export const ACCESS = {
  origin: refusal({
    code: 'INVALID_REQUEST',
    detail: 'CONTROL_UI_ORIGIN_NOT_ALLOWED',
    retry: 'never',
    message:
      'origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)',
    advice: () => "name the page's origin in gateway.controlUi.allowedOrigins on the gateway's host",
  }),
  secret_mismatch: refusal({
    code: 'INVALID_REQUEST',
    detail: 'AUTH_TOKEN_MISMATCH',
    retry: 'never',
    message: (c) => `unauthorized: gateway ${c.authMode ?? 'token'} mismatch (${secretHint(c)})`,
    remedy: (c) => run(c, 'gateway secret show'),
  }),
  identity_required: refusal({
    code: 'NOT_PAIRED',
    detail: 'DEVICE_IDENTITY_REQUIRED',
    retry: 'never',
    message: 'device identity required',
    advice: () => 'connect with a device key; without one the secret opens a session on a direct loopback socket only',
  }),
  pairing_required: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'onApproval',
    message: (c) => pairing(c, PAIRING_WHY[pairingReason(c)]),
    remedy: approve,
  }),
  rejected: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'after',
    message: (c) => pairing(c, 'this device was rejected'),
    remedy: approve,
  }),
  ask_closed: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'never',
    message: (c) => pairing(c, 'this gateway takes no pairing requests (gateway.pairing.ask)'),
    // A code pairs without a request.
    remedy: (c) => run(c, 'devices code'),
  }),
  ask_needs_secret: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'never',
    message: (c) => pairing(c, 'asking needs the shared secret here (gateway.pairing.ask)'),
    remedy: (c) => run(c, 'gateway secret show'),
  }),
  ask_full: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'after',
    message: (c) => pairing(c, 'too many requests are open'),
    remedy: (c) => run(c, 'devices list'),
  }),
  not_found: answer({
    code: 'INVALID_REQUEST',
    detail: 'NOT_FOUND',
    retry: 'never',
    message: (c) => `unknown ${c.subject ?? 'requestId'}`,
    remedy: (c) => (isConfig(c) ? run(c, 'config schema') : run(c, 'devices list')),
  }),
  conflict: answer({
    code: 'INVALID_REQUEST',
    detail: 'CONFLICT',
    retry: 'never',
    message: (c) =>
      `conflict: the ${isConfig(c) ? 'configuration' : 'request'} was ${c.outcome ?? 'changed'} meanwhile`,
    remedy: (c) => run(c, isConfig(c) ? 'config get' : 'devices list'),
  }),
  missing_scope: answer({
    code: 'FORBIDDEN',
    detail: 'MISSING_SCOPE',
    retry: 'onApproval',
    message: (c) => `missing scope: ${c.scopes?.[0] ?? ''}`,
    // What is missing and no more: the request may want all that a person took away.
    remedy: (c) => (c.requestId === undefined ? approve(c) : `${approve(c)} --scope ${c.scopes?.[0] ?? ''}`),
  }),
  beyond_decider: answer({
    code: 'FORBIDDEN',
    detail: 'MISSING_SCOPE',
    retry: 'never',
    // A7: nobody gives, or takes, what they don't hold. Old clients know it as a missing scope.
    message: (c) => `missing scope: ${names(c.scopes)}`,
    // The owner, on the gateway's host, may.
    remedy: approve,
  }),
  beyond_request: answer({
    code: 'INVALID_REQUEST',
    detail: 'BEYOND_REQUEST',
    retry: 'never',
    message: (c) => `beyond what was asked: ${names(c.scopes)}`,
    remedy: (c) => run(c, 'devices ensure --help'),
  }),
  beyond_grant: answer({
    code: 'INVALID_REQUEST',
    detail: 'BEYOND_GRANT',
    retry: 'never',
    message: (c) => `beyond what the device holds: ${names(c.scopes)}`,
    remedy: (c) => run(c, 'devices ensure --help'),
  }),
} as const satisfies Record<string, Entry>;
