import { createGoogle } from '@ai-sdk/google';
import type { OpenClient } from './client.ts';

export const open: OpenClient = ({ id, baseUrl, key, headers, fetch }) =>
  createGoogle({ apiKey: key ?? '', baseURL: baseUrl, headers: { ...headers }, fetch })(id);
