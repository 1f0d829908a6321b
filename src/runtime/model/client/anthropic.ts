import { createAnthropic } from '@ai-sdk/anthropic';
import type { OpenClient } from './client.ts';

export const open: OpenClient = ({ id, baseUrl, key, headers, fetch }) =>
  createAnthropic({ apiKey: key ?? '', baseURL: baseUrl, headers: { ...headers }, fetch })(id);
