// The raw limit of a call: parse the request, answer it with a JSON document of equal bytes.
import { input, listen } from './listen.ts';

const { payload } = input();

listen((ws) => {
  ws.on('error', () => {});
  ws.on('message', (data) => {
    const { id } = JSON.parse(String(data));
    ws.send(JSON.stringify({ type: 'res', id, ok: true, payload }));
  });
});
