import type { Level } from '../../core/conversation/thinking.ts';
import type { ModelFacts, Price, ProviderKind, Rates } from './model.ts';

/**
 * What the vendors' own pages said on 2026-11-21: platform.claude.com (models, pricing), developers.openai.com (models,
 * pricing), ai.google.dev (models, pricing). Dollars for a million tokens, at the vendors' standard rate. What is not here
 * is unknown; a row of the configuration (`models.providers.NAME.models`) beats a row here.
 */
interface Row {
  readonly name: string;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  readonly price: Price | null;
  /** Where `off` is missing it can't be kept from thinking. */
  readonly levels: readonly Level[];
}

const ALL: readonly Level[] = ['off', 'low', 'medium', 'high', 'xhigh'];
const ALWAYS: readonly Level[] = ALL.filter((level) => level !== 'off');

const MILLION = 1_000_000;

const rates = (input: number, output: number, cacheRead: number, cacheWrite: number): Rates => ({
  input,
  output,
  cacheRead,
  cacheWrite,
});

/** The first of each kind is taken where a person has named none. */
const ROWS: Readonly<Partial<Record<ProviderKind, Readonly<Record<string, Row>>>>> = {
  anthropic: {
    'claude-sonnet-5-5': {
      name: 'Claude Sonnet 5.5',
      contextWindow: MILLION,
      maxOutputTokens: 128_000,
      price: rates(2, 10, 0.1, 2.5),
      // What it thinks between two tools can't be turned off.
      levels: ALL,
    },
    'claude-opus-5-5': {
      name: 'Claude Opus 5.5',
      contextWindow: MILLION,
      maxOutputTokens: 128_000,
      price: rates(4, 20, 0.2, 5),
      levels: ALWAYS,
    },
    'claude-haiku-5-5': {
      name: 'Claude Haiku 5.5',
      contextWindow: MILLION,
      maxOutputTokens: 128_000,
      price: { ...rates(0.1, 0.5, 0.01, 0.125), beyond: { inputTokens: 100_000, ...rates(0.5, 2.5, 0.05, 0.625) } },
      levels: ALL,
    },
    'claude-opus-5': {
      name: 'Claude Opus 5',
      contextWindow: MILLION,
      maxOutputTokens: 128_000,
      price: rates(5, 25, 0.5, 6.25),
      levels: ALL,
    },
  },
  openai: {
    'gpt-6.2-sol': {
      name: 'GPT-6.2 Sol',
      contextWindow: 1_050_000,
      maxOutputTokens: 128_000,
      price: { ...rates(2, 10, 0.1, 2.5), beyond: { inputTokens: 272_000, ...rates(4, 15, 0.2, 5) } },
      levels: ALWAYS,
    },
    'gpt-6-sol': {
      name: 'GPT-6 Sol',
      contextWindow: 1_050_000,
      maxOutputTokens: 128_000,
      // Its rate for a long context stands nowhere.
      price: null,
      levels: ALWAYS,
    },
  },
  google: {
    'gemini-3.8-flash': {
      name: 'Gemini 3.8 Flash',
      contextWindow: 1_048_576,
      maxOutputTokens: 65_536,
      // Half of it until the end of 2026, all of it from then on: a table can't be right on both days.
      price: null,
      levels: ['low', 'medium', 'high'],
    },
  },
};

export function knownFacts(kind: ProviderKind, id: string): ModelFacts | null {
  const rows = ROWS[kind];
  const row = rows !== undefined && Object.hasOwn(rows, id) ? rows[id] : undefined;
  return row === undefined ? null : { id, ...row, input: ['text', 'image', 'file'], reasoning: true };
}

export function knownModels(kind: ProviderKind): readonly ModelFacts[] {
  return Object.keys(ROWS[kind] ?? {}).flatMap((id) => knownFacts(kind, id) ?? []);
}
