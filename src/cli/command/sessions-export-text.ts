import { escapeText } from '../../system/text.ts';
import { type Adviser, advisedRow } from '../advice.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';
import { timeOf } from './sessions.ts';
import { CUT, endLines } from './sessions-end.ts';
import type { Place } from './sessions-export.ts';

export type Row = Readonly<Record<string, unknown>>;

export interface Writer {
  begin(place: Place): void;
  row(row: Row): void;
  /** How the run ended whose rows these were, where it did not by itself. */
  ended(end: Row): void;
  /** Says that it is whole: without it the text was cut off. */
  end(rows: number): void;
}

export function writerOf(format: string, write: (text: string) => void, adviser: Adviser): Writer {
  return format === 'markdown' ? markdown(write, adviser) : jsonl(write, adviser);
}

/** One object a line: the session, its rows as they are stored, ends of runs that came to nothing, and the end. */
function jsonl(write: (text: string) => void, adviser: Adviser): Writer {
  const line = (value: unknown) => write(`${JSON.stringify(value)}\n`);
  return {
    begin: (place) => line({ type: 'session', version: 1, ...place }),
    row: (row) => line({ type: 'row', ...row }),
    ended: (end) => line({ type: 'run', ...advisedRow(end, adviser) }),
    end: (rows) => line({ type: 'end', rows }),
  };
}

/** To be read by people. What was said stands as it is, quoted, so that nothing in it looks like another message. */
function markdown(write: (text: string) => void, adviser: Adviser): Writer {
  return {
    begin({ key, sessionId, droppedRows }) {
      const gone = droppedRows === 0 ? '' : `\nThe first ${droppedRows} rows were taken away.\n`;
      write(`# ${escapeText(key)}\n\nConversation ${escapeText(sessionId)}\n${gone}`);
    },
    row(row) {
      write(`\n## ${numberOf(row.seq)} · ${timeOf(row.at)} · ${escapeText(whoOf(row))}\n\n`);
      for (const text of textsIn(row)) write(`${quoted(text)}\n\n`);
      if (row.stop === CUT) write('*Cut off here.*\n\n');
      for (const file of recordsOf(row.attachments)) {
        const about = `${textOf(file.mediaType) ?? '?'}, ${numberOf(file.bytes) ?? '?'} bytes`;
        write(`- attachment ${escapeText(`${textOf(file.name) ?? '?'} (${about})`)}: sha256 ${String(file.sha256)}\n`);
      }
    },
    ended(end) {
      write(`\n${endLines(end, adviser, null).map(quotedAside).join('\n')}\n`);
    },
    end: (rows) => write(`\n---\n\n${rows} rows, whole.\n`),
  };
}

function whoOf(row: Row): string {
  const name = textOf(recordOf(row.from).name);
  switch (row.kind) {
    case 'user':
    case 'command':
      return `${row.kind === 'command' ? 'command of ' : ''}${name ?? textOf(recordOf(row.from).kind) ?? 'somebody'}`;
    case 'assistant':
      return `agent (${textOf(row.model) ?? '?'})`;
    case 'tool':
      return `result of ${textOf(row.name) ?? '?'}${row.failed === true ? ', failed' : ''}`;
    case 'note':
      return textOf(row.label) === null ? 'put in' : `put in: ${textOf(row.label)}`;
    default:
      return textOf(row.kind) ?? '?';
  }
}

function textsIn(row: Row): readonly string[] {
  const calls = recordsOf(row.calls).map((call) => `(calls ${textOf(call.name) ?? '?'}) ${textOf(call.input) ?? ''}`);
  const through = numberOf(row.through);
  const about = through === null ? [] : [`(sums up the rows up to ${through}, for the model)`];
  return [textOf(row.text), textOf(row.answer), ...calls, ...about].filter((text) => text !== null);
}

/** A line of its own beside what was said, which is quoted: code, so that nothing in it is taken for markup. */
function quotedAside(line: string): string {
  return `- \`${line.replaceAll('`', "'")}\``;
}

function quoted(text: string): string {
  return text
    .split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/)
    .map((line) => `> ${line}`.trimEnd())
    .join('\n');
}

/** What was written, for people. */
export function linesOf(document: Row): string {
  const { rows, file, droppedRows, attachments, missing } = document;
  const gone = droppedRows === 0 ? '' : `The first ${droppedRows} rows were taken away before.\n`;
  const files = attachments === undefined ? '' : `${attachments} attachments written, ${missing} gone.\n`;
  return `${rows} rows written to ${escapeText(String(file))}.\n${gone}${files}`;
}
