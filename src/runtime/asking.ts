import type { Attachment } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import { sha256Hex } from '../system/crypto.ts';
import { enclosed } from './contents.ts';
import { type Accepted, type RefusedSend, type Send, TEXT_MAX } from './runtime.ts';
import type { Asked } from './scribe.ts';

export type Content = Attachment & { readonly base64: string };

export type Looked =
  | { readonly ok: true; readonly asked: Asked; readonly contents: readonly Content[] }
  | { readonly ok: false; readonly refused: RefusedSend };

/** A message as it is kept, and what it hashes to; refused where it is larger than may be, whoever sent it. */
export function lookAt(send: Send): Looked {
  const { id, key, giver, from, text, enclosures = [], mode, model, thinking, timeoutMs } = send;
  if (Buffer.byteLength(text) > TEXT_MAX) {
    return { ok: false, refused: { code: 'too_large', text: `the message is larger than ${TEXT_MAX} bytes` } };
  }
  const looked = enclosed(enclosures);
  if (!looked.ok) return { ok: false, refused: { code: looked.code, text: looked.text } };
  const attachments = looked.attachments.map(({ base64: _, ...attachment }) => attachment);
  const ask = {
    text,
    from,
    attachments,
    ...(mode === undefined ? {} : { mode }),
    ...(model === undefined ? {} : { model }),
    ...(thinking === undefined ? {} : { thinking }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  const what: unknown[] = [key, from.kind, text, attachments, mode ?? null, model ?? null, thinking ?? null];
  // Beside the others, so that what was accepted without it means what it meant.
  if (timeoutMs !== undefined) what.push(timeoutMs);
  const fingerprint = sha256Hex(JSON.stringify(what));
  return { ok: true, asked: { id, key, giver, ask, fingerprint }, contents: looked.attachments };
}

/** What an id that is taken means for whoever uses it now: the same thing asked by the same one is a repetition. */
export function known(run: RunState, { fingerprint, giver }: Asked): Accepted | RefusedSend {
  const isSame = run.fingerprint === fingerprint && JSON.stringify(sorted(run.giver)) === JSON.stringify(sorted(giver));
  return isSame ? { run, again: true } : { code: 'run_conflict' };
}

/** A store may give fields back in another order. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, held]) => [name, sorted(held)]);
}
