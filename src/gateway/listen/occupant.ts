import type { Occupant } from '../../system/listener.ts';

export { type Occupant, portOccupant } from '../../system/listener.ts';

/** The port is another program's. `occupant`: `null` where the system doesn't say (another user's, no /proc). */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
  readonly code = 'EADDRINUSE';
  readonly address: string;
  readonly port: number;
  readonly occupant: Occupant | null;

  constructor(address: string, port: number, occupant: Occupant | null) {
    const who = occupant === null ? 'another program' : `${occupant.program} (pid ${occupant.pid})`;
    super(`port ${port} at ${address} is taken by ${who}`);
    this.address = address;
    this.port = port;
    this.occupant = occupant;
  }
}
