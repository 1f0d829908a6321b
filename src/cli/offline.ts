import { takeLock } from '../system/lock.ts';
import { shellWord } from '../system/text.ts';
import type { Context, Offline } from './context.ts';
import { elsewhere, elsewhereText } from './elsewhere.ts';

/**
 * A11: with no gateway running the command is one itself, without listeners: the same code decides on the same store,
 * under the state directory's lock. `null`: somebody holds the lock, so a gateway is starting or ending, or another
 * command is at it.
 * @throws Failure where the store, the identity, the configuration or the lock can't be used
 */
export async function openOffline(context: Context): Promise<Offline | null> {
  const { path: stateDir, profile, from } = context.state;
  const taken = await takeLock(stateDir, { program: 'latchkey, a command', brief: true });
  if (!taken.ok) return null;
  context.output.err(`latchkey: no gateway runs; working on ${shellWord(stateDir)} itself\n`);
  // Nobody named this directory: what is decided in it may have been meant for the gateway that runs.
  const others = from === 'default' ? elsewhereText(elsewhere(context)) : '';
  if (others !== '') context.output.err(`latchkey: ${others}\n`);
  return context.host.openOffline({ stateDir, profile, explicitProfile: from === '--profile' }, taken.lock);
}
