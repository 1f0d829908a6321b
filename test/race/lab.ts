/** Everything that races, for `bundle.ts` to make one script of. */
export { MORE, NAMED } from './races.ts';
export { report, run } from './run.ts';
