import type { Hush } from './hush.ts';
import type { ToolCall } from './model.ts';
import { INPUT_DEPTH_MAX, isTooDeep } from './shape.ts';

/** What providers allow as a tool's name, each a part of it; those that they run themselves have a colon. */
const NAME = /^[\w.:-]{1,128}$/;
/** As people's programs print it. Relays put a signature into it. */
const ID = /^[\x20-\x7e]{0,16384}$/;

export interface Called {
  readonly toolCallId: string;
  readonly toolName: string;
  /** JSON. */
  readonly input: string;
}

/** A call as it may be told and stored: no secret in any part of it. A text: why it is none. */
export function toolCallOf({ toolCallId, toolName, input }: Called, hush: Hush): ToolCall | string {
  const name = hush.whole(toolName);
  const id = hush.whole(toolCallId);
  if (!NAME.test(name)) return 'it calls a tool by what is no name';
  if (!ID.test(id)) return 'it calls a tool by an id that is none';
  if (isTooDeep(input)) return `it gives a tool arguments deeper than ${INPUT_DEPTH_MAX} levels`;
  const head = { kind: 'tool', id, name } as const;
  const text = hush.whole(input);
  try {
    // A call without arguments.
    return { ...head, input: text.trim() === '' ? {} : hushed(JSON.parse(text), hush) };
  } catch {
    // A secret may stand in it in escapes that nobody has read yet.
    const plain = unescaped(text);
    const safe = hush.whole(plain);
    return { ...head, input: null, malformed: safe === plain ? text : safe };
  }
}

/** In keys as well as in values. It nests no deeper than `INPUT_DEPTH_MAX`. */
function hushed(value: unknown, hush: Hush): unknown {
  if (typeof value === 'string') return hush.whole(value);
  if (Array.isArray(value)) return value.map((entry) => hushed(entry, hush));
  if (typeof value !== 'object' || value === null) return value;
  // Defines each, whatever it is called.
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [hush.whole(key), hushed(entry, hush)]));
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_all, code: string | undefined, other: string | undefined) =>
    code === undefined ? (other ?? '') : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
