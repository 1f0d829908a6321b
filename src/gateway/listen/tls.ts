import type { Socket } from 'node:net';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import { refuseUpgrade } from '../http/refuse.ts';

/** What TLS is spoken with; `onChange`: another one from now on, for handshakes that begin after it. */
export interface TlsSource {
  readonly current: { readonly cert: string; readonly key: string };
  onChange(listener: () => void): void;
}

/** The first byte of a TLS record that begins a handshake. */
const HANDSHAKE = 0x16;

/**
 * TLS between an accepted socket and HTTP. It listens nowhere itself: sockets come here once the budget has admitted
 * them (threat 29), and the deadline that was set when they arrived goes on while they shake hands.
 */
export class TlsLayer {
  readonly #server: TlsServer;

  /** @param secured called with each socket whose handshake is done */
  constructor(source: TlsSource, handshakeMs: number, secured: (socket: TLSSocket) => void) {
    const tls = process.getBuiltinModule('node:tls');
    const { constants } = process.getBuiltinModule('node:crypto');
    const materialOf = () => ({
      cert: source.current.cert,
      key: source.current.key,
      minVersion: 'TLSv1.2' as const,
      // A client could make the gateway shake hands for ever.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    this.#server = tls.createServer({
      ...materialOf(),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeMs,
    });
    this.#server.on('secureConnection', secured);
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
    source.onChange(() => this.#server.setSecureContext(materialOf()));
  }

  /** Takes an admitted socket that nothing was read from. Who speaks plain HTTP here is told so. */
  enter(socket: Socket): void {
    socket.once('data', (first: Buffer) => {
      socket.pause();
      if (first[0] === HANDSHAKE) {
        socket.unshift(first);
        this.#server.emit('connection', socket);
      } else if (/^[A-Z]/.test(first.toString('latin1', 0, 1))) {
        refuseUpgrade(socket, 400, 'this port speaks TLS: use https:// or wss://');
        // What else was sent is not left unread: a reset would take the answer with it.
        socket.resume();
      } else {
        socket.destroy();
      }
    });
    socket.resume();
  }
}
