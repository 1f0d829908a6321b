import type { Instant } from '../core/base/instant.ts';
import { DAY_MS, HOUR_MS } from '../core/base/instant.ts';
import { agentOf, type SessionId, type SessionKey, type SessionState } from '../core/conversation/session.ts';
import type { Conversation, ReadTx, SessionPlace, WriteTx } from '../store/store.ts';
import type { TalkOptions } from './options.ts';
import type { Kept, Retention } from './runtime.ts';

/** Where nothing else is said: nothing that stands is ever forgotten. */
export const RETENTION: Retention = {
  mode: 'enforce',
  runsMs: 30 * DAY_MS,
  resetsMs: 30 * DAY_MS,
  idleMs: null,
  entries: null,
  bytes: null,
  rows: null,
  rowBytes: null,
  attachmentBytes: null,
};

/** Of one transaction, so that nobody waits long behind it. */
const AT_ONCE = 100;
/** Transactions of one kind in one pass; what is left goes with the next one. */
const PASSES_MAX = 50;
const PAGE = 50;
/** Sessions that are named in a line of the log, and in a list. */
const NAMED_MAX = 50;

/** What the keeper needs of the conversations, which alone know what is under way. */
export interface Hands {
  /** In the session's turn, when no run of it is open; `false`: there is one, nothing was done. */
  quiet(key: SessionKey, work: () => Promise<boolean>): Promise<boolean>;
  /** A session is no more. */
  gone(key: SessionKey): void;
  /** Its contents are stored before it is. */
  isFresh(id: SessionId): boolean;
}

type Options = Pick<TalkOptions, 'store' | 'clock' | 'contents' | 'diary' | 'retention'>;
type Counts = { -readonly [K in keyof Omit<Kept, 'mode' | 'at' | 'sessions'>]: number } & { sessions: SessionKey[] };

/** Forgets what is older or more than is kept, and says what that was. What is only owed to a bound goes last. */
export class Keeper {
  readonly #options: Options;
  readonly #hands: Hands;
  #turn: Promise<unknown> = Promise.resolve();
  #last: Kept | null = null;
  /** Conversations that did not change since have been looked at under these rules. */
  #cut: { readonly since: Instant; readonly by: string } = { since: Number.NEGATIVE_INFINITY, by: '' };

  constructor(options: Options, hands: Hands) {
    this.#options = options;
    this.#hands = hands;
  }

  get rules(): Retention {
    return this.#options.retention?.() ?? RETENTION;
  }

  /** The last pass in which something was forgotten, or with `warn` would have been; `null`: none since the start. */
  get last(): Kept | null {
    return this.#last;
  }

  /** One pass, after the one that runs. */
  prune(): Promise<void> {
    const next = this.#turn.then(() => this.#pass());
    this.#turn = next.catch(() => {
      // Told to whoever asked for it.
    });
    return next;
  }

  async #pass(): Promise<void> {
    const { rules } = this;
    const { clock, diary } = this.#options;
    const counts: Counts = { sessions: [], conversations: 0, rows: 0, runs: 0, attachments: 0 };
    const pass = new Pass(this.#options, this.#hands, { rules, counts, now: clock.now() });
    try {
      await pass.old();
      await pass.beyond();
      await this.#cuts(pass, rules);
      await pass.attachments();
    } finally {
      const { sessions, ...sums } = counts;
      if (sessions.length + Object.values(sums).reduce((a, b) => a + b) > 0) {
        const kept = { mode: rules.mode, at: clock.now(), ...sums, sessions: sessions.length };
        this.#last = kept;
        const event =
          rules.mode === 'warn' ? 'more is kept than is configured' : 'what was not to be kept is forgotten';
        diary.info(event, { ...kept, keys: sessions.slice(0, NAMED_MAX) });
      }
    }
  }

  /** Those that changed since the last pass, or all of them under new rules. */
  async #cuts(pass: Pass, { rows, rowBytes }: Retention): Promise<void> {
    if (rows === null && rowBytes === null) return;
    const by = `${rows} ${rowBytes}`;
    const since = this.#cut.by === by ? this.#cut.since - HOUR_MS : Number.NEGATIVE_INFINITY;
    const now = this.#options.clock.now();
    if (await pass.cutAll(since)) this.#cut = { since: now, by };
  }
}

/** One look at all there is, by the rules of one moment. */
class Pass {
  readonly #options: Options;
  readonly #hands: Hands;
  readonly #rules: Retention;
  readonly #counts: Counts;
  readonly #now: Instant;

