import type { Giver } from '../../core/authz/principal.ts';
import type { Held, Scope } from '../../core/authz/scope.ts';
import type { Comparison, Label } from '../../core/authz/state.ts';
import { deviceBehind } from '../giver.ts';
import { Inconsistent } from '../store.ts';

/** One cell, named for whoever has to look at it. */
export interface Cell {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

export function wrong(cell: Cell, why: string): Inconsistent {
  return new Inconsistent(cell.table, cell.column, cell.row, why);
}

export function parse(cell: Cell, text: unknown): unknown {
  if (typeof text !== 'string') throw wrong(cell, 'is no text');
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(cell, 'is no JSON');
  }
}

export function fields(cell: Cell, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(cell, 'is no JSON object');
  return value as Readonly<Record<string, unknown>>;
}

export function string(cell: Cell, value: unknown, name: string): string {
  if (typeof value !== 'string') throw wrong(cell, `${name} is no text`);
  return value;
}

export function stringOrNull(cell: Cell, value: unknown, name: string): string | null {
  return value === null ? null : string(cell, value, name);
}

/** A whole number from `min` on. */
export function integer(cell: Cell, value: unknown, min = Number.MIN_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(cell, 'is no whole number');
  if (value < min) throw wrong(cell, `is ${value}, less than ${min}`);
  return value;
}

export function integerOrNull(cell: Cell, value: unknown, min?: number): number | null {
  return value === null ? null : integer(cell, value, min);
}

export function oneOf<T extends string>(cell: Cell, value: unknown, known: readonly T[]): T {
  const found = known.find((k) => k === value);
  if (found === undefined) throw wrong(cell, `is ${JSON.stringify(value)}, none of ${known.join(', ')}`);
  return found;
}

export function nameOf(cell: Cell, text: string | null): string | null {
  return text === null ? null : string(cell, parse(cell, text), 'it');
}

export function scopesOf(cell: Cell, text: string): readonly Scope[] {
  const value = parse(cell, text);
  if (!Array.isArray(value)) throw wrong(cell, 'is no JSON array');
  return value.map((scope) => string(cell, scope, 'a scope'));
}

export function heldOf(cell: Cell, text: string): readonly Held[] {
  const value = parse(cell, text);
  if (!Array.isArray(value)) throw wrong(cell, 'is no JSON array');
  return value.map((held) => {
    const { scope, until } = fields(cell, held);
    return { scope: string(cell, scope, 'a scope'), until: integerOrNull(cell, until) };
  });
}

export function labelOf(cell: Cell, text: string): Label {
  const label = fields(cell, parse(cell, text));
  return {
    name: stringOrNull(cell, label.name, 'name'),
    platform: stringOrNull(cell, label.platform, 'platform'),
    family: stringOrNull(cell, label.family, 'family'),
    clientId: string(cell, label.clientId, 'clientId'),
    clientMode: string(cell, label.clientMode, 'clientMode'),
    version: string(cell, label.version, 'version'),
    remote: string(cell, label.remote, 'remote'),
  };
}

export function comparisonOf(cell: Cell, text: string | null): Comparison | null {
  if (text === null) return null;
  const { r, s, code } = fields(cell, parse(cell, text));
  return { r: string(cell, r, 'r'), s: string(cell, s, 's'), code: string(cell, code, 'code') };
}

/** A giver, and that the column beside it names the device behind it. */
export function giverOf(cell: Cell, text: string, device: string | null): Giver {
  const giver = readGiver(cell, parse(cell, text));
  if (deviceBehind(giver) !== device) {
    throw wrong({ ...cell, column: `${cell.column}_device` }, `is ${device}, not the device behind ${cell.column}`);
  }
  return giver;
}

export function giverAlone(cell: Cell, text: string): Giver {
  return readGiver(cell, parse(cell, text));
}

function readGiver(cell: Cell, value: unknown): Giver {
  const giver = fields(cell, value);
  const kind = giver.kind;
  switch (kind) {
    case 'owner':
    case 'secret':
    case 'pairing':
      return { kind };
    case 'device':
      return { kind, device: string(cell, giver.device, 'device') as never };
    case 'code':
      return { kind, code: string(cell, giver.code, 'code') as never, maker: readGiver(cell, giver.maker) };
    case 'token':
      return { kind, name: string(cell, giver.name, 'name') };
    default:
      throw wrong(cell, `is no known giver: ${JSON.stringify(kind)}`);
  }
}
