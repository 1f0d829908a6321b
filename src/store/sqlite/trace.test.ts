import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import type { Trace, TraceEntry } from '../store.ts';
import { openTrace } from './trace.ts';

let folder = '';
let file = '';
let trace: Trace;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lk-trace-'));
  file = join(folder, 'trace.sqlite');
  trace = openTrace(file);
});
afterEach(() => {
  trace.close();
  rmSync(folder, { recursive: true, force: true });
});

const NOW = 1_800_000_000_000;
let made = 0;
function entry(more: Partial<TraceEntry> = {}): TraceEntry {
  made += 1;
  return {
    id: `d_${made}`,
    conn: `c${made}`,
    at: NOW,
    kind: 'refused',
    code: 'pairing_required',
    device: null,
    role: 'operator',
    source: '192.0.2.1',
    about: '',
    request: null,
    proven: false,
    facts: { n: made },
    ...more,
  };
}

test('A17 equal ones within a minute are one row, found by its id and by each of its connections', () => {
  const ids = [0, 30_000, 59_999].map((later) => trace.note(entry({ at: NOW + later })));
  expect(new Set(ids).size).toBe(1);
  const row = trace.find(ids[0] ?? '');
  expect(row).toMatchObject({ count: 3, at: NOW, lastAt: NOW + 59_999, facts: { n: made } });
  expect(row?.conns).toEqual([`c${made}`, `c${made - 1}`, `c${made - 2}`]);
  expect(trace.list(5, { conn: `c${made - 1}` }).map((r) => r.id)).toEqual([ids[0]]);
  // A minute after the first one, or with a clock that was set back, it is a row of its own.
  expect(trace.note(entry({ at: NOW + 60_000 }))).not.toBe(ids[0]);
  expect(trace.note(entry({ at: NOW - 1 }))).not.toBe(ids[0]);
});

test.each([
  ['kind', { kind: 'denied' as const }],
  ['code', { code: 'rejected' }],
  ['device', { device: 'd'.repeat(64) as DeviceId }],
  ['role', { role: 'node' }],
  ['source', { source: '192.0.2.2' }],
  ['request', { request: 'r' as RequestId }],
  ['method', { about: 'status' }],
  ['proof', { proven: true }],
])('A17 what differs by its %s is another row', (_what, more) => {
  const first = trace.note(entry());
  expect(trace.note(entry(more))).not.toBe(first);
});

test('A17 a flood of strangers pushes out no proven row, and parts no repeats of one', () => {
  const device = 'a'.repeat(64) as DeviceId;
  const own = entry({ kind: 'connected', code: null, device, proven: true });
  trace.note(own);
  for (let i = 0; i < 13_000; i += 1) {
    trace.note(entry({ device: String(i) as DeviceId, at: NOW + 1 + i }));
    if (i % 500 === 0) trace.flush();
  }
  const again = entry({ kind: 'connected', code: null, device, proven: true, at: NOW + 14_000 });
  expect(trace.note(again)).toBe(own.id);
  expect(trace.find(own.id)).toMatchObject({ count: 2 });
  expect(trace.list(20_000).length).toBeLessThanOrEqual(10_002);
});

test('A17 between two flushes strangers have a bound, and who finds no room is told no id', () => {
  let noted = 0;
  for (let i = 0; i < 3_000; i += 1) if (trace.note(entry({ source: String(i) })) !== null) noted += 1;
  expect(noted).toBe(2_000);
  expect(trace.note(entry({ source: 'new', proven: true }))).not.toBeNull();
});

test('A17 rows are found by device, request and refusal, newest first', () => {
  const device = 'b'.repeat(64) as DeviceId;
  trace.note(entry({ device, request: 'abcd-1' as RequestId }));
  trace.note(entry({ device, kind: 'connected', code: null, at: NOW + 1 }));
  const last = trace.note(entry({ device, kind: 'denied', code: 'missing_scope', at: NOW + 2 }));
  trace.note(entry({ at: NOW + 3, kind: 'ended', code: 'flood' }));
  expect(trace.list(9, { device }).map((r) => r.kind)).toEqual(['denied', 'connected', 'refused']);
  expect(trace.list(1, { refused: true })[0]?.id).toBe(last);
  expect(trace.list(9, { request: 'abcd' })).toHaveLength(1);
  expect(trace.list(9, { request: '%' })).toHaveLength(0);
});

test('A17 it is expendable: a file of another shape, or none, is begun anew; last seen times stay', () => {
  const device = 'c'.repeat(64) as DeviceId;
  trace.seen(device, NOW, 'connect');
  trace.note(entry());
  trace.close();
  const db = new DatabaseSync(file);
  db.exec('DROP TABLE decision; CREATE TABLE decision (id TEXT, other TEXT); PRAGMA user_version = 0;');
  db.close();
  trace = openTrace(file);
  expect(trace.list(9)).toEqual([]);
  expect(trace.lastSeen(device)).toEqual({ at: NOW, reason: 'connect' });
  trace.note(entry({ id: 'd_new' }));
  expect(trace.find('d_new')).not.toBeNull();
  trace.close();
  writeFileSync(file, 'no database');
  trace = openTrace(file);
  expect(trace.find('d_new')).toBeNull();
});
