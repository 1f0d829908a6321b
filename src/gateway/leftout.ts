import type { RoleState } from '../core/authz/state.ts';

/**
 * Whether what is listed as a no is what somebody left out of an approval (A5): a part of the grant was given at the very
 * same moment by the same giver. False also where that part has gone since: then it is a no like any other.
 */
export function isLeftOut({ grant, rejection }: Pick<RoleState, 'grant' | 'rejection'>): boolean {
  if (grant === null || rejection === null) return false;
  const by = JSON.stringify(rejection.by);
  return grant.entries.some((entry) => entry.at === rejection.at && JSON.stringify(entry.by) === by);
}
