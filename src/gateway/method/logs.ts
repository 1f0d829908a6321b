import { join } from 'node:path';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { readLog } from '../../system/log-read.ts';
import { Sight } from '../explain/sight.ts';
import { sifted } from '../sift.ts';
import type { Context } from './handler.ts';

const LINES = 500;
const BYTES = 250_000;

/** `logs.tail`. The lines were redacted and escaped when they were written; nothing is written here (A6). */
export async function tail(c: Context, input: MethodInput<'logs.tail'>): Promise<MethodOutput<'logs.tail'>> {
  const { cursor, limit = LINES, maxBytes = BYTES } = input;
  const file = join(c.services.facts().stateDir, 'logs', 'gateway.jsonl');
  const { skippedBytes, ...answer } = await readLog(file, {
    limit,
    maxBytes,
    ...(cursor === undefined ? {} : { cursor }),
  });
  const sight = new Sight(c.services.authority, c.principal, c.session?.id ?? null);
  const lines = sifted(answer.lines, sight);
  return { ...answer, lines: [...lines], ...(skippedBytes === 0 ? {} : { skippedBytes }) };
}