  constructor(
    options: Options,
    hands: Hands,
    { rules, counts, now }: { readonly rules: Retention; readonly counts: Counts; readonly now: Instant },
  ) {
    this.#options = options;
    this.#hands = hands;
    this.#rules = rules;
    this.#counts = counts;
    this.#now = now;
  }

  get #isDry(): boolean {
    return this.#rules.mode === 'warn';
  }

  #read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.#options.store.read(work);
  }

  // ---- by age ----------------------------------------------------------------------------------------------------------------

  async old(): Promise<void> {
    const { runsMs, resetsMs, idleMs } = this.#rules;
    if (runsMs !== null && !this.#isDry) {
      this.#counts.runs += await this.#repeated((tx) => tx.runs.prune(this.#now - runsMs, AT_ONCE));
    }
    if (resetsMs !== null && !this.#isDry) {
      this.#counts.conversations += await this.#repeated((tx) => tx.sessions.prune(this.#now - resetsMs, AT_ONCE));
    }
    if (idleMs === null) return;
    for (const agent of await this.#read((tx) => tx.sessions.agents())) {
      for await (const session of this.#oldest(agent, this.#now - idleMs)) await this.#drop(session);
    }
  }

  async #repeated(work: (tx: WriteTx) => Promise<number>): Promise<number> {
    let sum = 0;
    for (let n = 0; n < PASSES_MAX; n += 1) {
      const gone = await this.#options.store.write(work);
      sum += gone;
      if (gone < AT_ONCE) break;
      await pause();
    }
    return sum;
  }

  /** The longest unchanged first; never an agent's main one. */
  async *#oldest(agent: string, before: Instant): AsyncGenerator<SessionState> {
    let after: SessionPlace | undefined;
    for (;;) {
      const filter = { agent, before, limit: PAGE, ...(after === undefined ? {} : { after }) };
      const page = await this.#read((tx) => tx.sessions.oldest(filter));
      for (const session of page) if (!isMain(session)) yield session;
      after = page.at(-1);
      if (page.length < PAGE) return;
      await pause();
    }
  }

  /** As it was when it was looked at: what changed meanwhile is kept. */
  async #drop({ key, id, revision }: SessionState): Promise<boolean> {
    // Where nothing goes, one that is too old may be one too many as well.
    if (this.#isDry && this.#counts.sessions.includes(key)) return true;
    const isGone =
      this.#isDry ||
      (await this.#hands.quiet(key, () =>
        this.#options.store.write(async (tx) => {
          const now = await tx.sessions.load(key);
          if (now === null || now.id !== id || now.revision !== revision) return false;
          await tx.sessions.drop(key, revision);
          return true;
        }),
      ));
    if (!isGone) return false;
    this.#counts.sessions.push(key);
    if (!this.#isDry) this.#hands.gone(key);
    return true;
  }

  // ---- by number and size ----------------------------------------------------------------------------------------------------

  async beyond(): Promise<void> {
    const { entries, bytes } = this.#rules;
    if (entries === null && bytes === null) return;
    for (const agent of await this.#read((tx) => tx.sessions.agents())) {
      if (entries !== null) await this.#beyondEntries(agent, entries);
      if (bytes !== null) await this.#beyondBytes(agent, bytes);
    }
  }

  async #beyondEntries(agent: string, most: number): Promise<void> {
    let excess = (await this.#read((tx) => tx.sessions.count(agent))) - most;
    if (excess <= 0) return;
    for await (const session of this.#oldest(agent, Number.MAX_SAFE_INTEGER)) {
      if (await this.#drop(session)) excess -= 1;
      if (excess <= 0) return;
    }
  }

  /** Conversations that were reset go first. */
  async #beyondBytes(agent: string, most: number): Promise<void> {
    let excess = (await this.#read((tx) => tx.sessions.bytes(agent))) - most;
    while (excess > 0) {
      const resets = await this.#read((tx) => tx.sessions.resets({ agent, limit: PAGE }));
      for (const { id, bytes } of resets) {
        if (excess <= 0) return;
        if (!this.#isDry) await this.#options.store.write((tx) => tx.sessions.forget(id));
        this.#counts.conversations += 1;
        excess -= bytes;
      }
      if (resets.length < PAGE || this.#isDry) break;
      await pause();
    }
    if (excess <= 0) return;
    for await (const session of this.#oldest(agent, Number.MAX_SAFE_INTEGER)) {
      const conversation = await this.#read((tx) => tx.sessions.conversation(session.id));
      if (await this.#drop(session)) excess -= conversation?.bytes ?? 0;
      if (excess <= 0) return;
    }
  }

  // ---- the length of one conversation ------------------------------------------------------------------------------------------

  /** Those that changed since. False: one of them has to be looked at again. */
  async cutAll(since: Instant): Promise<boolean> {
    let isWhole = true;
    let before: SessionPlace | undefined;
    for (;;) {
      const filter = { limit: PAGE, ...(before === undefined ? {} : { before }) };
      const page = await this.#read((tx) => tx.sessions.list(filter));
      for (const session of page) {
        if (session.updatedAt < since) return isWhole;
        if (!(await this.#cutOne(session))) isWhole = false;
      }
      before = page.at(-1);
      if (page.length < PAGE) return isWhole;
      await pause();
    }
  }

  async #cutOne(session: SessionState): Promise<boolean> {
    const have = await this.#read((tx) => tx.sessions.conversation(session.id));
    const through = have === null ? null : await this.#beginning(session, have);
    if (have === null || through === null) return true;
    if (this.#isDry) {
      this.#counts.rows += through - have.dropped;
      return true;
    }
    for (let to = have.dropped; to < through; ) {
      to = Math.min(through, to + AT_ONCE);
      const isDone = await this.#hands.quiet(session.key, () =>
        this.#options.store.write(async (tx) => {
          if ((await tx.sessions.load(session.key))?.id !== session.id) return false;
          this.#counts.rows += await tx.sessions.cut(session.id, to);
          return true;
        }),
      );
      if (!isDone) return false;
      await pause();
    }
    return true;
  }

  /** Up to which row it is too long; `null`: it isn't. What is left does not begin with the result of a call. */
  async #beginning(session: SessionState, { id, dropped, bytes }: Conversation): Promise<number | null> {
    const [rows, rowBytes] = [this.#rules.rows ?? Infinity, this.#rules.rowBytes ?? Infinity];
    let [through, size] = [dropped, bytes];
    const isFitting = () => session.rows - through <= rows && size <= rowBytes;
    if (isFitting()) return null;
    for (;;) {
      const page = await this.#read((tx) => tx.sessions.rows(id, through + 1, AT_ONCE));
      for (const { seq, body } of page) {
        if (seq >= session.rows || (isFitting() && body.kind !== 'tool')) return through > dropped ? through : null;
        through = seq;
        size -= Buffer.byteLength(JSON.stringify(body));
      }
      if (page.length === 0) return null;
      await pause();
    }
  }

  // ---- what came with messages -------------------------------------------------------------------------------------------------

  /** Of conversations that are no more, and then what is too much: that of those that were reset first. */
  async attachments(): Promise<void> {
    const { contents } = this.#options;
    const { attachmentBytes } = this.#rules;
    const there: { readonly id: SessionId; readonly bytes: number; readonly place: Conversation }[] = [];
    for (const id of contents.sessions()) {
      if (this.#hands.isFresh(id)) continue;
      const place = await this.#read((tx) => tx.sessions.conversation(id));
      if (place !== null) there.push({ id, bytes: attachmentBytes === null ? 0 : contents.bytes(id), place });
      else if (!this.#hands.isFresh(id)) contents.drop(id);
      await pause();
    }
    let excess = there.reduce((sum, { bytes }) => sum + bytes, 0) - (attachmentBytes ?? Infinity);
    if (excess <= 0) return;
    const resets = there.filter(({ place }) => place.resetAt !== null);
    resets.sort((a, b) => (a.place.resetAt ?? 0) - (b.place.resetAt ?? 0));
    for (const { id, bytes } of resets) {
      if (excess <= 0) return;
      this.#lose(id);
      excess -= bytes;
    }
    for (const { id, bytes, key } of await this.#byChange(there)) {
      if (excess <= 0) return;
      const lose = async () => {
        this.#lose(id);
        return true;
      };
      if (this.#isDry ? await lose() : await this.#hands.quiet(key, lose)) excess -= bytes;
    }
  }

  /** Those that stand, the longest unchanged first. */
  async #byChange(there: readonly { readonly id: SessionId; readonly bytes: number; readonly place: Conversation }[]) {
    const found: { readonly id: SessionId; readonly bytes: number; readonly key: SessionKey; readonly at: Instant }[] =
      [];
    for (const { id, bytes, place } of there) {
      if (place.resetAt !== null) continue;
      const session = await this.#read((tx) => tx.sessions.load(place.key));
      if (session?.id === id) found.push({ id, bytes, key: place.key, at: session.updatedAt });
    }
    return found.sort((a, b) => a.at - b.at);
  }

  #lose(id: SessionId): void {
    this.#counts.attachments += 1;
    if (!this.#isDry) this.#options.contents.drop(id);
  }
}

function isMain({ key }: SessionState): boolean {
  return key === `agent:${agentOf(key)}:main`;
}

/** Others are served in between. */
function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
