import type { Attachment, RowBody, Sender, ToolCall } from '../../core/conversation/row.ts';
import type { Usage } from '../../core/conversation/session.ts';
import { type Cell, fields, integer, oneOf, parse, string, stringOrNull, wrong } from './decode.ts';

// What was said, as JSON text.

type Fields = Readonly<Record<string, unknown>>;

const SENDERS: readonly Sender['kind'][] = ['person', 'outside', 'gateway'];
const STOPS = ['stop', 'length', 'tools', 'partial'] as const;

/** The text that stands for client text in a column of ids; `null` where there is none. */
export function jsonOrNull(text: string | null): string | null {
  return text === null ? null : JSON.stringify(text);
}

export function textOf(cell: Cell, json: unknown): string {
  return string(cell, parse(cell, json), 'it');
}

/** The fields of a JSON object. */
export function objectOf(cell: Cell, json: unknown): Fields {
  return fields(cell, parse(cell, json));
}

function listOf<T>(cell: Cell, value: unknown, name: string, one: (fields: Fields) => T): readonly T[] {
  if (!Array.isArray(value)) throw wrong(cell, `${name} is no JSON array`);
  return value.map((inner) => one(fields(cell, inner)));
}

export function senderOf(cell: Cell, value: unknown): Sender {
  const { kind, name } = fields(cell, value);
  return { kind: oneOf(cell, kind, SENDERS), name: stringOrNull(cell, name, 'the name of who said it') };
}

export function attachmentsOf(cell: Cell, value: unknown): readonly Attachment[] {
  return listOf(cell, value, 'attachments', ({ name, mediaType, bytes, sha256 }) => ({
    name: string(cell, name, 'the name of an attachment'),
    mediaType: string(cell, mediaType, 'mediaType'),
    bytes: integer(cell, bytes, 0),
    sha256: string(cell, sha256, 'sha256'),
  }));
}

function usageOf(cell: Cell, value: unknown): Usage {
  const { input, output, cacheRead, cacheWrite } = fields(cell, value);
  return {
    input: integer(cell, input, 0),
    output: integer(cell, output, 0),
    cacheRead: integer(cell, cacheRead, 0),
    cacheWrite: integer(cell, cacheWrite, 0),
  };
}

type Kind = RowBody['kind'];

/** Every kind of row, once: a kind that is missing here does not compile. */
const READ: { readonly [K in Kind]: (cell: Cell, text: string, body: Fields) => Extract<RowBody, { kind: K }> } = {
  user: (cell, text, { from, attachments }) => ({
    kind: 'user',
    text,
    from: senderOf(cell, from),
    attachments: attachmentsOf(cell, attachments),
  }),
  assistant: (cell, text, { calls, model, usage, stop }) => ({
    kind: 'assistant',
    text,
    calls: listOf(cell, calls, 'calls', (call) => callOf(cell, call)),
    model: string(cell, model, 'model'),
    usage: usageOf(cell, usage),
    stop: oneOf(cell, stop, STOPS),
  }),
  tool: (cell, text, { call, name, failed }) => ({
    kind: 'tool',
    call: string(cell, call, 'call'),
    name: string(cell, name, 'name'),
    text,
    failed: yesOrNo(cell, failed, 'failed'),
  }),
  note: (cell, text, { label }) => ({ kind: 'note', text, label: stringOrNull(cell, label, 'label') }),
  command: (cell, text, { from, answer }) => ({
    kind: 'command',
    text,
    from: senderOf(cell, from),
    answer: string(cell, answer, 'answer'),
  }),
  summary: (cell, text, { through }) => ({ kind: 'summary', text, through: integer(cell, through, 0) }),
};
const KINDS = Object.keys(READ) as Kind[];

/** @throws Inconsistent where it is nothing that can have been said */
export function bodyOf(cell: Cell, json: unknown): RowBody {
  const body = objectOf(cell, json);
  return READ[oneOf(cell, body.kind, KINDS)](cell, string(cell, body.text, 'text'), body);
}

function yesOrNo(cell: Cell, value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw wrong(cell, `${name} is neither true nor false`);
  return value;
}

function callOf(cell: Cell, { id, name, input }: Fields): ToolCall {
  return { id: string(cell, id, 'id'), name: string(cell, name, 'name'), input: string(cell, input, 'input') };
}
