import { escapeText } from '../system/text.ts';

/** Answers come from a gateway of perhaps another release: what is read from them is looked at first. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

export function recordsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The same with every text in it fit for a terminal: whoever answered is perhaps not whom we take it for. */
export function shownOf(value: unknown): Readonly<Record<string, unknown>> {
  const shown = (below: unknown): unknown => {
    if (typeof below === 'string') return escapeText(below);
    if (Array.isArray(below)) return below.map(shown);
    return isRecord(below) ? Object.fromEntries(Object.entries(below).map(([name, v]) => [name, shown(v)])) : below;
  };
  return recordOf(shown(value));
}

export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
