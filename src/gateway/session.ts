import type { DeviceId, Principal } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import type { Label } from '../core/authz/state.ts';
import type { Instant } from '../core/base/instant.ts';
import type { Pipe } from './listen/pipe.ts';

/** A connection that said `connect` and was let in, or one on the owner socket. */
export interface Session {
  /** Opaque; named in `hello-ok.server.connId`, logs and `latchkey why`. */
  readonly id: string;
  readonly pipe: Pipe;
  readonly principal: Principal;
  readonly protocol: 3 | 4;
  readonly label: Label;
  /** A15: the bucket that it comes from. */
  readonly source: string;
  readonly caps: readonly string[];
  readonly instanceId: string | null;
  readonly since: Instant;
  /** True once events may flow: after `hello-ok`. */
  readonly listening: boolean;
}

/** A11: whoever opened the owner socket. */
export function ownerSession(id: string, pipe: Pipe, since: Instant): Session {
  const label = {
    name: null,
    platform: null,
    family: null,
    clientId: 'owner',
    clientMode: 'cli',
    version: '',
    remote: 'owner socket',
  };
  return {
    id,
    pipe,
    label,
    principal: { kind: 'owner' },
    protocol: 4,
    source: 'owner',
    caps: [],
    instanceId: null,
    since,
    listening: false,
  };
}

export function deviceOf(principal: Principal): DeviceId | null {
  return principal.kind === 'device' ? principal.device : null;
}

export function roleOf(principal: Principal): Role {
  return principal.kind === 'device' ? principal.role : 'operator';
}
