import type { SessionKey } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { MethodInput } from '../../core/protocol/registry.ts';
import type { Accepted, Enclosure, Send } from '../../runtime/runtime.ts';
import { type Context, Declined } from '../method/handler.ts';
import { spokenIn } from './command.ts';
import { declined, speakerOf } from './place.ts';
import { thinkingIn } from './thinking.ts';

interface Said {
  readonly id: string;
  readonly text: string;
  readonly attachments: MethodInput<'chat.send'>['attachments'];
  readonly model?: string | undefined;
  readonly thinking?: string | undefined;
  /** 0: as long as it takes. */
  readonly timeoutMs?: number | undefined;
  readonly deliver?: boolean | undefined;
}

/** 24 days: what OpenClaw's programs ask for where nothing is to end it, and as long as a timer runs. */
export const TIMEOUT_MAX_MS = 2_147_000_000;

/** Says it to the agent, or has the gateway answer it. Stored when it resolves. @throws Declined, Passed */
export async function say(c: Context, key: SessionKey, said: Said): Promise<Accepted> {
  const { conversations } = c.services;
  const { attachments, model, thinking, timeoutMs = 0 } = said;
  // Nothing is accepted that could not be done: an answer that goes nowhere would be lost unseen.
  if (said.deliver === true) throw new Declined('no_channel');
  const enclosures = (attachments ?? []).map(enclosureOf);
  const send: Send = {
    ...speakerOf(c),
    id: said.id as RunId,
    key,
    text: said.text,
    ...(enclosures.length === 0 ? {} : { enclosures }),
    ...(model === undefined ? {} : { model }),
    ...(thinking === undefined ? {} : { thinking: thinkingIn(thinking) }),
    ...(timeoutMs === 0 ? {} : { timeoutMs: Math.min(timeoutMs, TIMEOUT_MAX_MS) }),
  };
  const found = enclosures.length === 0 ? spokenIn(said.text) : null;
  const accepted =
    found === null
      ? await conversations.send(send)
      : await conversations.command(send, () => found.spoken.answer(c, key, found.rest));
  if ('code' in accepted) throw declined(accepted);
  return accepted;
}

/** As OpenClaw's clients write it, who put a data URL there at times; one with a type beyond all measure is none. */
function enclosureOf({
  fileName,
  mimeType,
  content,
}: NonNullable<MethodInput<'chat.send'>['attachments']>[number]): Enclosure {
  const [, type, data] = /^data:([^;,]{1,128});base64,([\s\S]*)$/.exec(content) ?? [];
  return {
    name: fileName ?? 'attachment',
    mediaType: mimeType ?? type ?? 'application/octet-stream',
    base64: data ?? content,
  };
}
