// What a driver process does, and how the runner speaks with it over the channel of `fork`.

/** A load on one server. A round is prepared outside the time that counts, then run inside it. */
export interface Load {
  prepare(operations: number): Promise<void>;
  /** @throws Error when an answer is a refusal; a storm counts them instead. */
  run(): Promise<Ran>;
}

/** What a round of a load found. */
export interface Ran {
  /** Mean of the answers. */
  readonly answerBytes: number;
  readonly storm?: Storm;
  /** Of each stream the time to its first words. */
  readonly firstMs?: readonly number[];
}

/** How a session speaks that is not the plain one: the only protocol it offers, and its credentials. */
export interface Speech {
  readonly protocol: 3 | 4;
  /** `connect.auth` */
  readonly auth?: Readonly<Record<string, string>>;
}

export interface HandshakeJob {
  readonly kind: 'handshake';
  readonly port: number;
  readonly speech?: Speech;
  /** PKCS8 of the device's key in base64. */
  readonly privateKey: string;
  readonly concurrency: number;
  /** Whether the server speaks first; a limit doesn't. */
  readonly challenged: boolean;
}

export interface CallJob {
  readonly kind: 'call';
  readonly port: number;
  /** `null`: a session of whoever brings the shared secret. */
  readonly privateKey: string | null;
  readonly speech?: Speech;
  /** What is asked for; reading, where absent. */
  readonly scopes?: readonly string[];
  readonly sockets: number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Whether a socket must connect before it calls; a limit answers at once. */
  readonly connected: boolean;
}

/** Answers of a model, token by token. */
export interface StreamJob {
  readonly kind: 'stream';
  readonly port: number;
  /** `proxy`: HTTP as the model server speaks it; the others take `chat.send` and tell events. */
  readonly via: 'gateway' | 'proxy' | 'relay';
  /** Of the clients' devices, which take turns. */
  readonly privateKeys: readonly string[];
  /** Sockets. Each is told of all runs. */
  readonly clients: number;
  /** Answers that are being given at once, by turns on the sockets and of the agents. */
  readonly streams: number;
  readonly agents: readonly string[];
  /** Of one answer: each is a token. */
  readonly words: number;
  /** Between two of them; 0: as fast as they come. */
  readonly paceMs: number;
}

export interface ApprovalJob {
  readonly kind: 'approval';
  readonly port: number;
  /** The device that approves, an admin. */
  readonly privateKey: string;
  readonly sockets: number;
  /** Calls in flight over all sockets. */
  readonly concurrency: number;
  /** The gateway's owner socket, to declare devices; absent: a limit, whose requests are only names. */
  readonly ownerSocket?: string;
  /** How many devices are paired and ask by turns; the gateway lists no others. */
  readonly devices: number;
}

/** Approvals of keys that are new each time, where a gateway has room for so many and knows no other request. */
export interface PairingJob {
  readonly kind: 'pairing';
  readonly port: number;
  /** Who decides; a key's PKCS8 in base64, or `null` for whoever brings the shared secret. */
  readonly privateKey: string | null;
  readonly speech: Speech;
  readonly scopes: readonly string[];
  /** What the new keys name, so that they are not paired at once. */
  readonly origin: string;
  readonly concurrency: number;
}

/** Devices that all come at once. Their keys are `namedIdentity(NAME-INDEX)`. */
export interface StormJob {
  readonly kind: 'storm';
  readonly port: number;
  readonly name: string;
  /** Index of the first. */
  readonly from: number;
  readonly speech: Speech;
}

/** What became of a storm. Instants are milliseconds since 1970, with a fraction: several drivers share them. */
export interface Storm {
  readonly firstSynMs: number;
  readonly lastHelloMs: number;
  readonly admitted: number;
  /** How the others ended, each with how many. */
  readonly refused: Readonly<Record<string, number>>;
  /** Of the driver itself. */
  readonly cpuMs: number;
}

export type Job = HandshakeJob | CallJob | StreamJob | ApprovalJob | PairingJob | StormJob;

export type ToDriver =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'prepare'; readonly operations: number }
  | { readonly kind: 'run' };

export type FromDriver =
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'ran'; readonly wallMs: number } & Ran)
  | { readonly kind: 'failed'; readonly reason: string };

/** Runs `one` until `operations` have been begun, `concurrency` at a time. */
export async function atOnce(
  operations: number,
  concurrency: number,
  one: (index: number, worker: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (number: number): Promise<void> => {
    while (next < operations) {
      next += 1;
      await one(next - 1, number);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, number) => worker(number)));
}
