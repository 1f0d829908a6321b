// The gateway that a run starts for itself where no address is given: this checkout's, on a fresh state directory.
import { type Gateway, start } from '../gateway.ts';
import { FrameLog } from './log.ts';
import { Target } from './target.ts';

/** The default of `gateway.handshakeTimeoutMs`. */
const HANDSHAKE_MS = 15_000;

export async function ownTarget(options: {
  readonly seed: number;
  readonly quick: boolean;
  readonly patience: number;
}): Promise<Target> {
  const gateway: Gateway = await start({
    config: {
      gateway: {
        allowedHosts: ['gateway.example'],
        controlUi: { allowedOrigins: ['https://ui.example'] },
      },
    },
  });
  const { port, token, pid, stateDir } = gateway;
  const log = new FrameLog([token]);
  const host = `127.0.0.1:${port}`;
  const place = { port, address: '127.0.0.1', host, token, pid, stateDir };
  return new Target({ ...place, ...options, own: gateway, log, handshakeMs: HANDSHAKE_MS, mayStart: true });
}
