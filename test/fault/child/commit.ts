// Run by store-crash.test.ts: applies a random sequence of commands to a store and says after each, once it is answered,
// how far it came. Ends itself within the transaction of one of them if told so.
//
//   node commit.ts DIR SEED COUNT DIES-WITHIN
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openSqlite } from '../../../src/store/sqlite/open.ts';
import { NOON } from '../../../src/store/suite/sample.ts';
import { Random } from '../../random.ts';
import { generate } from '../sequence/op.ts';
import { run } from '../sequence/shell.ts';

const [dir = '', seed = '', count = '', diesWithin = ''] = process.argv.slice(2);
const store = await openSqlite({
  file: join(dir, 'latchkey.sqlite'),
  backupsDir: join(dir, 'backups'),
  now: () => NOON,
  programVersion: '0.1.0',
  create: true,
});
let at = NOON;
for (const op of generate(new Random(Number(seed)), Number(count))) {
  at += op.passMs;
  const now = { at, seq: op.n + 1 };
  await store.write(async (tx) => {
    await run(tx, op, now);
    if (op.n === Number(diesWithin)) process.kill(process.pid, 'SIGKILL');
  });
  writeSync(1, `${op.n}\n`);
}
await store.close();
