import type { OperatorScope } from '../../authz/scope.ts';

/** The scopes that methods and events name; spelled here because this folder takes types only from core/authz. */
export const ADMIN = 'operator.admin' satisfies OperatorScope;
export const PAIRING = 'operator.pairing' satisfies OperatorScope;
export const READ = 'operator.read' satisfies OperatorScope;
