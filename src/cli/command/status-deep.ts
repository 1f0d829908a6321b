import { existsSync } from 'node:fs';
import { NoChallenge, withChallenge } from '../../client/node/challenge.ts';
import { shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { placeOf, urlOf } from '../door.ts';
import { renderDuration } from '../duration.ts';
import { fail, ok, type Part, renderBytes, unseen, warn } from '../part.ts';
import type { Call } from '../reach.ts';
import { readRun } from '../running.ts';
import { numberOf, recordOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** How long the port may be silent before it is called busy. */
const PATIENCE_MS = 3_000;
const MIB = 1_024 * 1_024;
/** Below the first a person should look, below the second the next backup or log no longer fits. */
const ROOM_WARN_BYTES = 256 * MIB;
const ROOM_FAIL_BYTES = 16 * MIB;
const MOVED_WARN_MS = 5_000;
const APART_WARN_MS = 60_000;

/** What `status --deep` finds at a gateway that answers: `answer` is its `status`, asked with `deep`. */
export async function partsOf(context: Context, call: Call, answer: Row, tookMs: number): Promise<readonly Part[]> {
  const own = recordOf(answer.latchkey);
  const answers = `answers (${Math.round(tookMs)} ms)`;
  if (recordOf(own.access).kind === 'owner') {
    const door = await port(context, call, textsOf(own.addresses));
    return [ok('owner socket', answers), door, record(context, answer), ...insideOf(context, own)];
  }
  // What is to be run there is run as that host's own user.
  const there = insideOf({ ...context, command: 'latchkey' }, own);
  return [
    ok('connection', answers),
    unseen('port', 'it is what this command came in by'),
    ...there.map((part) => (part.run === undefined ? part : { ...part, run: `on the gateway's host: ${part.run}` })),
  ];
}

function insideOf(context: Context, own: Row): readonly Part[] {
  const deep = recordOf(own.deep);
  return [
    ...(own.deep === undefined
      ? [unseen('inside', 'this gateway is of a release without status --deep')]
      : inside(context, deep, textOf(own.stateDir) ?? context.state.path)),
    ...configuration(context, own),
    ...clock(context, deep),
    loop(context, own),
    requests(context, own),
    ...talk(recordOf(deep.talk)),
    ok('sessions', `${numberOf(own.sessions) ?? '?'} open`),
  ];
}

/** Whether the port answers, and is this very gateway's: it knows the nonce that its own port has just sent. */
async function port(context: Context, call: Call, addresses: readonly string[]): Promise<Part> {
  const place = placeOf(addresses);
  if (place === null) return warn('port', 'not listening yet', `${context.command} gateway status`);
  const where = urlOf(place);
  const look = `${context.command} gateway probe`;
  const timeoutMs = Math.min(context.timeoutMs, PATIENCE_MS);
  try {
    return await withChallenge({ ...place, lk: null, timeoutMs }, async ({ nonce }) => {
      const { latchkey } = recordOf(await call('status', { challenge: nonce }));
      return recordOf(latchkey).isOwnChallenge === true
        ? ok('port', `${where} answers, and it is this gateway`)
        : fail('port', `another gateway answers at ${where}`, look);
    });
  } catch (error) {
    if (!(error instanceof NoChallenge)) throw error;
    return fail('port', `${where}: ${error.message}`, look);
  }
}

/** By `run/gateway.json` commands find the gateway; a wrong one is somebody else's. */
function record(context: Context, answer: Row): Part {
  const pid = numberOf(answer.pid);
  const run = readRun(context.state.path);
  const again = `${context.command} gateway status`;
  if (run === null) return warn('lock', 'run/gateway.json is missing or can not be read', again);
  return run.pid === pid
    ? ok('lock', `held by pid ${pid}, as run/gateway.json says`)
    : fail('lock', `run/gateway.json names pid ${run.pid}, and pid ${pid} answers`, again);
}

function inside(context: Context, deep: Row, stateDir: string): readonly Part[] {
  const { store, room, place } = { store: recordOf(deep.store), room: recordOf(deep.room), place: textOf(deep.place) };
  const dir = shellWord(stateDir);
  const problem = textOf(store.problem);
  const size = renderBytes(numberOf(store.sizeBytes) ?? 0);
  const free = numberOf(room.freeBytes);
  const parts: Part[] = [
    problem !== null
      ? fail('store', problem, `ls -l ${dir}/backups`)
      : store.isWhole === true
        ? ok('store', `${size}, looked through and sound`)
        : ok('store', `${size}, too large to look through now; it can be read`),
  ];
  if (free !== null) {
    const text = `${renderBytes(free)} free of ${renderBytes(numberOf(room.totalBytes) ?? 0)}`;
    if (free < ROOM_FAIL_BYTES) parts.push(fail('disk', text, `df -h ${dir}`));
    else parts.push(free < ROOM_WARN_BYTES ? warn('disk', text, `df -h ${dir}`) : ok('disk', text));
  }
  if (place !== null) parts.push(fail('run', place, `end the gateway, then: ${context.command} gateway run`));
  return parts;
}

/** What is in force, against what stands in the file now. */
function configuration(context: Context, own: Row): readonly Part[] {
  const config = recordOf(own.config);
  const problem = recordOf(config.problem);
  const what = textOf(problem.what);
  const pending = textsOf(config.pending);
  const warnings = textsOf(own.warnings).map((line) =>
    warn('configuration', line, `${context.command} gateway call config.get`),
  );
  if (what !== null) {
    const why = `the file is not in force: ${what}: ${textOf(problem.why) ?? 'why is not known'}`;
    return [fail('configuration', why, `${context.command} config validate`), ...warnings];
  }
  if (pending.length > 0) {
    const waits = `waits for the next start: ${pending.join(', ')}`;
    return [warn('configuration', waits, `end the gateway, then: ${context.command} gateway run`), ...warnings];
  }
  const path = textOf(config.path);
  return [ok('configuration', path === null ? 'in force' : inForce(own, path)), ...warnings];
}

/** Whether there is such a file at all can be seen from here where it is the owner's own gateway. */
function inForce(own: Row, path: string): string {
  const isHere = recordOf(own.access).kind === 'owner';
  return isHere && !existsSync(path) ? `${path}: no such file, all is as by default, in force` : `${path} is in force`;
}

function clock(context: Context, deep: Row): readonly Part[] {
  const found = recordOf(deep.clock);
  const at = numberOf(deep.at);
  const movedMs = numberOf(found.movedMs);
  if (at === null || movedMs === null) return [];
  const said = (text: string) => [warn('clock', text, 'timedatectl status')];
  const apartMs = Math.abs(context.host.clock.now() - at);
  const aheadMs = numberOf(found.aheadMs) ?? 0;
  // Nobody is let in or locked out by it (A3), but ends of grants count by it (A20).
  if (aheadMs > 0) return said(`the newest record lies ${renderDuration(aheadMs)} ahead of it: it was set back`);
  if (Math.abs(movedMs) > MOVED_WARN_MS)
    return said(`it was moved by ${Math.round(movedMs / 1_000)} s while the gateway ran`);
  if (apartMs > APART_WARN_MS) return said(`the gateway's and this host's are ${renderDuration(apartMs)} apart`);
  return [ok('clock', 'steady')];
}

function loop(context: Context, own: Row): Part {
  const lagMs = numberOf(own.lagMs) ?? 0;
  return lagMs > 1_000
    ? warn('event loop', `was held up for ${Math.round(lagMs)} ms within the last minute`, `${context.command} health`)
    : ok('event loop', 'keeps up');
}

function requests(context: Context, own: Row): Part {
  const { open, paired } = recordOf(own.devices);
  const devices = numberOf(paired) === 1 ? '1 device paired' : `${numberOf(paired) ?? '?'} devices paired`;
  return numberOf(open) === 0
    ? ok('requests', `none open, ${devices}`)
    : warn('requests', `${numberOf(open) ?? '?'} open, ${devices}`, `${context.command} devices list`);
}

/** What was said and is being said; nothing where it was not counted, as by earlier releases. */
function talk({ sessions, openRuns }: Row): readonly Part[] {
  const [kept, open] = [numberOf(sessions), numberOf(openRuns)];
  if (kept === null || open === null) return [];
  const running = open === 1 ? '1 run is open' : `${open} runs are open`;
  return [ok('conversations', `${kept} kept, ${open === 0 ? 'no run is open' : running}`)];
}

/** What is left out for a caller that may not ask `status`. */
export function withoutRead(health: Row, why: string): readonly Part[] {
  const isWell = health.ok === true;
  return [
    ok('connection', 'answers'),
    isWell ? ok('health', 'ok') : fail('health', 'the gateway says that it is not well', 'latchkey health'),
    unseen('inside', why),
  ];
}

/** The rows that a list of devices may bring: whoever may not see it is told so. */
export function listed(list: Row | null): readonly Part[] {
  return list !== null ? [] : [unseen('devices', 'your access does not show who they are')];
}
