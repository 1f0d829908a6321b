import type {
  JSONObject,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider';
import type { Level } from '../../core/conversation/thinking.ts';
import type { AssistantMessage, Keep, Message, ProviderKind, Step, Tool, UserMessage } from './model.ts';

type AssistantContent = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'];
type UserContent = Extract<LanguageModelV4Message, { role: 'user' }>['content'];

/** A step in the words of the client libraries. @param thinking one that the model has; `null`: nothing is said of it */
export function callOf(step: Step, kind: ProviderKind, thinking: Level | null): LanguageModelV4CallOptions {
  const tools = (step.tools ?? []).map(toolOf);
  return {
    prompt: promptOf(step.system, step.messages, kind),
    ...(tools.length === 0 ? {} : { tools, toolChoice: { type: 'auto' as const } }),
    ...(step.maxOutputTokens === undefined ? {} : { maxOutputTokens: step.maxOutputTokens }),
    ...(thinking === null ? {} : { reasoning: thinking === 'off' ? ('none' as const) : thinking }),
  };
}

function toolOf({ name, description, input }: Tool) {
  return { type: 'function' as const, name, description, inputSchema: input as object };
}

function promptOf(system: string, messages: readonly Message[], kind: ProviderKind): LanguageModelV4Prompt {
  const first: LanguageModelV4Prompt = system === '' ? [] : [{ role: 'system', content: system }];
  return [...first, ...messages.flatMap((message) => messageOf(message, kind))];
}

function messageOf(message: Message, kind: ProviderKind): LanguageModelV4Message[] {
  switch (message.role) {
    case 'user':
      return [{ role: 'user', content: userContent(message) }];
    case 'assistant': {
      const content = assistantContent(message, kind);
      // Providers refuse a message without content.
      return content.length === 0 ? [] : [{ role: 'assistant', content }];
    }
    case 'tool':
      return [
        {
          role: 'tool',
          content: message.results.map(({ id, name, output, isError }) => ({
            type: 'tool-result',
            toolCallId: id,
            toolName: name,
            output: { type: isError ? 'error-text' : 'text', value: output },
          })),
        },
      ];
  }
}

function userContent({ content }: UserMessage): UserContent {
  return content.map((part) =>
    part.kind === 'text'
      ? { type: 'text', text: part.text }
      : {
          type: 'file',
          mediaType: part.mediaType,
          // Bytes, never an address: nobody but us fetches what a person names.
          data: { type: 'data', data: part.data },
          ...(part.name === undefined ? {} : { filename: part.name }),
        },
  );
}

function assistantContent({ content }: AssistantMessage, kind: ProviderKind): AssistantContent {
  return content.flatMap((part) => {
    const sent = sentPart(part, kind);
    return sent === null ? [] : [sent];
  });
}

/** `null`: it is not sent. */
function sentPart(part: AssistantMessage['content'][number], kind: ProviderKind): AssistantContent[number] | null {
  const kept = keptOf(part.keep, kind);
  switch (part.kind) {
    case 'text':
      return part.text === '' && part.keep === undefined ? null : { type: 'text', text: part.text, ...kept };
    case 'reasoning':
      // What another provider thought is not signed by this one, and would be refused.
      return part.keep?.by === kind ? { type: 'reasoning', text: part.text, ...kept } : null;
    case 'tool':
      return { type: 'tool-call', toolCallId: part.id, toolName: part.name, input: part.input ?? {}, ...kept };
  }
}

function keptOf(keep: Keep | undefined, kind: ProviderKind): { providerOptions?: SharedV4ProviderOptions } {
  return keep?.by === kind ? { providerOptions: keep.data as Record<string, JSONObject> } : {};
}
