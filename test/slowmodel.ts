// A server of an OpenAI-compatible model that says a word every now and then and never ends: what stops it is the client.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SlowModel {
  /** Its base URL. */
  readonly url: string;
  /** Answers that are being given now. */
  open(): number;
  /** Everything that it was asked, as it came. */
  heard(): string;
  stop(): Promise<void>;
}

const WORD_MS = 20;

export async function startSlowModel(): Promise<SlowModel> {
  const answers = new Set<ServerResponse>();
  let heard = '';
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const say = () => {
      const choices = [{ index: 0, delta: { content: 'word ' }, finish_reason: null }];
      response.write(
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'slow', choices })}\n\n`,
      );
    };
    answers.add(response);
    const timer = setInterval(say, WORD_MS);
    response.on('close', () => {
      clearInterval(timer);
      answers.delete(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    open: () => answers.size,
    heard: () => heard,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
