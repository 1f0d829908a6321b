import { Compile, type Validator } from 'typebox/schema';
import { ConnectParams } from '../core/protocol/connect.ts';
import { RequestFrame } from '../core/protocol/frame.ts';
import { invalidText } from '../core/protocol/invalid.ts';
import { FRAME_ID_MAX } from '../core/protocol/limit.ts';
import { isVast, VAST_TEXT } from '../core/protocol/vast.ts';

const frames = Compile(RequestFrame);
const connects = Compile(ConnectParams);

export type ReadFrame =
  | { readonly ok: true; readonly frame: RequestFrame }
  | { readonly ok: false; readonly error: 'not_json' | 'invalid'; readonly id: string | null; readonly text: string };

/** One message as a request frame. What can't be one says, where it has a usable id, to which request that is said. */
export function readFrame(text: string): ReadFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, error: 'not_json', id: null, text: 'not JSON' };
  }
  if (frames.Check(value)) return { ok: true, frame: value };
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : null;
  const named = typeof id === 'string' && id !== '' && id.length <= FRAME_ID_MAX ? id : null;
  return { ok: false, error: 'invalid', id: named, text: wrongIn(frames, value) };
}

export type ReadConnect =
  | { readonly ok: true; readonly params: ConnectParams }
  | { readonly ok: false; readonly text: string };

export function readConnect(params: unknown): ReadConnect {
  return connects.Check(params) ? { ok: true, params } : { ok: false, text: wrongIn(connects, params) };
}

/** What a validator finds wrong with a value that it does not let pass. */
export function wrongIn(validator: Pick<Validator, 'Errors'>, value: unknown): string {
  if (isVast(value)) return VAST_TEXT;
  const [, issues] = validator.Errors(value);
  return invalidText(issues);
}
