/** Everything that explores, for `bundle.ts` to make one script of. */
export { real } from './core.ts';
export { explore, figures, report } from './explore.ts';
export { FAST } from './fast.ts';
export { NIGHTLY, raceWorld } from './nightly.ts';
export { system } from './system.ts';
export { TRANSCRIPTS } from './transcript.ts';
