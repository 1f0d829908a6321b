// A port that hands every connection on to a gateway and counts the WebSockets asked for: what a client does, seen from
// outside both ends, and the same for any gateway behind it.
import { createServer, connect as dial, type Socket } from 'node:net';

export interface Relay {
  /** Loopback; what the client is told to be the gateway's port. */
  readonly port: number;
  /** WebSocket handshakes begun so far. */
  sockets(): number;
  /** From now on connections go there: the gateway was started again. */
  to(port: number): void;
  end(): Promise<void>;
}

export async function relay(target: number): Promise<Relay> {
  let to = target;
  let sockets = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const gateway = dial(to, '127.0.0.1');
    client.once('data', (head: Buffer) => {
      if (/^upgrade: *websocket/im.test(head.toString('latin1'))) sockets += 1;
    });
    for (const [socket, other] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        open.delete(socket);
        other.end();
      });
    }
    client.pipe(gateway);
    gateway.pipe(client);
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    port: address.port,
    sockets: () => sockets,
    to: (port) => {
      to = port;
    },
    end: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
