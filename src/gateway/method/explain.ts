import type { Outcome } from '../../core/authz/command.ts';
import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { ROLES } from '../../core/authz/scope.ts';
import type { DeviceState } from '../../core/authz/state.ts';
import type { MethodInput } from '../../core/protocol/registry.ts';
import type { StoredTrace } from '../../store/store.ts';
import { tellDevice, tellListed, tellPast } from '../explain/standing.ts';
import { type Desk, deskOf, listedOf, type Story } from '../explain/story.ts';
import { tellChange, tellSession, tellTrace } from '../explain/told.ts';
import { deviceOf } from '../session.ts';
import { type Context, Denied, WrongParams } from './handler.ts';

/** The newest refusals among which a caller looks for one of its own. */
const LAST_AMONG = 500;
/** The newest changes among which a past request is looked for. */
const CHANGES_AMONG = 1_000;
/** From how many characters on a beginning stands for the whole. */
const BEGINNING_MIN = 4;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const notFound = () => new Denied({ code: 'not_found', retry: 'never' }, 'id');

/** `decision.explain`. A7: what the caller may not see is answered like what there never was. */
export async function explain(c: Context, input: MethodInput<'decision.explain'>): Promise<Story> {
  const { id, last } = input;
  const desk = deskOf(c);
  if ((id !== undefined) === (last === true)) throw new WrongParams('at /id: give an id, or last: true');
  const story = id === undefined ? await newest(desk) : await find(desk, id);
  if (story === null) throw notFound();
  return story;
}

async function newest(desk: Desk): Promise<Story | null> {
  const rows = desk.context.services.trace.list(LAST_AMONG, { ...desk.sight.among, refused: true });
  const row = rows.find((r) => desk.sight.trace(r));
  return row === undefined ? null : tellTrace(desk, row, '');
}

async function find(desk: Desk, id: string): Promise<Story | null> {
  const marked = /^ch_\d/.test(id)
    ? await changeOf(desk, id)
    : id.startsWith('d_') && UUID.test(id.slice(2))
      ? await decisionOf(desk, id)
      : null;
  const named = marked ?? (await listedOrDevice(desk, id));
  if (named !== null) return named;
  return (UUID.test(id) ? await connectionOf(desk, id) : null) ?? pastOf(desk, id);
}

async function changeOf(desk: Desk, id: string): Promise<Story | null> {
  const change = await desk.context.services.authority.change(id);
  return change === null || !desk.sight.change(change) ? null : tellChange(desk, change);
}

async function decisionOf(desk: Desk, id: string): Promise<Story | null> {
  const { trace } = desk.context.services;
  // Of a connect that was noted as a repeat the decision is known by its connection.
  const row = trace.find(id) ?? repeats(desk, id.slice(2))[0] ?? null;
  return row === null || !desk.sight.trace(row) ? null : tellTrace(desk, row, id.slice(2));
}

async function connectionOf(desk: Desk, conn: string): Promise<Story | null> {
  const { trace, publisher } = desk.context.services;
  const own = desk.context.session;
  const row = trace.find(`d_${conn}`) ?? repeats(desk, conn)[0] ?? null;
  if (row !== null) return desk.sight.trace(row) ? tellTrace(desk, row, conn) : null;
  const session = own?.id === conn ? own : publisher.sessions().find((s) => s.id === conn);
  if (session === undefined) return null;
  const isSeen = own?.id === conn || desk.sight.device(deviceOf(session.principal), null, []);
  return isSeen ? tellSession(desk, session) : null;
}

/** Verdicts on a connect that were noted as a repeat of an earlier one. */
function repeats(desk: Desk, conn: string): readonly StoredTrace[] {
  const rows = desk.context.services.trace.list(5, { conn, ...desk.sight.among });
  return rows.filter((row) => row.conns.includes(conn) && row.kind !== 'denied' && row.kind !== 'ended');
}

