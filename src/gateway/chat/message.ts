import type { Row, Sender } from '../../core/conversation/row.ts';
import { added, type Usage } from '../../core/conversation/session.ts';
import type { MethodOutput } from '../../core/protocol/registry.ts';

/** A message as OpenClaw's clients read it (PROTOCOL.md §5.2). */
export type Message = MethodOutput<'chat.history'>['messages'][number];

/** The id of a row, for people and clients: the same for good. */
export function rowId({ session, seq }: Row): string {
  return `${session}:${seq}`;
}

/** What people see of a row: one message, of a command and its answer two. */
export function messagesOf(row: Row): readonly Message[] {
  const { body, at, seq, run } = row;
  const mark = { id: rowId(row), seq, ...(run === null ? {} : { runId: run }) };
  const base = { timestamp: at, __openclaw: mark };
  switch (body.kind) {
    case 'user': {
      const files = body.attachments.map(({ name, mediaType, bytes }) => ({
        type: 'attachment',
        name,
        mimeType: mediaType,
        bytes,
      }));
      return [
        { ...base, role: 'user', content: [part(body.text), ...files], __openclaw: { ...mark, ...sender(body) } },
      ];
    }
    case 'assistant': {
      const calls = body.calls.map(({ id, name, input }) => ({ type: 'toolCall', id, name, arguments: input }));
      const content = [...(body.text === '' ? [] : [part(body.text)]), ...calls];
      const { provider, model } = nameOf(body.model);
      return [
        {
          ...base,
          role: 'assistant',
          content,
          provider,
          model,
          usage: usageOf(body.usage),
          stopReason: STOP[body.stop],
        },
      ];
    }
    case 'tool': {
      const { call, name, text, failed } = body;
      return [
        { ...base, role: 'toolResult', content: [part(text)], toolCallId: call, toolName: name, isError: failed },
      ];
    }
    case 'note': {
      const text = body.label === null ? body.text : `[${body.label}]\n\n${body.text}`;
      return [{ ...base, role: 'assistant', content: [part(text)], provider: OWN, model: 'injected' }];
    }
    case 'command': {
      const aside = { ...base, excludeFromContext: true };
      const answer = { ...mark, id: `${mark.id}:answer`, kind: 'command' };
      return [
        {
          ...aside,
          role: 'user',
          content: [part(body.text)],
          __openclaw: { ...mark, ...sender(body), kind: 'command' },
        },
        {
          ...aside,
          role: 'assistant',
          content: [part(body.answer)],
          provider: OWN,
          model: 'command',
          __openclaw: answer,
        },
      ];
    }
    case 'summary':
      return [{ ...base, role: 'system', content: [part(body.text)], __openclaw: { ...mark, kind: 'compaction' } }];
  }
}

/** The text of a message, without what is no text. */
export function textOf(message: Message): string {
  return message.content.flatMap((one) => (isText(one) ? [one.text] : [])).join('\n');
}

/** `provider/model`, apart; a name without a provider is an alias, or a model that is gone. */
export function nameOf(model: string): { readonly provider: string; readonly model: string } {
  const at = model.indexOf('/');
  return at < 1 ? { provider: OWN, model } : { provider: model.slice(0, at), model: model.slice(at + 1) };
}

export function usageOf({ input, output, cacheRead, cacheWrite }: Usage) {
  return { input, output, cacheRead, cacheWrite, totalTokens: added(input, output, cacheRead, cacheWrite) };
}

/** What the gateway itself says stands under this provider. */
const OWN = 'latchkey';
/** Why an answer ended, in one word everywhere: `aborted` is one that was cut off, by whatever. */
export const STOP = { stop: 'stop', length: 'length', tools: 'toolUse', partial: 'aborted' } as const;

/** Who said it, as claimed. */
function sender({ from }: { readonly from: Sender }): { readonly senderId?: string } {
  return from.name === null ? {} : { senderId: from.name };
}

function part(text: string): { readonly type: 'text'; readonly text: string } {
  return { type: 'text', text };
}

function isText(one: unknown): one is { readonly text: string } {
  return typeof one === 'object' && one !== null && (one as { type?: unknown }).type === 'text';
}
