// Every check, in the order of THREATS.md.

import { FRAME_CHECKS } from './check/d1-frame.ts';
import { HTTP_CHECKS } from './check/d1-http.ts';
import { MUTATION_CHECKS } from './check/d1-mutation.ts';
import { NONCE_CHECKS } from './check/d2-nonce.ts';
import { PROOF_CHECKS } from './check/d2-proof.ts';
import { BIND_CHECKS } from './check/d3-bind.ts';
import { PLACE_CHECKS } from './check/d3-place.ts';
import { CALL_CHECKS } from './check/d4-call.ts';
import { FLOOD_CHECKS } from './check/d4-flood.ts';
import { GUESS_CHECKS } from './check/d4-guess.ts';
import { RACE_CHECKS } from './check/d5-race.ts';
import { SCOPE_CHECKS } from './check/d5-scope.ts';
import { TOKEN_CHECKS } from './check/d5-token.ts';
import { STATE_CHECKS } from './check/d6-state.ts';
import type { Check } from './check.ts';

export const CHECKS: readonly Check[] = [
  ...FRAME_CHECKS,
  ...MUTATION_CHECKS,
  ...HTTP_CHECKS,
  ...PROOF_CHECKS,
  ...NONCE_CHECKS,
  ...PLACE_CHECKS,
  ...BIND_CHECKS,
  ...FLOOD_CHECKS,
  ...CALL_CHECKS,
  ...SCOPE_CHECKS,
  ...RACE_CHECKS,
  ...TOKEN_CHECKS,
  ...STATE_CHECKS,
  // Last: who has guessed is slowed from then on.
  ...GUESS_CHECKS,
];
