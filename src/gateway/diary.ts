/** What the gateway says for people to read. */
export interface Diary {
  info(event: string, fields: Record<string, unknown>): void;
  /** At most one line a minute for `key` (A16). */
  rarely(key: string, event: string, fields: Record<string, unknown>): void;
  error(event: string, error: unknown): void;
}
