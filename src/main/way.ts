import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { PortTaken } from '../gateway/listen/occupant.ts';
import { EXIT, Failure } from '../system/failure.ts';
import { gatewayAt } from '../system/members.ts';
import { isNpmStart } from '../system/process.ts';
import { shellWord } from '../system/text.ts';

/** How another terminal names this state directory: ` --profile work`, ` --state-dir /srv/lk`; `''`: the usual one. */
export function placeFlag(stateDir: string, home = homedir()): string {
  if (stateDir === join(home, '.latchkey')) return '';
  const [, profile] = /^\.latchkey-([A-Za-z0-9][A-Za-z0-9_-]*)$/.exec(basename(stateDir)) ?? [];
  if (profile !== undefined && dirname(stateDir) === home) return ` --profile ${profile}`;
  return ` --state-dir ${shellWord(stateDir)}`;
}

/** Names who has the port, and another Latchkey by its state directory: that gateway may be the one that was meant. */
export function portTaken({ occupant, port }: PortTaken, stateDir: string): Failure {
  const place = placeFlag(stateDir);
  const other = occupant === null ? null : gatewayAt(occupant.pid);
  const at = other?.holds[0] ?? other?.stateDir ?? null;
  const latchkey = other === null ? null : `another Latchkey (pid ${other.pid}${at === null ? '' : `, state ${at}`})`;
  const who = occupant === null ? 'another program' : `${occupant.program} (pid ${occupant.pid})`;
  return new Failure(EXIT.configuration, {
    what: `port ${port} is taken`,
    why: `${latchkey ?? who} listens there`,
    run: isNpmStart(process.env)
      ? `npm start --${place} --port ${port + 1}`
      : `latchkey${place} gateway run --port ${port + 1}`,
  });
}
