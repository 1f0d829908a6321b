// What a driver process does, and how the runner speaks with it over the channel of `fork`.

/** A load on one server. A round is prepared outside the time that counts, then run inside it. */
export interface Load {
  prepare(operations: number): Promise<void>;
  /** Mean bytes of the answers. @throws Error when an answer is a refusal. */
  run(): Promise<{ readonly answerBytes: number }>;
}

export interface HandshakeJob {
  readonly kind: 'handshake';
  readonly port: number;
  /** PKCS8 of the device's key in base64. */
  readonly privateKey: string;
  readonly concurrency: number;
  /** Whether the server speaks first; a limit doesn't. */
  readonly challenged: boolean;
}

export interface CallJob {
  readonly kind: 'call';
  readonly port: number;
  readonly privateKey: string;
  readonly sockets: number;
  readonly method: string;
  /** Whether a socket must connect before it calls; a limit answers at once. */
  readonly connected: boolean;
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

export type Job = HandshakeJob | CallJob | ApprovalJob;

export type ToDriver =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'prepare'; readonly operations: number }
  | { readonly kind: 'run' };

export type FromDriver =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ran'; readonly wallMs: number; readonly answerBytes: number }
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
