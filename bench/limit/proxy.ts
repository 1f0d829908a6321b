// The raw limit of streaming without a gateway: what comes from the model server is piped to the client, unread.
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { input } from './listen.ts';

const { modelPort = 0 } = input();
const agent = new Agent({ keepAlive: true });

const server = createServer((asked, answer) => {
  const { method, url: path, headers } = asked;
  const { host: _own, ...rest } = headers;
  const up = request({ host: '127.0.0.1', port: modelPort, agent, method, path, headers: rest }, (from) => {
    answer.writeHead(from.statusCode ?? 502, from.headers);
    from.pipe(answer);
  });
  up.on('error', () => answer.destroy());
  asked.pipe(up);
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
process.once('SIGTERM', () => process.exit(0));
