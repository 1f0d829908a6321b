import { type Level, type Thinking, thinkingOf } from '../../core/conversation/thinking.ts';
import { Declined } from '../method/handler.ts';
import { quoted } from './place.ts';

/** The level that a caller means, in one spelling. @throws Declined `unknown_thinking` */
export function thinkingIn(text: string): Thinking {
  const thinking = thinkingOf(text);
  if (thinking === null) throw new Declined('unknown_thinking', quoted(text));
  return thinking;
}

/** As OpenClaw's clients list them. */
export function levelRows(levels: readonly Level[]): { id: string; label: string }[] {
  return levels.map((level) => ({ id: level, label: level }));
}
