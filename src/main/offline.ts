import { join } from 'node:path';
import type { Offline } from '../cli/context.ts';
import type { Transport, TransportReceiver } from '../client/client.ts';
import { Gateway } from '../gateway/gateway.ts';
import type { Pipe, Receiver, TransportFacts } from '../gateway/listen/pipe.ts';
import { systemClock as clock } from '../system/clock.ts';
import type { Lock } from '../system/lock.ts';
import { createLog } from '../system/log.ts';
import { FileSink } from '../system/log-sink.ts';
import { configOf, type HouseOptions, openHouse } from './house.ts';
import { gatewayOptions, mindsOf } from './rules.ts';

/** As on the owner socket: whoever could take the lock and write the store is the owner (A11). */
const FACTS: TransportFacts = {
  door: 'owner',
  address: null,
  host: null,
  origin: null,
  forwarding: [],
  lk: null,
  userAgent: null,
};
const LOGS_KEPT = 3;

/**
 * The gateway of a state directory for one command, while no gateway runs: the same code, store and rules; no door, no
 * migration, nothing made that is missing (A11). Takes over `lock`, whatever becomes of it.
 * @throws Failure where the store, the identity or the configuration can't be used
 */
export async function openOffline(options: HouseOptions, lock: Lock): Promise<Offline> {
  try {
    const live = configOf(options);
    const { level, maxFileBytes } = live.now.config.logging;
    const path = join(options.stateDir, 'logs', 'gateway.jsonl');
    const sink = new FileSink({ level, path, maxBytes: maxFileBytes, keep: LOGS_KEPT });
    const log = createLog({ clock, sinks: [sink] });
    const house = await openHouse(options, live, { log, fresh: false });
    const door = { tcp: null, ready: false, started: false, ownerSocket: '', ownerKey: null };
    // Conversations that nobody starts are read and changed, and think nothing.
    const gateway = new Gateway(gatewayOptions(house, door, mindsOf(house)));
    const line = new InProcess((pipe) => gateway.accept(pipe));
    return {
      transport: line,
      async close() {
        line.close();
        await house.close();
        log.flush();
        sink.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Both ends of a connection within one process: text goes over in later turns, as from a socket. */
class InProcess implements Transport {
  readonly #accept: (pipe: Pipe) => Receiver;
  #gateway: Receiver | null = null;
  #client: TransportReceiver | null = null;

  constructor(accept: (pipe: Pipe) => Receiver) {
    this.#accept = accept;
  }

  open(client: TransportReceiver): void {
    this.#client = client;
    const end = (why: string) => {
      const told = this.#client;
      this.#client = null;
      told?.closed(why);
    };
    this.#gateway = this.#accept({
      facts: FACTS,
      send: (text) => void setImmediate(() => this.#client?.message(text)),
      buffered: () => 0,
      close: (code, reason) => void setImmediate(() => end(reason === '' ? String(code) : reason)),
      cut: () => end('cut'),
      allow: () => {},
      pause: () => {},
      resume: () => {},
    });
  }

  send(text: string): void {
    setImmediate(() => this.#gateway?.message(text));
  }

  close(): void {
    this.#client = null;
    const gateway = this.#gateway;
    this.#gateway = null;
    gateway?.closed(1000, '');
  }
}
