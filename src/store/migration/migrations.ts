import { access } from './0001-access.ts';
import { conversation } from './0002-conversation.ts';
import { saying } from './0003-saying.ts';
import { kept } from './0004-kept.ts';
import type { Migration } from './migration.ts';

/** Every migration there is, in order. */
export const migrations: readonly Migration[] = [access, conversation, saying, kept];
