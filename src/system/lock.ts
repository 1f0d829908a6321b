// Temporary: replaced by the real lock.
import { writeFileSync } from 'node:fs';
export interface Lock {
  describe(x: { socket: string; port: number | null }): void;
  release(): void;
}
export async function takeLock(
  dir: string,
  _o: unknown,
): Promise<
  { ok: true; lock: Lock } | { ok: false; owner: null | { pid: number; program: string; port: number | null } }
> {
  return {
    ok: true,
    lock: {
      describe(x) {
        writeFileSync(`${dir}/run/gateway.json`, JSON.stringify({ pid: process.pid, ...x }));
      },
      release() {},
    },
  };
}
