import { registerStoreContract } from '../suite.ts';
import { openSqlite } from './open.ts';
import { makeScratch } from './scratch.ts';

registerStoreContract('sqlite', () => {
  const scratch = makeScratch();
  return {
    open: () => openSqlite(scratch.options),
    reopen: () => openSqlite({ ...scratch.options, create: false }),
    clear: async () => scratch.clear(),
  };
});
