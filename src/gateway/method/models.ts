import type { Giver } from '../../core/authz/principal.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { speakerOf } from '../chat/place.ts';
import { type Context, Declined, Denied } from './handler.ts';

/** The models, as handlers reach them. No answer holds a key. */
export interface ModelDesk {
  list(input: MethodInput<'models.list'>): Promise<MethodOutput<'models.list'>>;
  status(): Promise<MethodOutput<'models.status'>>;
  /** `null`: there is no such provider; `often`: its caller has probed enough for now. @param giver on whose behalf */
  probe(input: MethodInput<'models.probe'>, giver: Giver): Promise<MethodOutput<'models.probe'> | 'often' | null>;
}

export function list(c: Context, input: MethodInput<'models.list'>): Promise<MethodOutput<'models.list'>> {
  return c.services.models.list(input);
}

export function status(c: Context): Promise<MethodOutput<'models.status'>> {
  return c.services.models.status();
}

export async function probe(c: Context, input: MethodInput<'models.probe'>): Promise<MethodOutput<'models.probe'>> {
  const probes = await c.services.models.probe(input, speakerOf(c).giver);
  if (probes === 'often') throw new Declined('probed_often');
  if (probes === null) throw new Denied({ code: 'not_found', retry: 'never' }, 'provider');
  return probes;
}
