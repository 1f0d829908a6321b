// seed0: the command line stays in `pairing required` while `devices list` works; and, where another command came

import type { Play } from './play.ts';
// first, not even that. What a first command asks must not decide what the later ones can do.
import type { Stage } from './stage.ts';
import { tui } from './tui.ts';

const STATUS = [['status'], ['status', '--deep'], ['health'], ['gateway', 'probe'], ['devices', 'list']] as const;

export const seed0: readonly Play[] = [
  {
    name: 'seed0 devices list first',
    act: async (stage: Stage) => {
      await stage.works(['devices', 'list']);
      await stage.fix();
      await stage.all(STATUS);
    },
  },
  {
    name: 'seed0 health first',
    act: async (stage: Stage) => {
      await stage.works(['health']);
      await stage.fix();
      await stage.all(STATUS);
    },
  },
  {
    name: 'seed0 tui first',
    // Where it paired {admin} alone, no command could get out again.
    act: async (stage: Stage) => {
      const seen = await tui(stage);
      if (seen !== undefined) return seen;
      await stage.fix();
      await stage.all([['status'], ['devices', 'list'], ['devices', 'list', '--json'], ['health']]);
      return undefined;
    },
  },
];
