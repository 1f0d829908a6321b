import type { Giver } from '../authz/principal.ts';
import type { Brand } from '../base/brand.ts';
import type { Instant } from '../base/instant.ts';
import type { Mode, RunId } from '../lane/lane.ts';

/** Where a conversation takes place: `agent:<agent>:<rest>`, the same for good. */
export type SessionKey = Brand<string, 'SessionKey'>;
/** One conversation at that place: a reset begins another one under the same key. */
export type SessionId = Brand<string, 'SessionId'>;

/** Longest key, in characters. */
export const KEY_MAX = 512;
const AGENT = /^[a-z0-9][a-z0-9_-]{0,63}$/;

export function isAgentId(text: string): boolean {
  return AGENT.test(text);
}

/**
 * The key that a client means. `main` and an empty one are the agent's main session; what doesn't begin with `agent:` is
 * a place of that agent. `null`: it is none, or names another agent than the one that was asked for.
 *
 * @param agent the agent that was asked for beside it, else the default one
 */
export function sessionKey(text: string, agent: string): SessionKey | null {
  const given = text.trim().toLowerCase();
  const whole = given === '' || given === 'main' ? `agent:${agent}:main` : given;
  const key = whole.startsWith('agent:') ? whole : `agent:${agent}:${whole}`;
  const [, owner = '', rest = ''] = /^agent:([^:]*):(.+)$/s.exec(key) ?? [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  const isPlain = !/[\u0000-\u0020\u007f\u2028\u2029]/.test(rest);
  return isAgentId(owner) && rest !== '' && isPlain && key.length <= KEY_MAX ? (key as SessionKey) : null;
}

/** What nobody sees, or a terminal obeys; but for what makes a picture of signs, or one of two. */
const PICTURE =
  /(?<=\p{Extended_Pictographic})\ufe0f|(?<=\p{Extended_Pictographic}\ufe0f?)\u200d(?=\p{Extended_Pictographic})/gu;
const UNSEEN = /\p{C}|\p{Default_Ignorable_Code_Point}/u;

/**
 * Whether a session may be begun under this key: it stands in lists and logs, and shows there what it is made of. Ones that
 * are there with other characters in their keys stay.
 */
export function isNewKey(key: SessionKey): boolean {
  return !UNSEEN.test(key.replace(PICTURE, ''));
}

export function agentOf(key: SessionKey): string {
  return key.split(':')[1] ?? '';
}

/** What a person set for one session; absent: as the agent has it. */
export interface SessionSettings {
  readonly label?: string;
  /** `provider/model` or an alias. */
  readonly model?: string;
  readonly queue?: Mode;
  readonly thinking?: string;
}

/** Tokens, as the provider counted them; `input` without what was cached, so that their sum is all of it. */
export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

export const NO_USAGE: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

/** Their sum, and never more than a whole number can be: a count that is full is still a count. */
export function added(...counts: readonly number[]): number {
  return counts.reduce((sum, count) => Math.min(Number.MAX_SAFE_INTEGER, sum + count), 0);
}

export function plus(a: Usage, b: Usage): Usage {
  return {
    input: added(a.input, b.input),
    output: added(a.output, b.output),
    cacheRead: added(a.cacheRead, b.cacheRead),
    cacheWrite: added(a.cacheWrite, b.cacheWrite),
  };
}

export interface SessionState {
  readonly key: SessionKey;
  readonly id: SessionId;
  readonly agent: string;
  /** By whom it was begun. */
  readonly giver: Giver;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly settings: SessionSettings;
  /** Rows of its transcript: their sequence runs from 1 to this without a gap. */
  readonly rows: number;
  /** Rows up to this one are summed up by the compaction that stands at `rows` or before it; 0: none are. */
  readonly compacted: number;
  readonly usage: Usage;
  /** What the latest call of the model took in, in tokens. */
  readonly context: number;
  readonly lastRun: RunId | null;
  readonly revision: number;
}
