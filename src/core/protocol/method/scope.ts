import type { OperatorScope } from '../../authz/scope.ts';

/** The scopes that methods and events name; spelled here because this folder takes types only from core/authz. */
export const ADMIN = 'operator.admin' satisfies OperatorScope;
export const PAIRING = 'operator.pairing' satisfies OperatorScope;
export const READ = 'operator.read' satisfies OperatorScope;
export const WRITE = 'operator.write' satisfies OperatorScope;

/**
 * What every release of OpenClaw knows, and what a client asks of such a gateway, always: 2.19 pairs exactly what was
 * asked first, and compares without implication.
 */
export const OPENCLAW_ASK = [
  ADMIN,
  'operator.approvals',
  PAIRING,
  READ,
  WRITE,
] as const satisfies readonly OperatorScope[];
