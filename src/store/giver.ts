import type { DeviceId, Giver } from '../core/authz/principal.ts';

/** The device that gave: itself, or as the maker of the code that was used. `null`: no device did. */
export function deviceBehind(giver: Giver): DeviceId | null {
  switch (giver.kind) {
    case 'device':
      return giver.device;
    case 'code':
      return deviceBehind(giver.maker);
    default:
      return null;
  }
}
