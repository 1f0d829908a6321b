// The five reports of people whose gateway locked them out, step by step with the real program.
import type { Part, Result } from './part.ts';
import type { ReleaseName } from './release.ts';
import { type Play, perform } from './seed/play.ts';
import { seed0 } from './seed/seed0.ts';
import { seed1 } from './seed/seed1.ts';
import { seed2 } from './seed/seed2.ts';
import { seed3 } from './seed/seed3.ts';
import { seed4 } from './seed/seed4.ts';
import { openclawSide } from './seed/side.ts';

export const seeds: Part = {
  name: 'seeds',
  about: [
    'Five reports, each step as it was told. `answers`: every command ends well and complains of nothing; where the',
    'secret really is wrong, or a person narrowed the device, the line that says so. `gateway`: no request is open but one',
    'that a person is to decide, every device holds what it held, no line is logged twice within a minute, and no command',
    'opens more sockets than it was ever recorded to. `remedy`: the command that Latchkey names, run as it stands, mends it.',
  ].join('\n'),
  run: async (release, context) => {
    const results: Result[] = [];
    for (const play of [...seed0, ...seed1, ...seed2, ...seed3, ...seed4])
      results.push(...(await perform(play, release, context)));
    return results;
  },
};

/** What was reported of which release, and can be played there without Latchkey's commands. */
const REPORTED: Partial<Readonly<Record<ReleaseName, readonly Play[]>>> = {
  '2026.2.19': [...seed0, ...seed1.filter((play) => !play.mends)],
  '2026.3.13': seed4,
};

/** The same plays and judges at the release's own gateway, where they are known to fail. */
export const seedProofs: Part = {
  name: 'seeds',
  about: "The reports on the gateways that they are about: OpenClaw's own, of 2026.2.19 and 2026.3.13.",
  run: async (release, context) => {
    const results: Result[] = [];
    for (const play of REPORTED[release.name] ?? [])
      results.push(...(await perform(play, release, context, await openclawSide(release))));
    return results;
  },
};
