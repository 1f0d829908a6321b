// The door of every raw limit: node:http and ws with nothing above them. What one of them does beside that is in its
// own file and is the whole of the work that the gateway is compared with.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** What the runner hands to a limit server: the path of a JSON file stands in its first argument. */
export interface LimitInput {
  /** `payload` of the gateway's answer to the same call, so that both send equal bytes. */
  readonly payload?: unknown;
  /** base64url of the raw Ed25519 key that signs. */
  readonly publicKey?: string;
  /** The database of the commits. */
  readonly database?: string;
  /** Commit what arrived together as one transaction instead of each row alone. */
  readonly grouped?: boolean;
  /** Where the model server is. */
  readonly modelPort?: number;
}

export function input(): LimitInput {
  const path = process.argv[2];
  return path === undefined ? {} : JSON.parse(readFileSync(path, 'utf8'));
}

/** Listens on a free loopback port and prints it as one line of JSON: `{"port":N}`. */
export function listen(onSocket: (ws: WebSocket) => void): void {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = createServer((_request, response) => response.end('{"ok":true}'));
  server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, onSocket));
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
  });
  process.once('SIGTERM', () => process.exit(0));
}
