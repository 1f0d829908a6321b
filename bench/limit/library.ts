// The same relay over the client library that the gateway speaks to providers with: what remains is the gateway's own.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { relay } from './telling.ts';

relay(async (port, message, say) => {
  const model = createOpenAICompatible({ name: 'bench', baseURL: `http://127.0.0.1:${port}/v1`, includeUsage: true })(
    'words',
  );
  const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: message }] }];
  const reader = (await model.doStream({ prompt })).stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (value.type === 'text-delta') say(value.delta);
  }
});
