import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { asUnavailable } from './failure.ts';

export interface Durability {
  /** `FULL`: what was committed survives a power cut. `OFF` for tests that end no process. */
  readonly synchronous: 'FULL' | 'OFF';
}

const BUSY_TIMEOUT_MS = 5_000;
/** Half a MiB: what the log holds must fit into the reserve, or a full disk could not even be checkpointed. */
const LOG_PAGES = 128;

/** One connection to a database file. Every error of the disk leaves as StoreUnavailable. */
export class Connection {
  readonly file: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string, durability: Durability) {
    this.file = file;
    this.#db = new DatabaseSync(file, { open: false, timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    try {
      this.#guard(() => {
        this.#db.open();
        // Rows of a damaged or hostile file run nothing and are checked as they are read.
        this.#db.exec(
          `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;
           PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = ${LOG_PAGES}; PRAGMA synchronous = ${durability.synchronous};`,
        );
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(...values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#statement(sql).all(...values) as Row[]);
  }

  /** Returns how many rows were changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** Runs statements that are not worth keeping prepared. */
  exec(sql: string): void {
    this.#guard(() => this.#db.exec(sql));
  }

  /** Moves the write-ahead log into the database, so that its room is used anew, as far as the disk allows. */
  emptyLog(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch {
      // The log keeps what it holds; whoever writes next is told what is wrong with the disk.
    }
  }

  /** SQLite undoes a whole transaction by itself after some errors. */
  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw asUnavailable(error, this.file);
    }
  }
}
