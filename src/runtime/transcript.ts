import type { Row } from '../core/conversation/row.ts';
import type { SessionKey, SessionState } from '../core/conversation/session.ts';
import type { Store } from '../store/store.ts';

const PAGE = 500;

/** The rows of a conversation that are not summed up, kept up with what others add. */
export class Transcript {
  readonly key: SessionKey;
  readonly #store: Store;
  #session: SessionState | null = null;
  #rows: Row[] = [];

  constructor(store: Store, key: SessionKey) {
    this.#store = store;
    this.key = key;
  }

  /** As it was when it was last read. */
  get session(): SessionState {
    if (this.#session === null) throw new Error('nothing was read yet');
    return this.#session;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  async read(): Promise<SessionState> {
    const { session, fresh } = await this.#store.read(async (tx) => {
      const now = await tx.sessions.load(this.key);
      if (now === null) throw new Error('the conversation of a run is gone');
      const added: Row[] = [];
      let from = Math.max(now.compacted, this.#rows.at(-1)?.seq ?? 0) + 1;
      while (from <= now.rows) {
        const page = await tx.sessions.rows(now.id, from, PAGE);
        if (page.length === 0) break;
        added.push(...page);
        // Rows at the beginning may have been taken away.
        from = (page.at(-1)?.seq ?? from) + 1;
      }
      return { session: now, fresh: added };
    });
    this.#rows = [...this.#rows, ...fresh].filter(({ seq }) => seq > session.compacted);
    this.#session = session;
    return session;
  }
}
