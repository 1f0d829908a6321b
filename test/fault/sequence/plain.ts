import type { Outcome, Room } from '../../../src/core/authz/command.ts';
import { ROOM } from '../../../src/core/authz/decide.ts';
import type { CodeId, DeviceId, Giver, RequestId } from '../../../src/core/authz/principal.ts';
import { ROLES } from '../../../src/core/authz/scope.ts';
import type { CodeState, DeviceState } from '../../../src/core/authz/state.ts';
import { DAY_MS, type Instant, MINUTE_MS } from '../../../src/core/base/instant.ts';
import type { RunWriter, SessionWriter, StoredChange, WriteTx } from '../../../src/store/store.ts';

interface Books {
  readonly devices: Map<DeviceId, DeviceState>;
  readonly codes: Map<CodeId, CodeState>;
  readonly outcomes: Map<RequestId, { readonly outcome: Outcome; readonly at: Instant }>;
  readonly asks: readonly Instant[];
  readonly changes: readonly StoredChange[];
}

const byId = (a: DeviceState, b: DeviceState) => (a.device < b.device ? -1 : 1);
const gaveBy = (giver: Giver, maker: DeviceId): boolean =>
  giver.kind === 'code' ? gaveBy(giver.maker, maker) : giver.kind === 'device' && giver.device === maker;

/**
 * What the core's states alone say, kept in maps and answered by looking through all of them: shares no line with the
 * drivers, so that what it answers is a second opinion.
 */
export class Plain {
  #books: Books = { devices: new Map(), codes: new Map(), outcomes: new Map(), asks: [], changes: [] };

  /** Runs `work`; what it did counts only if it returns. */
  async write<T>(work: (tx: WriteTx) => Promise<T>): Promise<T> {
    const { devices, codes, outcomes, asks, changes } = this.#books;
    const books = { devices: new Map(devices), codes: new Map(codes), outcomes: new Map(outcomes), asks, changes };
    const result = await work(plainTx(books));
    this.#books = books;
    return result;
  }
}

/** What no command about access touches. */
function untouched<T extends object>(name: string): T {
  const touch = () => {
    throw new Error(`${name} were touched`);
  };
  return new Proxy({}, { get: touch }) as T;
}

function plainTx(books: { -readonly [K in keyof Books]: Books[K] }): WriteTx {
  const all = () => [...books.devices.values()].sort(byId);
  const ends = (d: DeviceState) =>
    ROLES.flatMap((role) => {
      const { request, rejection, grant } = d.roles[role];
      return [request?.expiresAt, rejection?.until, ...(grant?.entries ?? []).map((e) => e.until)];
    }).filter((end) => end != null);
  return {
    nextSeq: () => Promise.reject(new Error('numbers are handed in')),
    part: (work) => work(),
    sessions: untouched<SessionWriter>('sessions'),
    runs: untouched<RunWriter>('runs'),
    devices: {
      load: async (id) => books.devices.get(id) ?? null,
      list: async () => all(),
      find: async (id) =>
        all().flatMap(({ device, roles }) =>
          ROLES.filter((r) => [roles[r].request?.id, roles[r].rejection?.id].includes(id)).map((role) => ({
            device,
            role,
          })),
        )[0] ?? null,
      past: async (id) => books.outcomes.get(id)?.outcome ?? null,
      room: async (source, at, waitedAt) => roomIn(books, source, at, waitedAt),
      due: async (at) =>
        all()
          .filter((d) => ends(d).some((end) => end <= at))
          .map((d) => d.device),
      nextEnd: async () =>
        all()
          .flatMap(ends)
          .sort((a, b) => a - b)[0] ?? null,
      givenBy: async (maker) =>
        all()
          .filter((d) =>
            ROLES.some((r) => {
              const grant = d.roles[r].grant;
              return grant !== null && [grant, ...grant.entries].some((e) => gaveBy(e.by, maker));
            }),
          )
          .map((d) => d.device),
      save: async (state) => void books.devices.set(state.device, state),
      drop: async (id) => {
        books.devices.delete(id);
        books.changes = books.changes.filter((c) => c.device !== id || c.what !== 'ask');
      },
      close: async (id, outcome, at) => {
        books.outcomes.set(id, { outcome, at });
        for (const [old, closed] of books.outcomes) if (closed.at <= at - 30 * DAY_MS) books.outcomes.delete(old);
      },
      countAsk: async (at) => {
        // One that is old once is not counted again, should the clock be set back.
        books.asks = [...books.asks.filter((a) => a > at - 10 * MINUTE_MS), at];
      },
    },
    codes: {
      load: async (id) => books.codes.get(id) ?? null,
      save: async (code) => void books.codes.set(code.id, code),
      endBy: async (maker) => {
        for (const c of books.codes.values()) {
          const made = maker === 'secret' ? c.maker.kind === 'secret' : gaveBy(c.maker, maker);
          if (c.usedBy === null && !c.ended && made) {
            books.codes.set(c.id, { ...c, ended: true, revision: c.revision + 1 });
          }
        }
      },
      drop: async (at) => {
        for (const c of books.codes.values()) if (c.expiresAt <= at) books.codes.delete(c.id);
      },
    },
    changes: {
      find: async (id) => books.changes.find((c) => c.id === id) ?? null,
      list: async (limit, device) =>
        [...books.changes]
          .reverse()
          .filter((c) => device === undefined || c.device === device)
          .slice(0, limit),
      add: async (change) => {
        const nth = books.changes.filter((c) => c.seq === change.seq).length + 1;
        const id = nth === 1 ? `ch_${change.seq}` : `ch_${change.seq}.${nth}`;
        books.changes = [...books.changes, { ...change, id }];
        return id;
      },
    },
  };
}

/** A15 by trying every instant at which anything ends. */
function roomIn(books: Books, source: string, at: Instant, waitedAt: ReadonlySet<RequestId>): Room {
  const open = [...books.devices.values()].flatMap(({ device, roles }) =>
    ROLES.flatMap((role) => {
      const { grant, request } = roles[role];
      return grant === null && request !== null && request.expiresAt > at ? [{ device, role, request }] : [];
    }),
  );
  const here = open.filter((o) => o.request.source === source);
  const asked = books.asks.filter((a) => a <= at && a > at - 10 * MINUTE_MS);
  const [first] = here
    .filter((o) => !waitedAt.has(o.request.id))
    .sort((a, b) => a.request.openedAt - b.request.openedAt || (a.request.id < b.request.id ? -1 : 1));
  const isFree = (t: Instant) =>
    (first !== undefined || here.filter((o) => o.request.expiresAt > t).length < ROOM.perSource) &&
    open.filter((o) => o.request.expiresAt > t).length < ROOM.total &&
    asked.filter((a) => a > t - 10 * MINUTE_MS).length < ROOM.recent;
  const instants = [at, ...open.map((o) => o.request.expiresAt), ...asked.map((a) => a + 10 * MINUTE_MS)];
  return {
    fromSource: here.length,
    total: open.length,
    recent: asked.length,
    oldest: first === undefined ? null : { device: first.device, role: first.role, id: first.request.id },
    freeAt: Math.min(...instants.filter((t) => t >= at && isFree(t))),
  };
}
