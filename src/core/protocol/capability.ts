/** A8: this client can be kept waiting for approval on its socket. */
export const CAP_WAIT = 'latchkey.wait';
