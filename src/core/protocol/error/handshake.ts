import { CLOSE } from '../close.ts';
import { HANDSHAKE_MS } from '../limit.ts';
import { approve, type Entry, refusal, run } from './entry.ts';

/** A key, proof or credential that isn't what it claims to be (A3, A11, A13, A18). */
export const PROOF = {
  role: refusal({
    code: 'INVALID_REQUEST',
    detail: 'INVALID_ROLE',
    retry: 'never',
    message: 'invalid role',
    advice: () => 'connect as operator or node',
  }),
  device_id: refusal({
    code: 'INVALID_REQUEST',
    detail: 'DEVICE_AUTH_DEVICE_ID_MISMATCH',
    retry: 'never',
    message: 'device identity mismatch',
    advice: () => 'the id must be the SHA-256 of the raw key: make the identity anew',
  }),
  public_key: refusal({
    code: 'INVALID_REQUEST',
    detail: 'DEVICE_AUTH_PUBLIC_KEY_INVALID',
    retry: 'never',
    message: 'device public key invalid',
    advice: () => 'the key must be 32 bytes in unpadded base64url',
  }),
  nonce_required: refusal({
    code: 'INVALID_REQUEST',
    detail: 'DEVICE_AUTH_NONCE_REQUIRED',
    // A 2.19 client that was too quick for the challenge reads it on its next try.
    retry: 'after',
    message: 'device nonce required',
    advice: () => 'sign the nonce of connect.challenge',
  }),
  nonce_mismatch: refusal({
    code: 'INVALID_REQUEST',
    detail: 'DEVICE_AUTH_NONCE_MISMATCH',
    retry: 'never',
    message: 'device nonce mismatch',
    advice: () => "sign the nonce of this socket's connect.challenge; it is used up by one connect",
  }),
  signature: refusal({
    code: 'INVALID_REQUEST',
    detail: 'DEVICE_AUTH_SIGNATURE_INVALID',
    retry: 'never',
    message: 'device signature invalid',
    advice: () => 'every signed field must be sent as it was signed',
  }),
  gateway_key: refusal({
    code: 'INVALID_REQUEST',
    detail: 'DEVICE_AUTH_INVALID',
    retry: 'never',
    message: 'device signature is for another gateway',
    advice: () => 'somebody stands between, or the gateway has a new key: compare its fingerprint before you go on',
  }),
  owner_proof: refusal({
    code: 'INVALID_REQUEST',
    detail: 'AUTH_UNAUTHORIZED',
    retry: 'never',
    message: 'unauthorized: owner proof mismatch',
    advice: () => 'run the command again: the owner key is new at each start of the gateway',
  }),
  secret_unavailable: refusal({
    code: 'UNAVAILABLE',
    detail: 'AUTH_TOKEN_NOT_CONFIGURED',
    retry: 'after',
    message: (c) =>
      `unauthorized: gateway ${c.authMode ?? 'token'} not configured on gateway (set gateway.auth.${c.authMode ?? 'token'})`,
    remedy: (c) => run(c, 'status'),
  }),
} as const satisfies Record<string, Entry>;

/** A first frame, or a wait, that went wrong (PROTOCOL.md §1.1). Without a message nothing is answered. */
export const HANDSHAKE = {
  not_json: {
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    close: CLOSE.normal,
    message: '',
    advice: () => 'a frame is one JSON object',
  },
  handshake_timeout: {
    code: 'UNAVAILABLE',
    detail: null,
    retry: 'after',
    close: CLOSE.normal,
    message: '',
    advice: () => `connect within ${HANDSHAKE_MS / 1000} s`,
  },
  frame_invalid: refusal({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'invalid request frame',
    advice: () => 'a frame is {"type":"req","id","method","params"}',
  }),
  too_large: {
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    close: CLOSE.tooLarge,
    message: '',
    advice: () => 'send less in one message: policy.maxPayload',
  },
  not_connect: refusal({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'invalid handshake: first request must be connect',
    advice: () => 'connect first',
  }),
  connect_params: refusal({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: (c) => `invalid connect params: ${c.text ?? ''}`,
    advice: () => 'send what PROTOCOL says of connect',
  }),
  protocol_mismatch: {
    code: 'INVALID_REQUEST',
    detail: 'PROTOCOL_MISMATCH',
    retry: 'never',
    close: CLOSE.protocol,
    message: 'protocol mismatch',
    advice: () => 'this gateway speaks protocol 3 and 4: update the older of the two',
  },
  spoke_while_waiting: refusal({
    code: 'INVALID_REQUEST',
    detail: null,
    retry: 'never',
    message: 'nothing may be sent while waiting for approval',
    advice: () => 'wait for the answer to connect',
  }),
  ask_elsewhere: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'onApproval',
    message: 'pairing required: a newer connection of this device waits',
    remedy: approve,
  }),
  ask_superseded: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'after',
    message: 'pairing required: a wider request of this device took its place',
    remedy: approve,
  }),
  ask_expired: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'after',
    message: 'pairing required: nobody decided in time',
    advice: () => 'connect again to ask again',
  }),
  ask_replaced: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'after',
    message: 'pairing required: newer requests from the same place took its room',
    advice: () => 'connect again to ask again',
  }),
  ask_ended: refusal({
    code: 'NOT_PAIRED',
    detail: 'PAIRING_REQUIRED',
    retry: 'never',
    message: 'pairing required: this device was removed',
    remedy: approve,
  }),
} as const satisfies Record<string, Entry>;
