import { DAY_MS } from '../core/base/instant.ts';

/** How long it is remembered how a request ended, and of how many. */
export const OUTCOME_MS = 30 * DAY_MS;
export const OUTCOMES_MAX = 10_000;
