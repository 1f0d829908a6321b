// Devices that are in a conversation and come back whenever they are cut off: Latchkey's own client, and a foreign one.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../src/client/address.ts';
import { Client, type Transport } from '../../src/client/client.ts';
import { handshake, type Session, type Signer } from '../../src/client/handshake.ts';
import { nodeCrypto } from '../../src/client/node/crypto.ts';
import { openWebSocket } from '../../src/client/node/websocket.ts';
import { Link, type LinkState } from '../../src/client/reconnect.ts';
import { verdictOf } from '../../src/client/retry.ts';
import { remedyFor } from '../../src/core/protocol/error.ts';
import { systemClock as clock } from '../../src/system/clock.ts';
import { newNonce } from '../../src/system/random.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, signature } from '../partner/identity.ts';
import { type Payload, until } from '../partner/peer.ts';
import { asking, READ, WRITE } from './act.ts';

/** What is waited for comes, or the test fails: it says nothing of how long anything may take. */
export const LONG_MS = 60_000;
/** The pauses of a link are these many times shorter here; what it says of them is not. */
const HASTE = 25;

/** A device that talks, and comes back whenever it is cut off. */
export interface Talker {
  readonly name: string;
  /** How often it began to dial. */
  tries(): number;
  isConnected(): boolean;
  /** Says it under one id until it was accepted. */
  say(id: string, message: string): Promise<Payload>;
  /** Why it was without a connection, in its own words, in order. */
  readonly reasons: string[];
  end(): void;
}

const said = (id: string, message: string) => ({ sessionKey: 'main', message, deliver: false, idempotencyKey: id });

/** Latchkey's own. */
export class Linked implements Talker {
  readonly name = "Latchkey's client";
  readonly states: LinkState[] = [];
  readonly reasons: string[] = [];
  mostOpen = 0;
  #open = 0;
  #pauseMs = -1;
  readonly #link: Link;

  constructor(port: number, identity: Identity) {
    const signer: Signer = { ...identity, sign: (text) => signature(identity, text) };
    this.#link = new Link({
      connect: () => this.#connect(port, signer),
      verdictOf: (error) => verdictOf(error, (refusal) => remedyFor(refusal, {})?.retry ?? null),
      after: (ms, run) => clock.after(ms === this.#pauseMs ? ms / HASTE : ms, run),
      chance: () => 0,
      onState: (state) => {
        this.states.push(state);
        if (state.kind !== 'pausing') return;
        this.#pauseMs = state.forMs;
        this.reasons.push(state.why.why);
      },
      onEvent: () => {},
    });
    this.#link.start();
  }

  async #connect(port: number, device: Signer): Promise<Session> {
    const address = parseAddress(`ws://127.0.0.1:${port}`);
    if (!address.ok) throw new Error(address.error);
    const { after } = clock;
    const dial = {
      address: address.value,
      lk: newNonce(),
      tlsFingerprint: null,
      insecure: false,
      timeoutMs: LONG_MS,
      after,
    };
    const client = new Client(this.#counted(await openWebSocket(dial)), after);
    return handshake(client, {
      host: address.value.host,
      lk: dial.lk,
      pin: null,
      device,
      foreignDevice: () => device,
      client: { id: 'cli', mode: 'cli', version: '1', platform: 'linux' },
      role: 'operator',
      scopes: [READ, WRITE],
      foreignScopes: [READ, WRITE],
      given: {},
      cached: null,
      earlier: null,
      crypto: nodeCrypto,
      after,
      now: () => clock.now(),
      newNonce,
      silenceMs: LONG_MS,
      onWaiting: () => 0,
    });
  }

  /** Tells how many sockets are open. */
  #counted(transport: Transport): Transport {
    this.#open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.#open);
    return {
      send: (text) => transport.send(text),
      close: () => transport.close(),
      open: ({ message, closed }) =>
        transport.open({
          message,
          closed: (why, code) => {
            this.#open -= 1;
            closed(why, code);
          },
        }),
    };
  }

  tries(): number {
    return this.states.filter(({ kind }) => kind === 'connecting').length;
  }

  isConnected(): boolean {
    return this.states.at(-1)?.kind === 'connected';
  }

  async say(id: string, message: string): Promise<Payload> {
    for (;;) {
      await until(`${this.name} is connected`, () => this.isConnected(), LONG_MS);
      try {
        return await this.#link.request('chat.send', said(id, message), LONG_MS);
      } catch (error) {
        if ((error as Error).name !== 'ConnectionLost') throw error;
      }
    }
  }

  end(): void {
    this.#link.close();
  }
}

/** One that was written from the protocol's text alone, and tries again at once. */
export class Foreign implements Talker {
  readonly name = 'a foreign client';
  readonly reasons: string[] = [];
  #tries = 0;
  #now: Partner | null = null;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(port: number, identity: Identity) {
    this.#done = this.#live(port, identity);
  }

  async #live(port: number, identity: Identity): Promise<void> {
    while (!this.#isOver) {
      this.#tries += 1;
      try {
        const partner = await Partner.open({ port });
        const answer = await partner.connect(asking([READ, WRITE]), { identity, timeoutMs: LONG_MS });
        if (!answer.ok) throw new Error(`${answer.error.code} ${answer.error.message}`);
        this.#now = partner;
        const { code } = await partner.closed;
        this.reasons.push(`closed ${code}`);
      } catch (error) {
        this.reasons.push(String(error));
      }
      this.#now = null;
      await sleep(50);
    }
  }

  tries(): number {
    return this.#tries;
  }

  isConnected(): boolean {
    return this.#now !== null;
  }

  async say(id: string, message: string): Promise<Payload> {
    for (;;) {
      await until(`${this.name} is connected`, () => this.isConnected(), LONG_MS);
      const partner = this.#now;
      if (partner === null) continue;
      const answer = await Promise.race([
        partner.call('chat.send', said(id, message), { timeoutMs: LONG_MS }).catch(() => null),
        partner.closed.then(() => null),
      ]);
      if (answer?.ok === true) return answer.payload;
      if (answer !== null) throw new Error(`${answer.error.code} ${answer.error.message}`);
    }
  }

  end(): void {
    this.#isOver = true;
    this.#now?.end();
    void this.#done;
  }
}
