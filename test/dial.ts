// One connect, in a process of its own: so that it can be made from another network namespace. Run by `dialFrom`.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Machine } from './namespace.ts';
import { type OpenOptions, Partner } from './partner/client.ts';
import { type ConnectParams, namedIdentity } from './partner/identity.ts';
import type { Answer } from './partner/peer.ts';
import { UpgradeRefused } from './partner/websocket.ts';

export interface Dial {
  readonly open: OpenOptions;
  readonly params: ConnectParams;
  /** The key of this name (`namedIdentity`); absent: none. */
  readonly identity?: string;
}

/** What came of it. */
export type Dialed =
  | {
      readonly kind: 'answer';
      readonly answer: Answer;
      readonly gatewayKey: string | null;
      readonly tls: string | null;
    }
  | { readonly kind: 'upgrade'; readonly status: number; readonly body: string }
  | { readonly kind: 'failed'; readonly why: string };

/** Makes a connect on that machine. */
export async function dialFrom(machine: Machine, dial: Dial): Promise<Dialed> {
  const [path = '', ...args] = machine.inside(process.execPath, import.meta.filename, JSON.stringify(dial));
  const { stdout } = await promisify(execFile)(path, args, { timeout: 20_000 });
  return JSON.parse(stdout);
}

async function dialed({ open, params, identity }: Dial): Promise<Dialed> {
  try {
    const partner = await Partner.open({ lk: true, ...open });
    const answer = await partner.connect(params, identity === undefined ? {} : { identity: namedIdentity(identity) });
    const { socket } = partner.ws;
    const tls =
      'getPeerX509Certificate' in socket
        ? ((socket as import('node:tls').TLSSocket).getPeerX509Certificate()?.fingerprint256 ?? null)
        : null;
    partner.end();
    return { kind: 'answer', answer, gatewayKey: partner.challenge.gateway?.key ?? null, tls };
  } catch (error) {
    if (error instanceof UpgradeRefused) return { kind: 'upgrade', status: error.status, body: error.body };
    return { kind: 'failed', why: String(error) };
  }
}

if (process.argv[1] === import.meta.filename) {
  process.stdout.write(JSON.stringify(await dialed(JSON.parse(process.argv[2] ?? ''))));
}
