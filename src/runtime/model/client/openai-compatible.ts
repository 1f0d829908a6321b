import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { OpenClient } from './client.ts';

/** Chat Completions, as nearly every other server speaks it. */
export const open: OpenClient = ({ id, provider, baseUrl, key, headers, fetch }) =>
  createOpenAICompatible({
    name: provider,
    baseURL: baseUrl,
    ...(key === null ? {} : { apiKey: key }),
    headers: { ...headers },
    fetch,
    includeUsage: true,
  })(id);
