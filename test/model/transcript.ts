import { CONNECTING } from './transcript-connect.ts';
import { DECIDING } from './transcript-decide.ts';
import { ENDING } from './transcript-end.ts';
import { PROVING } from './transcript-proof.ts';
import type { Transcript } from './transcript-type.ts';

/** Short plays, each for one clause: the unit tests run them on the real core, the mutant test on changed copies. */
export const TRANSCRIPTS: readonly Transcript[] = [...CONNECTING, ...PROVING, ...DECIDING, ...ENDING];
