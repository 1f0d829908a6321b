import { StoreUnavailable } from '../store.ts';
import type { Connection } from './connection.ts';

const TEXT = 'a\0b\u{1f511}\u00e9';
const BYTES = Uint8Array.of(0, 1, 0, 255, 0);
const JSON_TEXT = JSON.stringify({ text: TEXT, half: '\ud800' });

/**
 * Text, bytes and JSON with NUL come back as they went in. Held at each start, because the engine comes with the
 * runtime: older ones cut text at NUL.
 * @throws StoreUnavailable
 */
export function selfTest(connection: Pick<Connection, 'exec' | 'run' | 'get'>): void {
  connection.exec('CREATE TEMP TABLE self_test (text TEXT, bytes BLOB, json TEXT) STRICT');
  connection.run('INSERT INTO temp.self_test VALUES (?, ?, ?)', TEXT, BYTES, JSON_TEXT);
  const row = connection.get<{ text: string; bytes: Uint8Array; json: string; inner: string }>(
    "SELECT text, bytes, json, json_extract(json, '$.text') AS inner FROM temp.self_test WHERE text = ?",
    TEXT,
  );
  connection.exec('DROP TABLE temp.self_test');
  const isSame =
    row !== undefined &&
    row.text === TEXT &&
    row.json === JSON_TEXT &&
    row.inner === TEXT &&
    row.bytes.length === BYTES.length &&
    row.bytes.every((byte, i) => byte === BYTES[i]);
  if (isSame) return;
  throw new StoreUnavailable(
    `SQLite of Node ${process.version} does not give back what was stored (text or bytes with NUL)`,
    'npm install -g latchkey',
  );
}
