import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node cuts a longer path silently and listens somewhere else. */
const SOCKET_PATH_MAX_BYTES = 103;

export interface OwnerSocketPlace {
  readonly path: string;
  /** The directory that must be private (0700, own, no link) before anybody listens or connects there. */
  readonly directory: string;
}

/**
 * A11: where the owner socket of a state directory is. Normally `run/gateway.sock`; where that is too long for a
 * socket, `<hash of the real state path>.sock` in `$XDG_RUNTIME_DIR/latchkey` or `/tmp/latchkey-<uid>`. The gateway
 * says in `run/gateway.json` which it took: a client believes that first.
 */
export function ownerSocketPlace(
  stateDir: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): OwnerSocketPlace {
  if (process.platform === 'win32') {
    const name = `latchkey-${hashOf(realpathSync(stateDir))}`;
    return { path: `\\\\.\\pipe\\${name}`, directory: join(stateDir, 'run') };
  }
  const directory = join(stateDir, 'run');
  const path = join(directory, 'gateway.sock');
  if (fits(path)) return { path, directory };
  const name = `${hashOf(realpathSync(stateDir))}.sock`;
  const runtime = env.XDG_RUNTIME_DIR;
  // A relative one is to be ignored, says the specification.
  if (runtime?.startsWith('/')) {
    const own = join(runtime, 'latchkey');
    if (fits(join(own, name))) return { path: join(own, name), directory: own };
  }
  const temporary = join(process.platform === 'linux' ? '/tmp' : tmpdir(), `latchkey-${process.getuid?.() ?? 0}`);
  return { path: join(temporary, name), directory: temporary };
}

/** A path that a socket can have. */
export function fits(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES;
}

function hashOf(path: string): string {
  // Loaded here: nearly every command finds its socket without it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}
