import type { Brand } from '../base/brand.ts';
import type { End } from '../base/instant.ts';
import { READ, type Role, type Scope } from './scope.ts';

/** Lower-case hex SHA-256 of the 32 raw bytes of an Ed25519 public key. */
export type DeviceId = Brand<string, 'DeviceId'>;
/** An open request, or a listed rejection. Opaque. */
export type RequestId = Brand<string, 'RequestId'>;
/** Lower-case hex SHA-256 of a setup code. */
export type CodeId = Brand<string, 'CodeId'>;

/** A device id as somebody wrote it. One that names no device is found by nothing. */
export function deviceId(text: string): DeviceId {
  return text as DeviceId;
}

/** A request id as somebody wrote it. */
export function requestId(text: string): RequestId {
  return text as RequestId;
}

/**
 * Who acts. Made once per operation and handed down to the store. `asked` is what the session asked for
 * (`null`: its whole grant); what it holds is computed at each decision, never kept (A1).
 */
export type Principal =
  | { readonly kind: 'owner' }
  | { readonly kind: 'device'; readonly device: DeviceId; readonly role: Role; readonly asked: readonly Scope[] | null }
  | { readonly kind: 'secret'; readonly asked: readonly Scope[] | null }
  | { readonly kind: 'internal'; readonly component: Component }
  // A21: kinds that exist already, so that nothing has to be widened when their doors open.
  | {
      readonly kind: 'token';
      readonly name: string;
      readonly scopes: readonly Scope[];
      readonly until: End;
    }
  | {
      readonly kind: 'sender';
      readonly channel: string;
      readonly sender: string;
      readonly scopes: readonly Scope[];
    };

/** A12: what each part of the gateway may call in its own process. No frame can name one of these. */
export const COMPONENTS = {
  publisher: { methods: ['health', 'system-presence'], scopes: [READ] },
} as const satisfies Record<string, { readonly methods: readonly string[]; readonly scopes: readonly Scope[] }>;
export type Component = keyof typeof COMPONENTS;

/** Whom a grant, a code or a decision came from, as it is recorded. */
export type Giver =
  | { readonly kind: 'owner' }
  | { readonly kind: 'device'; readonly device: DeviceId }
  /** A session of the shared secret that decided. */
  | { readonly kind: 'secret' }
  /** A13: the shared secret, pairing a key about which nobody had decided. */
  | { readonly kind: 'pairing' }
  | { readonly kind: 'code'; readonly code: CodeId; readonly maker: Giver }
  | { readonly kind: 'token'; readonly name: string };

/** How a deciding principal is recorded; `null` for principals that can't decide about access at all (A12, A21). */
export function giverOf(principal: Principal): Giver | null {
  switch (principal.kind) {
    case 'owner':
    case 'secret':
      return { kind: principal.kind };
    case 'device':
      return { kind: 'device', device: principal.device };
    case 'token':
      return { kind: 'token', name: principal.name };
    case 'internal':
    case 'sender':
      return null;
  }
}
