import type { LanguageModelV4, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider';
import { counted } from './cost.ts';
import type { ModelFailure } from './failure.ts';
import type { Hush } from './hush.ts';
import type {
  AssistantMessage,
  FinishReason,
  Keep,
  Part,
  ProviderKind,
  ReasoningPart,
  TextPart,
  ToolCall,
  Usage,
} from './model.ts';
import { errorIn, errorOf, kindOfCodes } from './refusal.ts';
import { hasWords, Room } from './room.ts';
import { toolCallOf } from './toolcall.ts';
import type { Wire } from './wire.ts';

type Finish = Extract<LanguageModelV4StreamPart, { type: 'finish' }>;
type Content = AssistantMessage['content'][number];

/**
 * One call through a client library. Its own words for what went wrong count only where the wire knows no cause.
 * @throws ModelFailure
 */
export async function* partsOf(
  model: LanguageModelV4,
  call: Parameters<LanguageModelV4['doStream']>[0],
  { wire, kind }: { readonly wire: Wire; readonly kind: ProviderKind },
): AsyncGenerator<Part> {
  const said = new Said(kind, wire);
  const room = new Room();
  let reader: ReadableStreamDefaultReader<LanguageModelV4StreamPart> | null = null;
  let began = false;
  try {
    reader = (await model.doStream(call)).stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      // What was on its way when the call was stopped is told no more.
      if (wire.failure !== null) throw wire.failure;
      if (done) throw wire.fail('truncated', 'it ended without its end');
      if (value.type === 'error') throw spoken(value.error, wire);
      if (value.type === 'finish') {
        yield* ended(value, said, wire);
        return;
      }
      const fitting = room.fit(value);
      if (room.excess !== null) throw wire.fail('malformed', room.excess);
      if (hasWords(value)) wire.said();
      const part = said.take(fitting);
      if (part !== null) {
        began = true;
        yield part;
      }
      if (room.isFull) {
        yield* cutOff(said, wire);
        return;
      }
    }
  } catch (error) {
    const failure = wire.failure ?? spoken(error, wire);
    failure.began = began;
    throw failure;
  } finally {
    wire.close();
    reader?.cancel().catch(() => {
      // Closed with the connection.
    });
  }
}

/** @throws ModelFailure for an end that is none */
function* ended(finish: Finish, said: Said, wire: Wire): Generator<Part> {
  const { unified } = finish.finishReason;
  if (unified === 'interrupted') throw wire.fail('truncated', 'it ended without its end');
  if (unified === 'error') throw wire.fail('server', 'it gave up in the middle');
  yield* said.rest();
  yield* said.calls;
  yield { kind: 'usage', usage: usageOf(finish.usage) };
  yield {
    kind: 'finish',
    reason: reasonOf(unified, said.calls.length > 0),
    message: { role: 'assistant', content: said.content },
  };
}

/** It has said more than is taken of it. What it asks of tools is not whole, and is left out. */
function* cutOff(said: Said, wire: Wire): Generator<Part> {
  // Before it is told: what comes now is paid for too.
  wire.close();
  yield* said.rest();
  const content = said.content.filter(({ kind }) => kind === 'text');
  yield { kind: 'finish', reason: 'length', message: { role: 'assistant', content } };
}

/** Some servers say `stop` where they ask for tools. */
function reasonOf(unified: Finish['finishReason']['unified'], hasCalls: boolean): FinishReason {
  if (unified === 'length') return 'length';
  if (unified === 'content-filter') return 'filter';
  return hasCalls ? 'tool' : 'stop';
}

/** What is no count of one call was not said. */
export function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage {
  return {
    input: counted(inputTokens.total),
    cacheRead: counted(inputTokens.cacheRead),
    cacheWrite: counted(inputTokens.cacheWrite),
    output: counted(outputTokens.total),
    reasoning: counted(outputTokens.reasoning),
  };
}

/** An error out of a stream, or of the client library itself, by what it is called. */
function spoken(error: unknown, wire: Wire): ModelFailure {
  if (isFailureOf(error)) return error;
  const { name, statusCode, data, responseBody } = fieldsOf(error);
  switch (name) {
    case 'AI_InvalidPromptError':
    case 'AI_UnsupportedFunctionalityError':
    case 'AI_InvalidArgumentError':
    case 'AI_TypeValidationError':
    case 'AI_JSONParseError':
    case 'AI_NoContentGeneratedError':
    case 'AI_EmptyResponseBodyError':
      return wire.fail(name.startsWith('AI_Invalid') || name.startsWith('AI_Uns') ? 'bad_request' : 'malformed', name);
    case 'AI_InvalidResponseDataError':
      // An end without a reason, or an answer without sense.
      return wire.isWhole ? wire.fail('truncated', 'it ended without its end') : wire.fail('malformed', name);
    default: {
      // A library that fails quotes what it was given, such as a header with a key in it: its name says enough.
      const isOwn = error instanceof Error && !name.startsWith('AI_');
      const { codes, words } = said(data ?? responseBody ?? (isOwn ? null : error), wire);
      const why = words === '' ? `${name || 'an error'} in the stream` : words;
      return wire.fail(kindOfCodes(codes, words), why, statusCode === undefined ? {} : { status: statusCode });
    }
  }
}

