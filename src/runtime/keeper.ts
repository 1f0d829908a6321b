import type { Instant } from '../core/base/instant.ts';
import { DAY_MS, HOUR_MS } from '../core/base/instant.ts';
import type { SessionId, SessionKey, SessionState } from '../core/conversation/session.ts';
import type { Conversation, SessionPlace, WriteTx } from '../store/store.ts';
import { conversationsOf, enclosedOf, entriesOf, excessOf, oldest, pause, type Read } from './excess.ts';
import type { TalkOptions } from './options.ts';
import type { Kept, Retention } from './runtime.ts';
import { Shares } from './shares.ts';

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

  readonly #read: Read = (work) => this.#options.store.read(work);

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
      for await (const session of oldest(this.#read, agent, this.#now - idleMs)) await this.#drop(session);
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

  /** As it was when it was looked at: what changed meanwhile is kept. */
  async #drop({ key, id, revision }: Pick<SessionState, 'key' | 'id' | 'revision'>): Promise<boolean> {
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

  /** Those in which nothing was said before any others. */
  async #beyondEntries(agent: string, most: number): Promise<void> {
    let excess = (await this.#read((tx) => tx.sessions.count(agent))) - most;
    if (excess <= 0) return;
    const { empty, said } = await entriesOf(this.#read, agent);
    for (const shares of [new Shares(empty, said), new Shares(said)]) {
      excess -= await this.#room(shares, excess, (session) => this.#drop(session));
    }
  }

  async #beyondBytes(agent: string, most: number): Promise<void> {
    const excess = await excessOf(this.#read, agent, most);
    if (excess <= 0) return;
    const shares = new Shares(await conversationsOf(this.#read, agent));
    await this.#room(shares, excess, (one) => ('reset' in one ? this.#forget(one.reset) : this.#drop(one.session)));
  }

  /** How much room was made. */
  async #room<T>(shares: Shares<T>, excess: number, go: (item: T) => Promise<boolean>): Promise<number> {
    let made = 0;
    for (let n = 1; made < excess; n += 1) {
      const piece = shares.next();
      if (piece === null) break;
      if (await go(piece.item)) {
        shares.gone(piece);
        made += piece.size;
      }
      if (n % PAGE === 0) await pause();
    }
    return made;
  }

  /** A conversation that was reset. False: it is no more. */
  async #forget(id: SessionId): Promise<boolean> {
    const isGone =
      this.#isDry ||
      (await this.#options.store.write(async (tx) => {
        if ((await tx.sessions.conversation(id)) === null) return false;
        await tx.sessions.forget(id);
        return true;
      }));
    if (isGone) this.#counts.conversations += 1;
    return isGone;
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

  /** Of conversations that are no more, and then what is too much. */
  async attachments(): Promise<void> {
    const { contents } = this.#options;
    const { attachmentBytes } = this.#rules;
    const there: { readonly id: SessionId; readonly bytes: number }[] = [];
    for (const id of contents.sessions()) {
      if (this.#hands.isFresh(id)) continue;
      const place = await this.#read((tx) => tx.sessions.conversation(id));
      if (place !== null) there.push({ id, bytes: attachmentBytes === null ? 0 : contents.bytes(id) });
      else if (!this.#hands.isFresh(id)) contents.drop(id);
      await pause();
    }
    const excess = there.reduce((sum, { bytes }) => sum + bytes, 0) - (attachmentBytes ?? Infinity);
    if (excess <= 0) return;
    const shares = new Shares(await enclosedOf(this.#read, there));
    await this.#room(shares, excess, async ({ id, key }) => {
      const lose = async () => {
        this.#lose(id);
        return true;
      };
      return key === null || this.#isDry ? lose() : this.#hands.quiet(key, lose);
    });
  }

  #lose(id: SessionId): void {
    this.#counts.attachments += 1;
    if (!this.#isDry) this.#options.contents.drop(id);
  }
}
