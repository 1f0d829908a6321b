import type { Principal } from '../../core/authz/principal.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import type { AgentDesk } from './agents.ts';
import { type Context, Denied } from './handler.ts';

/** The configuration, as handlers reach it. No answer holds a secret. */
export interface ConfigDesk {
  view(): Promise<MethodOutput<'config.get'>>;
  /** @throws Denied for a conflict, WrongParams for what is refused, StoreUnavailable where it can't be written */
  change(change: ConfigChange): Promise<MethodOutput<'config.set'>>;
  schema(): Promise<MethodOutput<'config.schema'>>;
  /** `null`: there is no such key. */
  lookup(path: string): Promise<MethodOutput<'config.schema.lookup'> | null>;
  readonly agents: AgentDesk;
  /** For `status`: what the file says that is not in force. */
  state(): Pick<MethodOutput<'config.get'>, 'path' | 'pending' | 'problem'>;
}

/** On whose behalf the configuration is changed. */
export interface Editor {
  /** Who did it: it is logged. */
  readonly by: Principal;
  /** What they may change now; asked when it is written, not when it was sent. */
  may(writer: 'admin' | 'permanent' | 'owner'): boolean;
}

export interface ConfigChange extends Editor {
  /** The whole text, or a merge patch. */
  readonly kind: 'set' | 'patch';
  readonly raw: string;
  /** `null`: whatever stands there. */
  readonly baseHash: string | null;
}

/** Whoever calls. */
export function editorOf({ principal: by, services }: Context): Editor {
  return { by, may: (writer) => services.authority.mayWrite(by, writer) };
}

export function get(c: Context): Promise<MethodOutput<'config.get'>> {
  return c.services.config.view();
}

export function set(c: Context, input: MethodInput<'config.set'>): Promise<MethodOutput<'config.set'>> {
  return change(c, 'set', input);
}

export function patch(c: Context, input: MethodInput<'config.patch'>): Promise<MethodOutput<'config.patch'>> {
  return change(c, 'patch', input);
}

function change(
  c: Context,
  kind: ConfigChange['kind'],
  { raw, baseHash }: MethodInput<'config.set'>,
): Promise<MethodOutput<'config.set'>> {
  return c.services.config.change({ kind, raw, baseHash: baseHash ?? null, ...editorOf(c) });
}

export function schema(c: Context): Promise<MethodOutput<'config.schema'>> {
  return c.services.config.schema();
}

export async function lookup(
  c: Context,
  { path }: MethodInput<'config.schema.lookup'>,
): Promise<MethodOutput<'config.schema.lookup'>> {
  const found = await c.services.config.lookup(path);
  if (found === null) throw new Denied({ code: 'not_found', retry: 'never' }, 'path');
  return found;
}