function isFailureOf(error: unknown): error is ModelFailure {
  return error instanceof Error && error.name === 'ModelFailure';
}

function fieldsOf(error: unknown) {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Readonly<Record<string, unknown>>;
  return {
    name: typeof fields.name === 'string' ? fields.name : '',
    statusCode: typeof fields.statusCode === 'number' ? fields.statusCode : undefined,
    data: fields.data,
    responseBody: fields.responseBody,
  };
}

function said(value: unknown, { redact }: Wire): ReturnType<typeof errorIn> {
  return typeof value === 'string' ? errorOf(value, redact) : errorIn(value, redact);
}

// ---- what was said ----------------------------------------------------------------------------------------------------

interface Block {
  readonly kind: 'text' | 'reasoning';
  /** As it came: what is signed is sent back unchanged. */
  text: string;
  keep: Keep | null;
}

/** What the model has said so far, block by block, as the next step sends it back. */
class Said {
  readonly #kind: ProviderKind;
  readonly #wire: Pick<Wire, 'hush' | 'fail'>;
  readonly #order: (Block | ToolCall)[] = [];
  readonly #open = new Map<string, Block>();
  /** One for all blocks of a kind: they are told as one text, and half of a secret may stand in each of two. */
  readonly #hush: Readonly<Record<Block['kind'], Hush>>;

  constructor(kind: ProviderKind, wire: Pick<Wire, 'hush' | 'fail'>) {
    this.#kind = kind;
    this.#wire = wire;
    this.#hush = { text: wire.hush(), reasoning: wire.hush() };
  }

  /** What was kept back of it, at its end. */
  rest(): readonly Part[] {
    return (['reasoning', 'text'] as const).flatMap((kind) => {
      const delta = this.#hush[kind].rest();
      return delta === '' ? [] : { kind, delta };
    });
  }

  /** What there is to tell of it at once. */
  take(part: LanguageModelV4StreamPart): Part | null {
    switch (part.type) {
      case 'text-start':
      case 'text-delta':
      case 'text-end':
        return this.#block('text', part);
      case 'reasoning-start':
      case 'reasoning-delta':
      case 'reasoning-end':
        return this.#block('reasoning', part);
      case 'tool-call':
        this.#order.push(this.#callOf(part));
        return null;
      default:
        return null;
    }
  }

  get calls(): readonly ToolCall[] {
    return this.#order.filter((entry): entry is ToolCall => entry.kind === 'tool');
  }

  get content(): readonly Content[] {
    const blocks = this.#order.filter((entry): entry is Block => entry.kind === 'text');
    const told = this.#hush.text.each(blocks.map(({ text }) => text));
    const texts = new Map(blocks.map((block, at) => [block, told[at] ?? '']));
    return this.#order.flatMap((entry): Content[] => {
      if (entry.kind === 'tool') return [entry];
      const { kind, keep } = entry;
      const text = texts.get(entry) ?? entry.text;
      if (text === '' && keep === null) return [];
      return [{ kind, text, ...(keep === null ? {} : { keep }) } satisfies TextPart | ReasoningPart];
    });
  }

  #block(
    kind: Block['kind'],
    part: {
      readonly id: string;
      readonly delta?: string;
      readonly providerMetadata?: Readonly<Record<string, unknown>>;
    },
  ): Part | null {
    const id = `${kind} ${part.id}`;
    let block = this.#open.get(id);
    if (block === undefined) {
      block = { kind, text: '', keep: null };
      this.#open.set(id, block);
      this.#order.push(block);
    }
    const keep = this.#keepOf(part.providerMetadata);
    if (keep !== null) block.keep = { by: keep.by, data: merged(block.keep?.data ?? {}, keep.data) };
    if (part.delta === undefined || part.delta === '') return null;
    block.text += part.delta;
    const delta = this.#hush[kind].take(part.delta);
    return delta === '' ? null : { kind, delta };
  }

  /** @throws ModelFailure for what is none */
  #callOf(part: Extract<LanguageModelV4StreamPart, { type: 'tool-call' }>): ToolCall {
    const keep = this.#keepOf(part.providerMetadata);
    const call = toolCallOf(part, this.#wire.hush());
    if (typeof call === 'string') throw this.#wire.fail('malformed', call);
    return keep === null ? call : { ...call, keep };
  }

  #keepOf(metadata: Readonly<Record<string, unknown>> | undefined): Keep | null {
    return metadata === undefined ? null : { by: this.#kind, data: metadata };
  }
}

/** Of each provider's fields the later ones: a signature comes after what it signs. */
function merged(a: Keep['data'], b: Keep['data']): Keep['data'] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, { ...(a[name] as object), ...(b[name] as object) }]));
}
