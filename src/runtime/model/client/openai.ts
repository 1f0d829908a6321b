import { createOpenAI } from '@ai-sdk/openai';
import type { OpenClient } from './client.ts';

/** OpenAI's own Responses API: its newest models take tools there alone. */
export const open: OpenClient = ({ id, baseUrl, key, headers, fetch }) =>
  createOpenAI({ apiKey: key ?? '', baseURL: baseUrl, headers: { ...headers }, fetch }).responses(id);
