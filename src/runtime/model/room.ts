import type { LanguageModelV4StreamPart } from '@ai-sdk/provider';

/**
 * Characters of text in one step, and as many of thoughts and of arguments: no model is known to write so much at once (128k
 * tokens are about half of it). Each event tells a text so far and what is new of it, JSON may take six bytes a character, and
 * clients take 25 MiB at once (`policy.maxPayload`).
 */
export const CHARACTERS_MAX = 1024 * 1024;
/** Calls of one step: a row and two events each. Models ask for a handful at once. */
export const CALLS_MAX = 64;
/** Texts and thoughts that stand apart from each other; models that think between their words have some dozens. */
const BLOCKS_MAX = 1_024;
/** Characters of what a provider wants back, signatures and sealed thoughts, as JSON: it is held as long as the run lasts. */
const KEPT_MAX = 8 * 1024 * 1024;

type Part = LanguageModelV4StreamPart;
type Delta = Extract<Part, { type: 'text-delta' | 'reasoning-delta' }>;

/** How much a model may say in one step. */
export class Room {
  readonly #left = { 'text-delta': CHARACTERS_MAX, 'reasoning-delta': CHARACTERS_MAX };
  readonly #blocks = new Set<string>();
  #inputs = 0;
  #inputsWhole = 0;
  #begun = 0;
  #calls = 0;
  #kept = 0;
  #isCut = false;

  /** It has said all that there is room for. */
  get isFull(): boolean {
    return this.#isCut || Math.max(this.#inputs, this.#inputsWhole) > CHARACTERS_MAX;
  }

  /** Why this is no answer; `null`: it may be one. */
  get excess(): string | null {
    if (Math.max(this.#begun, this.#calls) > CALLS_MAX) return `it calls more than ${CALLS_MAX} tools at once`;
    if (this.#blocks.size > BLOCKS_MAX) return `it has more than ${BLOCKS_MAX} parts`;
    return this.#kept > KEPT_MAX ? 'it wants back more than is kept' : null;
  }

  /** What there is room for of it. */
  fit(part: Part): Part {
    if ('providerMetadata' in part && part.providerMetadata !== undefined) {
      this.#kept += JSON.stringify(part.providerMetadata).length;
    }
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start':
        this.#blocks.add(`${part.type} ${part.id}`);
        return part;
      case 'text-delta':
      case 'reasoning-delta':
        return this.#cut(part);
      case 'tool-input-start':
        this.#begun += 1;
        return part;
      case 'tool-input-delta':
        this.#inputs += part.delta.length;
        return part;
      case 'tool-call':
        this.#calls += 1;
        this.#inputsWhole += part.input.length;
        return part;
      default:
        return part;
    }
  }

  #cut(part: Delta): Part {
    const left = this.#left[part.type];
    this.#left[part.type] -= part.delta.length;
    if (part.delta.length <= left) return part;
    this.#isCut = true;
    // Not within a character.
    const end = /[\ud800-\udbff]/.test(part.delta.charAt(left - 1)) ? left - 1 : left;
    return { ...part, delta: part.delta.slice(0, end) };
  }
}

/** Whether anything was said, thought or asked with it. */
export function hasWords(part: Part): boolean {
  switch (part.type) {
    case 'text-delta':
    case 'reasoning-delta':
    case 'tool-input-delta':
      return part.delta !== '';
    default:
      return part.type === 'tool-call';
  }
}
