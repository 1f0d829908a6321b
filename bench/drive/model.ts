// A model server: OpenAI's Chat Completions as server-sent events over plain HTTP, for the gateway and for its limits
// alike. What is asked for is the last `say N words, one each M ms` of the request; M of 0: as fast as it can write them.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Every word that is said. */
const WORD = 'words ';
const ASKED = /say (\d+) words, one each (\d+) ms/g;

const chunk = (delta: object, finish: string | null, more: object = {}) =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'words',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  })}\n\n`;

const SAID = chunk({ content: WORD }, null);

function end(response: ServerResponse, words: number): void {
  const usage = { prompt_tokens: 10, completion_tokens: words, total_tokens: words + 10 };
  response.end(`${chunk({}, 'stop', { usage })}data: [DONE]\n\n`);
}

/** One write for each word, each in a turn of its own: as a model's server does it. */
function say(response: ServerResponse, words: number, paceMs: number): void {
  const began = performance.now();
  let said = 0;
  const next = () => {
    if (response.destroyed) return;
    response.write(SAID);
    said += 1;
    // By the clock of the answer, so that a late timer doesn't slow down all that follows.
    if (said === words) end(response, words);
    else if (paceMs === 0) setImmediate(next);
    else setTimeout(next, Math.max(0, began + said * paceMs - performance.now()));
  };
  next();
}

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const [, words, paceMs] = [...body.matchAll(ASKED)].at(-1) ?? [];
    if (words === undefined) {
      response.writeHead(400).end('{"error":{"message":"say what?"}}');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    say(response, Number(words), Number(paceMs));
  });
});
// A connection of the gateway's that lies idle between two rounds stays open, as at the limits.
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
process.once('SIGTERM', () => process.exit(0));
