import { registerStoreContract } from '../suite.ts';
import { openMemory } from './memory.ts';

registerStoreContract('memory', () => ({
  open: async () => openMemory(),
  reopen: null,
  clear: async () => undefined,
}));
