import type { Giver } from '../core/authz/principal.ts';
import { DAY_MS, type Instant } from '../core/base/instant.ts';

/** Runs that are open at once on behalf of one giver, over all sessions: those that wait, and those at work. */
export const OPEN_MAX = 200;
/** Conversations that one giver begins in a day (of UTC), a reset's too: those that still are, also from before a restart. */
export const SESSIONS_A_DAY_MAX = 500;

/** What one giver may take up. The owner isn't bounded: what is here is the owner's own. */
export class Bounds {
  readonly #open = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  #day = 0;

  /** One run more. False: there is no room. */
  open(giver: Giver): boolean {
    if ((this.#open.get(nameOf(giver)) ?? 0) >= OPEN_MAX && isBounded(giver)) return false;
    this.reopen(giver);
    return true;
  }

  /** It was accepted before, and is open whatever the bound says. */
  reopen(giver: Giver): void {
    add(this.#open, giver, 1);
  }

  close(giver: Giver): void {
    add(this.#open, giver, -1);
  }

  /** One conversation more. False: these are enough for today. */
  begin(giver: Giver, at: Instant): boolean {
    this.#turnTo(at);
    if ((this.#begun.get(nameOf(giver)) ?? 0) >= SESSIONS_A_DAY_MAX && isBounded(giver)) return false;
    add(this.#begun, giver, 1);
    return true;
  }

  /** It was begun that day, and counts whatever the bound says. */
  rebegin(giver: Giver, at: Instant): void {
    this.#turnTo(at);
    add(this.#begun, giver, 1);
  }

  #turnTo(at: Instant): void {
    const day = dayOf(at);
    if (day !== this.#day) this.#begun.clear();
    this.#day = day;
  }

  /** The conversation that was to begin didn't: the session was there. */
  unbegin(giver: Giver): void {
    add(this.#begun, giver, -1);
  }
}

/** When the day began that conversations are counted in. */
export const dayOf = (at: Instant): Instant => Math.floor(at / DAY_MS) * DAY_MS;

export const isBounded = ({ kind }: Giver): boolean => kind !== 'owner';

function add(counts: Map<string, number>, giver: Giver, more: number): void {
  const name = nameOf(giver);
  const count = (counts.get(name) ?? 0) + more;
  if (count > 0) counts.set(name, count);
  else counts.delete(name);
}

/** The same for the same one, in whatever order a store gives its fields back. */
export function nameOf(giver: Giver): string {
  switch (giver.kind) {
    case 'device':
      return `device ${giver.device}`;
    case 'token':
      return `token ${giver.name}`;
    case 'code':
      return `code ${giver.code}`;
    default:
      return giver.kind;
  }
}
