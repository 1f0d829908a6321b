// The door of a relay: a message is one small row, durable before it is acknowledged; what is said is told word by word,
// each in a frame of its own, to every socket that is open; nothing is kept of an answer but its text for the end. No
// session, no history, no rules, no numbers.
import { DatabaseSync } from 'node:sqlite';
import type { WebSocket } from 'ws';
import { input, listen } from './listen.ts';

const { modelPort = 0, database = '' } = input();

/** @param answer what the model server at the port says to a message, told piece by piece */
export function relay(
  answer: (modelPort: number, message: string, say: (delta: string) => void) => Promise<void>,
): void {
  const db = new DatabaseSync(database);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (id TEXT NOT NULL) STRICT');
  const insert = db.prepare('INSERT INTO row (id) VALUES (?)');
  const sockets = new Set<WebSocket>();

  const tell = (event: string, payload: object): void => {
    const frame = JSON.stringify({ type: 'event', event, payload });
    for (const ws of sockets) ws.send(frame);
  };

  const run = async (runId: string, message: string): Promise<void> => {
    let text = '';
    await answer(modelPort, message, (delta) => {
      text += delta;
      tell('agent', { runId, stream: 'assistant', data: { delta } });
    });
    tell('chat', { runId, state: 'final', message: { content: [{ type: 'text', text }] } });
  };

  listen((ws) => {
    sockets.add(ws);
    ws.on('error', () => {});
    ws.on('close', () => sockets.delete(ws));
    ws.on('message', (data) => {
      const { id, params } = JSON.parse(String(data));
      const { idempotencyKey: runId, message } = params;
      insert.run(runId);
      ws.send(JSON.stringify({ type: 'res', id, ok: true, payload: { runId, status: 'started' } }));
      void run(runId, message);
    });
  });
}
