import type { DeviceId, Principal } from '../core/authz/principal.ts';
import type { Role, Scope } from '../core/authz/scope.ts';
import { deviceOf, roleOf, type Session } from './session.ts';

export interface PublishOptions {
  /** What a session must hold to be sent it; `none`: every session. */
  readonly scope: Scope | 'none';
  /** Left out for a session that already has much to read: it will be told the same again. */
  readonly dropIfSlow?: boolean;
  /** For some sessions alone, as a `connect.challenge` is: it does not count among their events. */
  readonly isUnnumbered?: boolean;
  readonly stateVersion?: { readonly presence: number; readonly health: number };
  /** Narrows further who is sent it (A7). */
  readonly only?: (session: Session) => boolean;
}

interface Listener {
  readonly session: Session;
  seq: number;
}

/** A session with more than this unread is not sent what it will be told again anyway. */
const SLOW_BYTES = 1024 * 1024;

/** Live sessions, and the one way by which an event reaches them. */
export class Publisher {
  readonly #listeners = new Map<string, Listener>();
  /** Of each device the ids of its sessions: asked for with every row of a list. */
  readonly #devices = new Map<DeviceId, Set<string>>();
  readonly #maySee: (principal: Principal, scope: Scope | 'none') => boolean;
  readonly #maxBufferedBytes: number;

  constructor(maySee: (principal: Principal, scope: Scope | 'none') => boolean, maxBufferedBytes: number) {
    this.#maySee = maySee;
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  add(session: Session): void {
    this.#listeners.set(session.id, { session, seq: 0 });
    const device = deviceOf(session.principal);
    if (device === null) return;
    const ids = this.#devices.get(device);
    if (ids === undefined) this.#devices.set(device, new Set([session.id]));
    else ids.add(session.id);
  }

  remove(id: string): Session | null {
    const was = this.#listeners.get(id)?.session ?? null;
    this.#listeners.delete(id);
    const device = was === null ? null : deviceOf(was.principal);
    const ids = device === null ? undefined : this.#devices.get(device);
    ids?.delete(id);
    if (device !== null && ids?.size === 0) this.#devices.delete(device);
    return was;
  }

  get size(): number {
    return this.#listeners.size;
  }

  sessions(): readonly Session[] {
    return [...this.#listeners.values()].map((l) => l.session);
  }

  of(device: DeviceId, role?: Role): readonly Session[] {
    return [...(this.#devices.get(device) ?? [])].flatMap((id) => {
      const session = this.#listeners.get(id)?.session;
      return session === undefined || (role !== undefined && roleOf(session.principal) !== role) ? [] : [session];
    });
  }

  /**
   * Sends an event to every session that may see it, each with its own gap-free `seq` from 1. A session that reads
   * too slowly is closed: it reconnects and asks for the state anew, which is cheaper than an endless backlog.
   */
  publish(event: string, payload: unknown, options: PublishOptions): void {
    let body: string | null = null;
    for (const listener of this.#listeners.values()) {
      const { session } = listener;
      if (!session.listening) continue;
      if (options.only && !options.only(session)) continue;
      if (!this.#maySee(session.principal, options.scope)) continue;
      const buffered = session.pipe.buffered();
      if (options.dropIfSlow && buffered > SLOW_BYTES) continue;
      body ??= `{"type":"event","event":${JSON.stringify(event)},"payload":${JSON.stringify(payload)}${
        options.stateVersion ? `,"stateVersion":${JSON.stringify(options.stateVersion)}` : ''
      }`;
      if (options.isUnnumbered !== true) listener.seq += 1;
      session.pipe.send(options.isUnnumbered === true ? `${body}}` : `${body},"seq":${listener.seq}}`);
      this.check(session);
    }
  }

  /** Closes a session that leaves more unread than there is room for. */
  check(session: Session): void {
    if (session.pipe.buffered() <= this.#maxBufferedBytes) return;
    session.pipe.close(1008, 'slow consumer');
    session.pipe.cut();
  }
}
