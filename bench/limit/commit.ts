// The raw limit of an approval: one small row, committed durably before the answer of equal bytes. `grouped` commits
// what arrived in one turn of the event loop with one sync.
import { DatabaseSync } from 'node:sqlite';
import { input, listen } from './listen.ts';

const { payload, database = '', grouped = false } = input();
const db = new DatabaseSync(database);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (id TEXT NOT NULL) STRICT');
const insert = db.prepare('INSERT INTO row (id) VALUES (?)');
let batch: { readonly requestId: string; answer(): void }[] = [];

function commitBatch(): void {
  const taken = batch;
  batch = [];
  db.exec('BEGIN IMMEDIATE');
  for (const { requestId } of taken) insert.run(requestId);
  db.exec('COMMIT');
  for (const { answer } of taken) answer();
}

listen((ws) => {
  ws.on('error', () => {});
  ws.on('message', (data) => {
    const { id, params } = JSON.parse(String(data));
    const answer = () => ws.send(JSON.stringify({ type: 'res', id, ok: true, payload }));
    if (grouped) {
      if (batch.push({ requestId: params.requestId, answer }) === 1) setImmediate(commitBatch);
      return;
    }
    // Outside a transaction each statement is a commit of its own.
    insert.run(params.requestId);
    answer();
  });
});