/** Requests that are listed, and devices: by id, by the beginning of one, or a device by its name. */
async function listedOrDevice(desk: Desk, text: string): Promise<Story | null> {
  const states = desk.context.services.authority.devices();
  const begins = (id: string) => id === text || (text.length >= BEGINNING_MIN && id.startsWith(text));
  const requests = states.flatMap((state) =>
    listedOf(desk, state).flatMap((l) =>
      begins(l.row.id) ? [{ id: l.row.id as string, tell: () => tellListed(desk, state, l) }] : [],
    ),
  );
  const seen = states.filter((state) => isSeen(desk, state));
  const told = (state: DeviceState) => ({ id: state.device as string, tell: () => tellDevice(desk, state) });
  const byId = [...requests, ...seen.filter((s) => begins(s.device)).map(told)];
  // A name that a person gave counts before one that a device claims: anybody can claim any.
  const given = seen.filter((s) => s.name === text).map(told);
  const claims = seen.filter((s) => s.name === null && s.label?.name === text).map(told);
  const found = [byId, given, claims].find((list) => list.length > 0) ?? [];
  const one = found.find((f) => f.id === text) ?? found[0];
  if (one === undefined) return null;
  if (found.length > 1 && one.id !== text) {
    const ids = found.slice(0, 5).map((f) => f.id);
    throw new WrongParams(`at /id: ${found.length} are meant by it: ${ids.join(', ')}`);
  }
  return one.tell();
}

/** A7: a device by what it holds; one that holds nothing by what it asks. */
function isSeen(desk: Desk, state: DeviceState): boolean {
  if (desk.sight.all || desk.sight.isOwn(state.device)) return true;
  const isPaired = ROLES.some((role) => state.roles[role].grant !== null);
  return isPaired ? desk.sight.device(state.device, null, []) : listedOf(desk, state).length > 0;
}

/** A request that no longer acts: by the changes and the connects that name it. */
async function pastOf(desk: Desk, text: string): Promise<Story | null> {
  if (text.length < BEGINNING_MIN || !/^[0-9a-f-]+$/.test(text)) return null;
  const { authority, trace } = desk.context.services;
  const traced = trace.list(20, { ...desk.sight.among, request: text });
  const own = deviceOf(desk.context.principal);
  const known = desk.sight.decides ? await authority.changes(CHANGES_AMONG) : [];
  const mine = desk.sight.decides || own === null ? [] : await authority.changes(CHANGES_AMONG, own);
  const changes = [...known, ...mine].filter((change) => change.request?.startsWith(text));
  const ids = [...new Set([...changes.flatMap((r) => r.request ?? []), ...traced.flatMap((r) => r.request ?? [])])];
  const named = ids.length === 0 ? [text as RequestId] : ids;
  const stories: (() => Promise<Story>)[] = [];
  for (const id of named) {
    const outcome = await authority.past(id);
    if (outcome !== null) {
      const past = pastRow(desk, id, outcome, changes, traced);
      if (past !== null) stories.push(() => tellPast(desk, past));
    }
  }
  if (stories.length > 1) throw new WrongParams(`at /id: ${stories.length} are meant by it: write more of it`);
  return stories[0]?.() ?? null;
}

function pastRow(
  desk: Desk,
  id: RequestId,
  outcome: Outcome,
  allChanges: Parameters<typeof tellPast>[1]['changes'],
  allTraced: Parameters<typeof tellPast>[1]['traced'],
): Parameters<typeof tellPast>[1] | null {
  const changes = allChanges.filter((r) => r.request === id);
  const traced = allTraced.filter((r) => r.request === id);
  const device: DeviceId | null = changes[0]?.device ?? traced[0]?.device ?? null;
  const role = ROLES.find((r) => r === (changes[0]?.role ?? traced[0]?.role)) ?? null;
  const isSeen =
    device === null
      ? desk.sight.all
      : changes.every((r) => desk.sight.change(r)) && traced.every((r) => desk.sight.trace(r));
  return isSeen ? { id, outcome, device, role, changes, traced } : null;
}
