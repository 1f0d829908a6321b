import { statSync } from 'node:fs';
import { isFailure } from '../system/failure.ts';
import type { Context } from './context.ts';

/** The configuration as a gateway that starts now would find it, seen with this command's own eyes. */
export interface Configured {
  readonly path: string;
  /** What named the file. */
  readonly from: 'LATCHKEY_CONFIG_PATH' | 'the state directory';
  readonly exists: boolean;
  /** Why no gateway would start with it; `null`: it is good. */
  readonly problem: { readonly what: string; readonly why: string; readonly run: string } | null;
  /** In force, but worth a word. */
  readonly warnings: readonly string[];
  /** Where a gateway would listen; `null`: that can't be told. */
  readonly door: { readonly addresses: readonly string[]; readonly port: number; readonly secure: boolean } | null;
}

/**
 * Loads what `configured` needs while it can be read: root goes on as the state directory's owner (A11), to whom the
 * program's own directory may be closed.
 */
export async function readyToConfigure({ state }: Context): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(state.path, { throwIfNoEntry: false })?.uid ?? 0;
  if (owner !== 0) await import('../config/load.ts');
}

export async function configured(context: Context): Promise<Configured> {
  // A file of its own in what is shipped: few commands need it.
  const { configPath, loadConfig } = await import('../config/load.ts');
  const { path: stateDir, profile, from } = context.state;
  const path = configPath(stateDir, context.host.env, from === '--profile');
  const named = path === configPath(stateDir, {}) ? 'the state directory' : 'LATCHKEY_CONFIG_PATH';
  try {
    const { text, config, warnings } = loadConfig({ path, profile });
    const { bind, port, tls } = config.gateway;
    const door = { addresses: bind.addresses, port, secure: tls !== null };
    return { path, from: named, exists: text !== null, problem: null, warnings, door };
  } catch (error) {
    if (!isFailure(error)) throw error;
    const { what, why, run } = error;
    return { path, from: named, exists: true, problem: { what, why, run }, warnings: [], door: null };
  }
}
