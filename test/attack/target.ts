// A gateway under attack, known by its address and its secret alone: how to become somebody there, in the words that
// Latchkey and OpenClaw share.
import { connect as dial, type Socket } from 'node:net';
import { Canary } from '../canary.ts';
import { type Gateway, type GatewayOptions, start } from '../gateway.ts';
import { type ConnectOptions, type OpenOptions, Partner } from '../partner/client.ts';
import { type ConnectParams, type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer, Payload } from '../partner/peer.ts';
import { type Closed, UpgradeRefused } from '../partner/websocket.ts';
import { Random } from '../random.ts';
import { ADMIN, APPROVALS, asking, PAIRING, READ, WRITE } from '../scenario/act.ts';
import type { FrameLog } from './log.ts';

export interface TargetOptions {
  readonly port: number;
  readonly address: string;
  /** What the Host line says. */
  readonly host: string;
  readonly token: string;
  readonly seed: number;
  /** Small counts, for a minute in all. */
  readonly quick: boolean;
  readonly log: FrameLog;
  readonly pid?: number;
  readonly stateDir?: string;
  /** The gateway that the harness started for this run, if it did. */
  readonly own?: Gateway;
  /** From the accepted socket to an answered `connect`. */
  readonly handshakeMs: number;
  /** How much longer than THREATS.md says somebody may wait: 1, or more where other tests share the machine. */
  readonly patience: number;
  /** May start gateways of this checkout beside it. */
  readonly mayStart: boolean;
}

/** What one connect came to: let in, refused with an answer, or refused at the upgrade. */
export interface Outcome {
  readonly gist: string;
  readonly payload: Payload;
  readonly partner: Partner | null;
}

export class Target {
  readonly options: TargetOptions;
  /** `server.version` of its hello, and whether its challenge is signed (A18). */
  version = 'unknown';
  product: 'latchkey' | 'openclaw' = 'openclaw';
  methods: readonly string[] = [];
  canary: { readonly identity: Identity; readonly partner: Partner } | null = null;
  #admin: Partner | null = null;
  #adminIdentity: Identity | undefined;
  #partners: Partner[] = [];
  #sockets: Socket[] = [];
  #spawned: { readonly gateway: Gateway; readonly keeps: boolean }[] = [];
  #devices: Identity[] = [];
  /** OpenClaw's own device tokens, without which its paired devices can't come back. */
  readonly #tokens = new Map<string, string>();

  constructor(options: TargetOptions) {
    this.options = options;
  }

  get quick(): boolean {
    return this.options.quick;
  }

  /** How long somebody who is known may wait for an answer, whatever else goes on. */
  get servedMs(): number {
    return 1_000 * this.options.patience;
  }

  /** Dice of one check: the same for the same seed, whatever ran before. */
  dice(salt: number): Random {
    return new Random(Math.imul(this.options.seed, 1_000_003) + salt);
  }

  place(more: Partial<OpenOptions> = {}): OpenOptions {
    const { port, address, host, log } = this.options;
    return { port, address, host, trace: log.connection(), ...more };
  }

  /** A socket that has its challenge; ended with the check. @throws UpgradeRefused */
  async open(more: Partial<OpenOptions> = {}): Promise<Partner> {
    const partner = await Partner.open(this.place(more));
    this.#partners.push(partner);
    return partner;
  }

  /** Opens and connects; the outcome says where it ended. The socket stays open where it was let in. */
  async connect(
    params: ConnectParams,
    options: ConnectOptions = {},
    more: Partial<OpenOptions> = {},
  ): Promise<Outcome> {
    let partner: Partner;
    try {
      partner = await this.open(more);
    } catch (error) {
      if (error instanceof UpgradeRefused) return { gist: `upgrade ${error.status}`, payload: null, partner: null };
      throw error;
    }
    const answer = await answered(partner, partner.connect(params, options));
    return { gist: gistOf(answer), payload: payloadOf(answer), partner };
  }

  /** What a paired device brings beside its signature: nothing at Latchkey, its token at OpenClaw. */
  credential(identity: Identity): Partial<ConnectParams> {
    const deviceToken = this.#tokens.get(identity.id);
    return deviceToken === undefined ? {} : { auth: { deviceToken } };
  }

  /** A connect that a device makes for itself: its scopes, its credential, and its key in the options. */
  async enter(identity: Identity, scopes: readonly string[], more: Partial<OpenOptions> = {}): Promise<Outcome> {
    return this.connect(asking(scopes, this.credential(identity)), { identity }, more);
  }

  /** A live session. @throws Error when it is refused */
  async session(identity: Identity, scopes: readonly string[]): Promise<{ partner: Partner; hello: Payload }> {
    const { gist, payload, partner } = await this.enter(identity, scopes);
    if (gist !== 'ok' || partner === null) throw new Error(`a paired device was refused: ${gist}`);
    return { partner, hello: payload };
  }

