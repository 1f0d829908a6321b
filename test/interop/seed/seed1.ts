// seed1: a request to widen that comes back for ever. A device that holds admin is asked for less than that again and
// again; and a device that really lacks something asks once, is told once, and is mended by one command.

import type { Play } from './play.ts';
import { identityIn, type Stage } from './stage.ts';

const [ADMIN, APPROVALS, PAIRING, READ] = [
  'operator.admin',
  'operator.approvals',
  'operator.pairing',
  'operator.read',
] as const;
const NARROW = [ADMIN, APPROVALS, PAIRING];
const TIMES = 10;

const rotate = (device: string) => [
  ...['devices', 'rotate', '--device', device, '--role', 'operator'],
  ...NARROW.flatMap((scope) => ['--scope', scope]),
];

const times = (quick: boolean) => (quick ? 3 : TIMES);

export const seed1: readonly Play[] = [
  {
    name: 'seed1 rotated to admin, approvals, pairing, then status ten times',
    act: async (stage: Stage, quick) => {
      // 2026.9.6 brings no key to its own host's gateway; the device is another program's then.
      const identity = identityIn(stage.home, stage.release.name !== '2026.9.6');
      await stage.side.declare(identity, NARROW);
      await stage.fix();
      await stage.works(rotate(identity.id));
      for (let time = 0; time < times(quick); time += 1) await stage.works(['status']);
      await stage.all([['health'], ['devices', 'list']]);
    },
  },
  {
    name: 'seed1 rotated from everything to admin, approvals, pairing',
    act: async (stage: Stage, quick) => {
      const identity = identityIn(stage.home, stage.release.name !== '2026.9.6');
      await stage.works(['devices', 'list']);
      const device = Object.keys(await stage.side.grants())[0];
      if (device === undefined) await stage.side.declare(identity, [...NARROW, READ]);
      await stage.works(rotate(device ?? identity.id));
      await stage.fix();
      // The client's own file still tells of all the scopes that it was given first.
      for (let time = 0; time < times(quick); time += 1) await stage.works(['status']);
      await stage.all([['status', '--deep'], ['health'], ['devices', 'list']]);
    },
  },
  {
    name: 'seed1 a wide ask is open while narrower commands run',
    absent: { '2026.9.6': 'brings no key to the gateway of its own host' },
    mends: true,
    act: async (stage: Stage) => {
      const identity = identityIn(stage.home);
      await stage.side.declare(identity, [READ]);
      await stage.fix();
      const said = await stage.names(['devices', 'list'], /missing scope|pairing required/);
      const asked = await stage.side.open();
      for (const args of [['health'], ['health']]) await stage.works(args);
      await stage.names(['devices', 'list'], /missing scope|pairing required/);
      const asks = await stage.side.open();
      if (asked.length !== 1 || `${asks}` !== `${asked}`) stage.wrongAnswers.push(`asked ${asked}, then ${asks}`);
      const held = Object.values(await stage.side.grants());
      if (`${held}` !== READ) stage.wrongAnswers.push(`it holds ${held} before anybody decided`);
      await stage.settle(1);
      await stage.mend(await stage.remedy(asks[0]));
      await stage.fix();
      await stage.all([['devices', 'list'], ['status'], ['health']]);
      return { said };
    },
  },
];
