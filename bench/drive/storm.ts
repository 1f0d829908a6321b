import { type Identity, namedIdentity } from '../../test/partner/identity.ts';
import { openWebSocket, UpgradeRefused, type WebSocketConnection } from '../../test/partner/websocket.ts';
import { challenge } from './handshake.ts';
import type { Load, StormJob } from './load.ts';
import { Line, signedParams } from './socket.ts';

const PATIENCE_MS = 60_000;
const DIALS_A_TURN = 32;
const now = (): number => performance.timeOrigin + performance.now();

/** What differs from socket to socket is left out, so that equal ends can be counted. */
function kindOf(error: unknown): string {
  if (error instanceof UpgradeRefused) return `upgrade refused: ${error.status}`;
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 120).replace(/[0-9a-f-]{36}|\d+\.\d+\.\d+\.\d+:\d+/g, '…');
}

/** Every device dials at once and stays; what becomes of each is counted. None comes a second time. */
export function storm(job: StormJob): Load {
  let devices: readonly Identity[] = [];
  const open: WebSocketConnection[] = [];

  async function enter(identity: Identity): Promise<number> {
    const ws = await openWebSocket({ port: job.port });
    open.push(ws);
    const nonce = await challenge(ws);
    const line = new Line(ws);
    await line.call('connect', signedParams(identity, nonce, Date.now(), job.speech));
    return now();
  }

  function patiently(entry: Promise<number>): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, fail) => {
      timer = setTimeout(() => fail(new Error(`nothing within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    });
    return Promise.race([entry, late]).finally(() => clearTimeout(timer));
  }

  return {
    prepare: async (count) => {
      for (const ws of open.splice(0)) ws.destroy();
      devices = Array.from({ length: count }, (_, index) => namedIdentity(`${job.name}-${job.from + index}`));
    },
    run: async () => {
      const usedBefore = process.cpuUsage();
      const firstSynMs = now();
      const entries: Promise<number>[] = [];
      for (const identity of devices) {
        const entry = patiently(enter(identity));
        // Looked at below; until then a refusal is nobody's surprise.
        entry.catch(() => {});
        // One process dials for all of them: those that are through must not wait until the last one has dialed.
        if (entries.push(entry) % DIALS_A_TURN === 0) await new Promise((done) => setImmediate(done));
      }
      const ends = await Promise.allSettled(entries);
      const used = process.cpuUsage(usedBefore);
      const refused: Record<string, number> = {};
      let [admitted, lastHelloMs] = [0, firstSynMs];
      for (const end of ends) {
        if (end.status === 'fulfilled') {
          admitted += 1;
          lastHelloMs = Math.max(lastHelloMs, end.value);
        } else {
          const kind = kindOf(end.reason);
          refused[kind] = (refused[kind] ?? 0) + 1;
        }
      }
      const cpuMs = (used.user + used.system) / 1_000;
      return { answerBytes: 0, storm: { firstSynMs, lastHelloMs, admitted, refused, cpuMs } };
    },
  };
}