  /** A session with every scope that the secret gives; one for the whole run. */
  async admin(): Promise<Partner> {
    if (this.#admin !== null && !this.#admin.ws.socket.destroyed) return this.#admin;
    const scopes = [ADMIN, APPROVALS, PAIRING, READ, WRITE];
    // OpenClaw 2026.3.13 takes the scopes of a session without a device away.
    for (const keyed of [false, true]) {
      if (keyed) this.#adminIdentity ??= newIdentity();
      const partner = await Partner.open({ ...this.place({ lk: true }), trace: () => {} });
      const params = asking(scopes, { auth: { token: this.options.token } });
      const identity = keyed ? this.#adminIdentity : undefined;
      const answer = await answered(partner, partner.connect(params, identity === undefined ? {} : { identity }));
      if (answer.ok && (await partner.call('device.pair.list', {})).ok) {
        this.version = String(answer.payload.server?.version ?? 'unknown');
        this.product = partner.challenge.gateway === undefined ? 'openclaw' : 'latchkey';
        this.methods = answer.payload.features?.methods ?? [];
        this.#admin = partner;
        return partner;
      }
      partner.end();
    }
    throw new Error('the secret opens no session that may list devices: is it the right one?');
  }

  /** A new device that holds exactly these scopes; removed after the check. */
  async pair(scopes: readonly string[]): Promise<Identity> {
    const identity = newIdentity();
    this.#devices.push(identity);
    await this.give(identity, scopes);
    return identity;
  }

  /** Makes these the scopes of a device. */
  async give(identity: Identity, scopes: readonly string[]): Promise<void> {
    const admin = await this.admin();
    if (this.methods.includes('device.pair.ensure')) {
      await admin.ask('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes });
      return;
    }
    // OpenClaw: the first connect with the secret from loopback is approved with what it asks.
    const params = asking(scopes, { auth: { token: this.options.token } });
    const { gist, payload, partner } = await this.connect(params, { identity });
    if (gist !== 'ok') throw new Error(`pairing: ${gist}`);
    if (typeof payload.auth?.deviceToken === 'string') this.#tokens.set(identity.id, payload.auth.deviceToken);
    partner?.end();
  }

  /** Makes an open request for these scopes and returns its id. @throws Error when none was made */
  async ask(identity: Identity, scopes: readonly string[]): Promise<string> {
    const plain = await this.enter(identity, scopes);
    plain.partner?.end();
    const idOf = ({ payload }: Outcome): unknown => payload?.auth?.requestId ?? payload?.requestId;
    if (typeof idOf(plain) === 'string') return String(idOf(plain));
    // OpenClaw approves silently from loopback, and asks a person only where there is a page.
    const headers = { Origin: `http://${this.options.host}` };
    const params = asking(scopes, { auth: { token: this.options.token } });
    const page = await this.connect(params, { identity }, { headers });
    page.partner?.end();
    if (typeof idOf(page) === 'string') return String(idOf(page));
    throw new Error(`no request was made: ${plain.gist}, ${page.gist}`);
  }

  /** The raw scopes of a device's operator grant, sorted; `null` without one. */
  async granted(identity: Identity): Promise<readonly string[] | null> {
    const { paired } = await (await this.admin()).ask('device.pair.list', {});
    const row = paired.find((device: Payload) => device.deviceId === identity.id);
    return row === undefined ? null : [...(row.approvedScopes ?? row.scopes ?? [])].sort();
  }

  /** Forgets what was heard so far: a check of many thousand calls would keep gigabytes. */
  forget(): void {
    for (const partner of [...this.#partners, this.#admin, this.canary?.partner ?? null]) {
      if (partner === null) continue;
      partner.received.length = 0;
      partner.events.length = 0;
    }
    this.#partners = this.#partners.filter(({ ws }) => !ws.socket.destroyed);
  }

  /** Open requests, of one device where given. */
  async pending(identity?: Identity): Promise<readonly Payload[]> {
    const { pending } = await (await this.admin()).ask('device.pair.list', {});
    const isOpen = (row: Payload) => row.state !== 'rejected';
    return pending.filter((row: Payload) => isOpen(row) && (identity === undefined || row.deviceId === identity.id));
  }

  /** A device that a check made by other means; removed after it. */
  adopt(identity: Identity): Identity {
    this.#devices.push(identity);
    return identity;
  }

  /** Bytes on a bare socket; what came back until its end, or within `patienceMs`. */
  raw(bytes: string | Buffer, patienceMs = 2_000): Promise<string> {
    return rawTo(this.options, bytes, patienceMs);
  }

  /** A bare socket, ended with the check. */
  dial(localAddress?: string): Socket {
    const { port, address } = this.options;
    const socket = dial({ port, host: address, ...(localAddress === undefined ? {} : { localAddress }) });
    socket.on('error', () => {});
    this.#sockets.push(socket);
    return socket;
  }

  /** Another gateway of this checkout, ended with the check; a state directory that was not given goes with it. */
  async spawn(options: GatewayOptions = {}): Promise<Gateway> {
    const gateway = await start(options);
    this.#spawned.push({ gateway, keeps: options.stateDir !== undefined });
    return gateway;
  }

  /** A target of its own over such a gateway, with the same log. */
  over(gateway: Gateway): Target {
    const { port, token, pid, stateDir } = gateway;
    const place = { port, address: '127.0.0.1', host: `127.0.0.1:${port}`, token, pid, stateDir };
    const target = new Target({ ...this.options, ...place, own: gateway });
    this.#inner.push(target);
    return target;
  }
  readonly #inner: Target[] = [];

  /** A paired device that goes on asking until it is stopped. */
  async watch(pauseMs = 20): Promise<Canary> {
    const identity = await this.pair([READ]);
    return new Canary(identity, (await this.session(identity, [READ])).partner, pauseMs);
  }

  /** The canary of the whole run is served within a second. @throws Error when it is not */
  async alive(): Promise<void> {
    if (this.canary === null) {
      const identity = newIdentity();
      await this.give(identity, [READ]);
      const params = asking([READ], this.credential(identity));
      const partner = await Partner.open({ ...this.place(), trace: () => {} });
      const answer = await answered(partner, partner.connect(params, { identity }));
      if (!answer.ok) throw new Error(`the canary was refused: ${gistOf(answer)}`);
      this.canary = { identity, partner };
    }
    const { partner } = this.canary;
    if (partner.ws.socket.destroyed) {
      this.canary = null;
      throw new Error('the session of the canary was ended');
    }
    const answer = await partner.call('health', {}, { timeoutMs: this.servedMs });
    if (!answer.ok) throw new Error(`the canary got ${gistOf(answer)}`);
  }

  /** Ends what a check left, and removes the devices it made. */
  async finish(): Promise<void> {
    for (const inner of this.#inner.splice(0)) {
      inner.#devices = [];
      await inner.end();
    }
    for (const { gateway, keeps } of this.#spawned.splice(0).toReversed())
      await (keeps ? gateway.halt() : gateway.stop());
    for (const partner of this.#partners.splice(0)) partner.end();
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    const devices = this.#devices.splice(0);
    if (devices.length === 0) return;
    const admin = await this.admin();
    for (const { id } of devices) await admin.call('device.pair.remove', { deviceId: id });
  }

  /** The end of the run: nothing of it stays at the target. */
  async end(): Promise<void> {
    await this.finish();
    const devices = [this.canary?.identity, this.#adminIdentity].flatMap((identity) => identity?.id ?? []);
    this.canary?.partner.end();
    if (this.#admin !== null && !this.#admin.ws.socket.destroyed)
      for (const deviceId of devices) await this.#admin.call('device.pair.remove', { deviceId }).catch(() => null);
    this.#admin?.end();
  }
}

/** The answer, or the close that came instead of one. */
export async function answered(partner: Partner, answer: Promise<Answer>): Promise<Answer> {
  const closed = partner.closed.then(async ({ code, reason }: Closed): Promise<Answer> => {
    // An answer that was sent before it counts.
    await new Promise((done) => setImmediate(done));
    return { ok: false, error: { code: `closed ${code}`, message: reason } };
  });
  return Promise.race([answer, closed]);
}

/** `CODE detail` of a refusal, `ok` otherwise. */
export function gistOf(answer: Answer): string {
  if (answer.ok) return 'ok';
  return `${answer.error.code} ${String(answer.error.details?.code ?? '')}`.trimEnd();
}

function payloadOf(answer: Answer): Payload {
  return answer.ok ? answer.payload : (answer.error.details ?? null);
}

/** Sends bytes and returns what comes back until the end, or within `patienceMs`; an upgrade that is let in ends it. */
export function rawTo(
  place: { readonly port: number; readonly address: string },
  bytes: string | Buffer,
  patienceMs = 2_000,
): Promise<string> {
  return new Promise((done) => {
    const socket = dial({ port: place.port, host: place.address });
    let text = '';
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      done(text);
    };
    const timer = setTimeout(finish, patienceMs);
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      if (text.startsWith('HTTP/1.1 101')) finish();
    });
    socket.on('error', () => {}).once('close', finish);
    socket.write(bytes);
  });
}
