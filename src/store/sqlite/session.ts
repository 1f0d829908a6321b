import type { SQLInputValue } from 'node:sqlite';
import type { Life } from '../life.ts';
import { StoreUnavailable } from '../store.ts';
import type { Connection } from './connection.ts';

/** A connection as one transaction sees it: refuses when that is over or lost, and knows whether it has written. */
export class Session {
  readonly life: Life;
  wrote = false;
  readonly #connection: Connection;

  constructor(connection: Connection, life: Life) {
    this.#connection = connection;
    this.life = life;
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#use(() => this.#connection.get<Row>(sql, ...values));
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#use(() => this.#connection.all<Row>(sql, ...values));
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    const changed = this.#use(() => this.#connection.run(sql, ...values));
    if (changed > 0) this.wrote = true;
    return changed;
  }

  /** For BEGIN and its like. */
  control(sql: string): void {
    this.#use(() => this.#connection.run(sql));
  }

  #use<T>(work: () => T): T {
    this.life.check();
    try {
      return work();
    } catch (error) {
      throw error instanceof StoreUnavailable ? this.life.lose(error) : error;
    }
  }
}
