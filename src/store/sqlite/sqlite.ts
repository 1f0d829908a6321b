import { Life } from '../life.ts';
import { Queue } from '../queue.ts';
import { type ReadTx, type Store, StoreUnavailable, type WriteOptions, type WriteTx } from '../store.ts';
import { SqliteChangeReader, SqliteChanges } from './changes.ts';
import { SqliteCodeReader, SqliteCodes } from './codes.ts';
import type { Connection } from './connection.ts';
import { SqliteDeviceReader, SqliteDevices } from './devices.ts';
import { isOutOfRoom } from './failure.ts';
import type { Reserve } from './reserve.ts';
import { SqliteRunReader, SqliteRuns } from './runs.ts';
import { Session } from './session.ts';
import { SqliteSessionReader, SqliteSessions } from './sessions.ts';

/**
 * The store in one SQLite file. The engine is synchronous and there is one connection, so transactions run one after
 * the other; group commit is the caller's: one `write`, many parts.
 */
export class SqliteStore implements Store {
  readonly describe: string;
  readonly #connection: Connection;
  readonly #reserve: Reserve;
  readonly #queue = new Queue();
  /** The highest order number given out by this process, stored or not. */
  #seq = 0;
  #isOpen = true;

  constructor(connection: Connection, reserve: Reserve) {
    this.describe = `sqlite ${connection.file}`;
    this.#connection = connection;
    this.#reserve = reserve;
  }

  write<T>(work: (tx: WriteTx) => Promise<T>, options?: WriteOptions): Promise<T> {
    return this.#queue.run(async () => {
      const once = () => this.#run('BEGIN IMMEDIATE', (session) => this.#writing(session, work));
      try {
        return await once();
      } catch (error) {
        if (options?.urgent !== true || !isRoomless(error)) throw error;
        this.#reserve.giveUp();
        // What the log holds goes into the database: its own room is used anew then.
        this.#connection.emptyLog();
        return await once();
      }
    });
  }

  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.#queue.run(() =>
      this.#run('BEGIN', (session) =>
        work({
          devices: new SqliteDeviceReader(session),
          codes: new SqliteCodeReader(session),
          changes: new SqliteChangeReader(session),
          sessions: new SqliteSessionReader(session),
          runs: new SqliteRunReader(session),
        }),
      ),
    );
  }

  close(): Promise<void> {
    return this.#queue.run(async () => {
      this.#isOpen = false;
      this.#connection.close();
    });
  }

  async #run<T>(begin: string, work: (session: Session) => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw new Error('the store is closed');
    const session = new Session(this.#connection, new Life());
    try {
      session.control(begin);
      const result = await work(session);
      session.life.finish();
      // A6: a part that was undone leaves pages that a commit would write.
      session.control(session.wrote ? 'COMMIT' : 'ROLLBACK');
      if (session.wrote) this.#reserve.keep();
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    } finally {
      session.life.end();
    }
  }

  #rollback(): void {
    // After some errors SQLite has done so itself.
    if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
  }

  async #writing<T>(session: Session, work: (tx: WriteTx) => Promise<T>): Promise<T> {
    let numbered = false;
    const tx: WriteTx = {
      devices: new SqliteDevices(session),
      codes: new SqliteCodes(session),
      changes: new SqliteChanges(session),
      sessions: new SqliteSessions(session),
      runs: new SqliteRuns(session),
      nextSeq: async () => {
        if (!numbered) {
          const row = session.get<{ value: number }>("SELECT value FROM counter WHERE name = 'seq'");
          this.#seq = Math.max(this.#seq, row?.value ?? 0);
          numbered = true;
        }
        session.life.check();
        this.#seq += 1;
        return this.#seq;
      },
      part: (inner) => part(session, inner),
    };
    const result = await work(tx);
    session.life.finish();
    // A6: a number that nothing was stored under is not worth a write; it is not given out again by this process.
    if (numbered && session.wrote) {
      session.run(
        "INSERT INTO counter (name, value) VALUES ('seq', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        this.#seq,
      );
    }
    return result;
  }
}

function isRoomless(error: unknown): boolean {
  return error instanceof StoreUnavailable && isOutOfRoom(error.cause);
}

async function part<T>(session: Session, inner: () => Promise<T>): Promise<T> {
  const { life } = session;
  life.enter();
  const wrote = session.wrote;
  session.control('SAVEPOINT part');
  try {
    const result = await inner();
    session.control('RELEASE part');
    life.leave();
    return result;
  } catch (error) {
    // A lost transaction is undone as a whole, by whoever began it.
    if (life.isLost) throw error;
    session.control('ROLLBACK TO part');
    session.control('RELEASE part');
    session.wrote = wrote;
    life.leave();
    throw error;
  }
}
