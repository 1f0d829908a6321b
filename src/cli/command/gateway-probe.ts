import { type Challenge, hostOf, NoChallenge, readChallenge } from '../../client/node/challenge.ts';
import { decodeBase64url, verifyEd25519 } from '../../system/crypto.ts';
import { EXIT, isFailure } from '../../system/failure.ts';
import { readGatewayIdentity } from '../../system/identity.ts';
import { newNonce } from '../../system/random.ts';
import { escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { type DoorPlace, placeOf, reachable, urlOf } from '../door.ts';
import { painter } from '../output.ts';
import { withOwnGateway } from '../reach.ts';
import { inWords } from '../reason.ts';
import { remedyText } from '../remedy.ts';
import { aimOf } from '../remote-target.ts';
import { readRun } from '../running.ts';
import { isBusy, isDown } from '../unanswered.ts';
import { numberOf, recordOf, textsOf } from '../value.ts';

/** How long a door may be silent before it is called busy. */
const PATIENCE_MS = 3_000;

export interface Door {
  readonly where: string;
  readonly state: 'ok' | 'busy' | 'down' | 'foreign';
  readonly detail: string;
  readonly tookMs: number | null;
  /** What mends it, where something is to be mended. */
  readonly run?: string;
}

/** `latchkey gateway probe`: both doors, each with the reason. Writes nothing (A6). Exit 0 when both answer. */
export async function gatewayProbe(context: Context): Promise<number> {
  const patient: Context = context.globals.timeout === undefined ? { ...context, timeoutMs: PATIENCE_MS } : context;
  const target = await aimOf(context);
  if (target !== null) return (await import('../remote.ts')).probeElsewhere(patient, target);
  // The owner socket first: as root it makes this process the directory's owner, who may read the rest.
  const told = { addresses: [] as readonly string[] };
  const owner = await probeOwner(patient, told);
  const tcp = await probeTcp(patient, told.addresses);
  const doors = { owner, tcp };
  const ok = owner.state === 'ok' && tcp.state === 'ok';
  const busy = owner.state === 'busy' || tcp.state === 'busy';
  print(context, { ok, busy, stateDir: context.state.path, ...doors }, () => render(context, doors));
  return ok ? EXIT.ok : busy ? EXIT.later : EXIT.failed;
}

export async function probeOwner(context: Context, told: { addresses: readonly string[] }): Promise<Door> {
  const { clock } = context.host;
  const beganMs = clock.monotonicMs();
  const where = 'owner socket';
  const took = () => Math.round(clock.monotonicMs() - beganMs);
  try {
    const [health, status] = await withOwnGateway(context, (call) =>
      Promise.all([call('health'), call('status')]),
    ).then((answers) => answers.map(recordOf));
    told.addresses = textsOf(recordOf(status?.latchkey).addresses);
    const loop = recordOf(health?.eventLoop);
    const slow =
      loop.degraded === true ? `, its event loop was held up for ${numberOf(loop.delayMaxMs) ?? '?'} ms` : '';
    return { where, state: 'ok', detail: `answers; you are the owner${slow}`, tookMs: took() };
  } catch (error) {
    if (isBusy(error)) {
      return { where, state: 'busy', detail: `takes connections, but: ${error.message}`, tookMs: took() };
    }
    if (isDown(error)) return { where, state: 'down', detail: error.message, tookMs: null };
    if (isFailure(error) && (error.exitCode === EXIT.failed || error.exitCode === EXIT.later)) {
      return { where, state: 'down', detail: error.message, tookMs: took() };
    }
    throw error;
  }
}

/** Where the door is: the running gateway says so itself, else its record, else the configuration. */
async function doorOf(context: Context, told: readonly string[]): Promise<DoorPlace> {
  const place = placeOf(told);
  if (place !== null) return place;
  const run = readRun(context.state.path);
  const { configPath, loadConfig } = await import('../../config/load.ts');
  const path = configPath(context.state.path, context.host.env, context.state.from === '--profile');
  const { gateway } = loadConfig({ path, profile: context.state.profile }).config;
  const address = reachable(gateway.bind.addresses[0] ?? '127.0.0.1');
  // What a gateway that was killed left behind says nothing of the next one.
  return { address, port: (run?.alive === true ? run.port : null) ?? gateway.port, secure: gateway.tls !== null };
}

export async function probeTcp(context: Context, told: readonly string[]): Promise<Door> {
  const { clock } = context.host;
  const place = await doorOf(context, told);
  const { address, port } = place;
  const where = urlOf(place);
  const lk = newNonce();
  const beganMs = clock.monotonicMs();
  try {
    const challenge = await readChallenge({ ...place, lk, timeoutMs: context.timeoutMs });
    const tookMs = Math.round(clock.monotonicMs() - beganMs);
    return { where, tookMs, ...identified(context, challenge, lk, hostOf(address, port)) };
  } catch (error) {
    if (!(error instanceof NoChallenge)) throw error;
    const state = error.kind === 'silent' ? 'busy' : error.kind === 'unreachable' ? 'down' : 'foreign';
    return { where, state, detail: inWords(error.message), tookMs: null };
  }
}

/** A18: whether the gateway behind the port is the one of this state directory. */
function identified(context: Context, challenge: Challenge, lk: string, host: string): Pick<Door, 'state' | 'detail'> {
  if (challenge.gateway === null) return { state: 'foreign', detail: 'a gateway that proves no key: not a Latchkey' };
  const { key, signature } = challenge.gateway;
  const raw = decodeBase64url(key, 32);
  const signed = decodeBase64url(signature, 64);
  const text = `latchkey-gw-1|${lk}|${challenge.nonce}|${host}`;
  if (raw === null || signed === null || !verifyEd25519(raw, text, signed)) {
    return { state: 'foreign', detail: "the gateway's proof of its key is wrong" };
  }
  const own = readGatewayIdentity(context.state.path)?.signingKey.publicKey ?? null;
  if (own === null) return { state: 'ok', detail: `sends its challenge; gateway key ${key}` };
  return own === key
    ? { state: 'ok', detail: 'sends its challenge and proves its key' }
    : { state: 'foreign', detail: `another gateway, with key ${key}` };
}

const STYLE = { ok: 'green', busy: 'yellow', down: 'red', foreign: 'red' } as const;

export function renderDoor(context: Context, { where, state, detail, tookMs, run }: Door): string {
  const paint = painter(context.output.colour);
  const took = tookMs === null ? '' : paint('dim', ` (${tookMs} ms)`);
  const remedy = run === undefined ? '' : `${remedyText(run, 8)}\n`;
  return `${paint(STYLE[state], state.padEnd(8))}${where}: ${escapeText(detail)}${took}\n${remedy}`;
}

function render(context: Context, doors: { readonly owner: Door; readonly tcp: Door }): string {
  const lines = [doors.owner, doors.tcp].map((door) => renderDoor(context, door));
  if (doors.owner.state === 'down') lines.push(`\nto start it: ${context.command} gateway run\n`);
  return lines.join('');
}
