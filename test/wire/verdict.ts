// Replays recorded connects against a gateway and says, in one line each, what became of them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Partner } from '../partner/client.ts';
import { type ConnectParams, namedIdentity, type SignatureVersion } from '../partner/identity.ts';
import type { Answer } from '../partner/peer.ts';
import { UpgradeRefused } from '../partner/websocket.ts';

/** One recorded `connect` (made by convert.mjs). `count`: how often the very same one was sent by that command. */
export interface RecordedConnect {
  readonly release: string;
  readonly command: string;
  readonly index: number;
  readonly count: number;
  readonly origin: 'same' | 'foreign' | null;
  readonly identity: string | null;
  readonly signature: SignatureVersion | null;
  readonly params: ConnectParams;
}

export function recordedConnects(): readonly RecordedConnect[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'fixture', 'connects.json'), 'utf8'));
}

/** How a connect is replayed: as it was, without its secret, or from a page of somebody else. */
export const SETS = ['secret', 'no secret', 'foreign origin'] as const;
export type ReplaySet = (typeof SETS)[number];

/** The params with the marker of the secret replaced; without `auth` in the set that brings no secret. */
export function replayParams(recorded: RecordedConnect, set: ReplaySet, token: string): ConnectParams {
  const { auth, ...rest } = recorded.params;
  if (auth === undefined || set === 'no secret') return rest;
  return {
    ...rest,
    auth: Object.fromEntries(Object.entries(auth).map(([k, v]) => [k, v === '<shared>' ? token : v])),
  };
}

function originOf(recorded: RecordedConnect, set: ReplaySet, port: number): { origin?: string } {
  if (set === 'foreign origin') return { origin: 'https://page.example' };
  return recorded.origin === 'same' ? { origin: `http://127.0.0.1:${port}` } : {};
}

const short = (scopes: readonly string[]): string =>
  scopes.length === 0 ? '–' : scopes.map((scope) => scope.replace(/^operator\./, '')).join(' ');

export { short as shortScopes };

/** What one replayed connect came to, as a line of the committed table. */
export interface Verdict {
  readonly text: string;
  readonly answer: Answer | null;
  /** Methods that the session could call: `status` needs read, `device.pair.list` pairing. */
  readonly may: readonly string[];
}

export async function replay(
  recorded: RecordedConnect,
  set: ReplaySet,
  gateway: { readonly port: number; readonly token: string },
): Promise<Verdict> {
  let partner: Partner;
  try {
    partner = await Partner.open({ port: gateway.port, ...originOf(recorded, set, gateway.port) });
  } catch (error) {
    if (error instanceof UpgradeRefused) return { text: `upgrade ${error.status}`, answer: null, may: [] };
    throw error;
  }
  try {
    const answer = await partner.connect(replayParams(recorded, set, gateway.token), {
      ...(recorded.identity === null ? {} : { identity: namedIdentity(recorded.identity) }),
      ...(recorded.signature === null ? {} : { version: recorded.signature }),
    });
    if (!answer.ok) {
      const { code, detail, close } = await partner.refusal(answer);
      return { text: `${code} ${String(detail)}, closed ${close.code}`, answer, may: [] };
    }
    const may: string[] = [];
    for (const [name, method] of [
      ['read', 'status'],
      ['pairing', 'device.pair.list'],
    ] as const) {
      if ((await partner.call(method)).ok) may.push(name);
    }
    const { auth, protocol } = answer.payload;
    const token = auth?.deviceToken === undefined ? '' : ', token';
    const told = auth === undefined ? 'nothing told' : short(auth.scopes);
    return { text: `v${protocol}: ${told}${token}; may ${may.join(' ') || 'nothing'}`, answer, may };
  } finally {
    partner.end();
  }
}
