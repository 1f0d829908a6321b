// seed2: what the program does on the way, by helper connections of its own, was blocked by the scopes of its own device.
// Today these are the `gateway-client/backend` connects of `health`, `status --deep` and `channels status`.

import type { Play } from './play.ts';
import { identityIn, type Stage } from './stage.ts';

const HELPERS = [['health'], ['status', '--deep'], ['health', '--json']] as const;
/** 2026.3.13 reads parts of itself for it that can't be installed today (release.ts). */
const CHANNELS = ['channels', 'status'] as const;

const admin = (name: string, scopes: readonly string[]): Play => ({
  name: `seed2 ${name}`,
  act: async (stage: Stage, quick) => {
    const identity = identityIn(stage.home, stage.release.name !== '2026.9.6');
    await stage.side.declare(identity, scopes);
    await stage.fix();
    for (let time = 0; time < (quick ? 1 : 3); time += 1) await stage.all(HELPERS);
    if (stage.release.name !== '2026.3.13') await stage.works(CHANNELS);
    await stage.works(['devices', 'list']);
  },
});

export const seed2: readonly Play[] = [
  admin('helper calls of a device with admin, approvals, pairing', [
    'operator.admin',
    'operator.approvals',
    'operator.pairing',
  ]),
  admin('helper calls of a device with admin alone', ['operator.admin']),
];
