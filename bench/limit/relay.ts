// The raw limit of streaming as a gateway has to: one JSON.parse and one JSON.stringify for each token.
import { Agent, request } from 'node:http';
import { relay } from './telling.ts';

const agent = new Agent({ keepAlive: true });

relay((port, message, say) => {
  let rest = '';
  const take = (line: string) => {
    if (!line.startsWith('data: {')) return;
    const delta = JSON.parse(line.slice(6)).choices[0].delta.content;
    if (typeof delta === 'string') say(delta);
  };
  return new Promise((done, fail) => {
    const asked = request(
      { host: '127.0.0.1', port, agent, method: 'POST', path: '/v1/chat/completions' },
      (answer) => {
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) take(line);
        });
        answer.once('end', done).once('error', fail);
      },
    );
    asked.once('error', fail);
    asked.end(JSON.stringify({ model: 'words', stream: true, messages: [{ role: 'user', content: message }] }));
  });
});
