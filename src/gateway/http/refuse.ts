import type { Duplex } from 'node:stream';

const WORDS = { 400: 'Bad Request', 403: 'Forbidden', 421: 'Misdirected Request' } as const;

/** Answers an upgrade that is not accepted, and ends the connection. `why` is our own text, never a quote. */
export function refuseUpgrade(socket: Duplex, status: keyof typeof WORDS, why: string): void {
  const body = JSON.stringify({ error: { message: why, type: 'upgrade_refused' } });
  socket.on('error', () => {});
  socket.end(
    [
      `HTTP/1.1 ${status} ${WORDS[status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      'X-Content-Type-Options: nosniff',
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
