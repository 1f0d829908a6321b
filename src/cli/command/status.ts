import { ADMIN, PAIRING } from '../../core/protocol/method/scope.ts';
import { EXIT, isFailure } from '../../system/failure.ts';
import { escapeText } from '../../system/text.ts';
import { kindOf, nameOf } from '../claimed.ts';
import { readyToConfigure } from '../configured.ts';
import { type Context, print } from '../context.ts';
import { renderAge, renderDuration, renderEnd } from '../duration.ts';
import { painter } from '../output.ts';
import { isSound, type Part, renderParts } from '../part.ts';
import { type Call, withGateway, withOwnGateway } from '../reach.ts';
import { inWords } from '../reason.ts';
import { remedyFields, remedyText } from '../remedy.ts';
import { aimOf } from '../remote-target.ts';
import { type GatewayBusy, type GatewayDown, isBusy, isDown } from '../unanswered.ts';
import { numberOf, recordOf, recordsOf, shownOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** Agents that are named on the screen. */
const AGENTS_SHOWN = 8;

/**
 * `latchkey status [--deep]`: one screen. With no gateway, or for a caller that may not ask everything: what can be known
 * all the same, exit 0. `--deep` looks at each part: exit 1 when one of them fails, the gateway itself included.
 */
export async function status(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const isDeep = options.deep === true;
  await readyToConfigure(context);
  try {
    // Looked up once: a plain status is the most frequent of all commands.
    const isOwn = (await aimOf(context)) === null;
    const work = (call: Call) => answered(context, call, { isDeep, isOwn });
    return await (isOwn ? withOwnGateway(context, work) : withGateway(context, work));
  } catch (error) {
    if (isDown(error) || (isDeep && isBusy(error))) return down(context, error, isDeep);
    throw error;
  }
}

async function answered(
  context: Context,
  call: Call,
  { isDeep, isOwn }: { readonly isDeep: boolean; readonly isOwn: boolean },
): Promise<number> {
  const { clock } = context.host;
  const began = clock.monotonicMs();
  // The owner's list comes beside it; elsewhere it is asked of a session that holds it anyway, and of no other.
  const asked = allowed(call('status', isDeep ? { deep: true } : undefined));
  const listOf = () => allowed(call('device.pair.list'));
  const elsewhere = ({ value }: Asked) => {
    if (isForeign(value)) return anyRefusal(call('device.pair.list'));
    return decides(value) ? listOf() : NOT_ASKED;
  };
  const [answer, list] = await Promise.all([asked, isOwn ? listOf() : asked.then(elsewhere)]);
  if (!isOwn && isForeign(answer.value)) {
    return answeredElsewhere(context, answer.value, list, isDeep ? clock.monotonicMs() - began : null);
  }
  const tookMs = clock.monotonicMs() - began;
  const denied = [answer, list].flatMap((asked) => asked.denied ?? []);
  // Whoever may ask nothing is told at least whether it works.
  const health = answer.value === null ? recordOf(await call('health')) : null;
  const parts = isDeep ? await deepParts(context, call, { answer, health, list, tookMs }) : null;
  const document = {
    running: true,
    stateDir: context.state.path,
    ...answer.value,
    ...(health === null ? {} : { health }),
    devices: list.value,
    ...(denied.length === 0 ? {} : { denied }),
    ...(parts === null ? {} : { deep: { ok: isSound(parts), parts } }),
  };
  print(context, document, () => {
    const text = answer.value === null ? renderDenied(context, denied) : render(context, shownOf(answer.value), list);
    return `${text}${renderDeep(context, parts)}`;
  });
  return parts === null || isSound(parts) ? EXIT.ok : EXIT.failed;
}

/** Another gateway than Latchkey: it says nothing of what only Latchkey has. */
const isForeign = (answer: Row | null): answer is Row => answer !== null && answer.latchkey === undefined;

/** @param tookMs of a look that is to be deep; `null`: it is not */
async function answeredElsewhere(context: Context, answer: Row, list: Asked, tookMs: number | null): Promise<number> {
  const { foreignParts, foreignRows } = await import('./status-foreign.ts');
  const found = { answer, list: list.value, why: `not told: ${list.denied?.why ?? 'it gave no list'}` };
  const parts = tookMs === null ? null : foreignParts(context, found, tookMs);
  const denied = list.denied === undefined ? {} : { denied: [list.denied] };
  const deep = parts === null ? {} : { deep: { ok: isSound(parts), parts } };
  const document = { running: true, ...answer, devices: list.value, ...denied, ...deep };
  print(context, document, () => `${rows(foreignRows(context, found))}${renderDeep(context, parts)}`);
  return parts === null || isSound(parts) ? EXIT.ok : EXIT.failed;
}

/** It may see who asks and who is paired. */
function decides(answer: Row | null): boolean {
  const names = scopesOf(recordOf(recordOf(answer?.latchkey).access));
  return names.includes(PAIRING) || names.includes(ADMIN);
}

function scopesOf(access: Row): readonly string[] {
  return recordsOf(access.scopes).flatMap((row) => textOf(row.scope) ?? []);
}

const NOT_ASKED: Asked = { value: null };

/** An answer, or why this caller may not have it; neither: it was not asked. */
interface Asked {
  readonly value: Row | null;
  readonly denied?: { readonly why: string; readonly run: string };
}

async function allowed(answer: Promise<unknown>): Promise<Asked> {
  try {
    return { value: recordOf(await answer) };
  } catch (error) {
    const cause = isFailure(error) ? (error.cause as { refusal?: unknown; message?: unknown } | undefined) : undefined;
    if (!isFailure(error) || cause?.refusal !== 'missing_scope') throw error;
    return { value: null, denied: { why: escapeText(String(cause.message)), run: error.run } };
  }
}

/** The same for a gateway that has no names for its refusals. */
async function anyRefusal(answer: Promise<unknown>): Promise<Asked> {
  try {
    return { value: recordOf(await answer) };
  } catch (error) {
    const cause = isFailure(error) ? (error.cause as { name?: unknown; message?: unknown } | undefined) : undefined;
    if (!isFailure(error) || cause?.name !== 'RemoteError') throw error;
    return { value: null, denied: { why: escapeText(String(cause.message)), run: error.run } };
  }
}

interface Found {
  readonly answer: Asked;
  readonly health: Row | null;
  readonly list: Asked;
  readonly tookMs: number;
}

async function deepParts(context: Context, call: Call, found: Found): Promise<readonly Part[]> {
  const { listed, partsOf, withoutRead } = await import('./status-deep.ts');
  const { answer, health, list, tookMs } = found;
  const parts =
    answer.value === null
      ? withoutRead(health ?? {}, answer.denied?.why ?? '')
      : await partsOf(context, call, answer.value, tookMs);
  return [...parts, ...listed(list.value)];
}

function renderDeep(context: Context, parts: readonly Part[] | null): string {
  return parts === null ? '' : `\n${renderParts(parts, painter(context.output.colour), context.output.width)}`;
}

function rows(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, text]) => `${name.padEnd(16)}${text}\n`).join('');
}

function render(context: Context, answer: Row, asked: Asked): string {
  const paint = painter(context.output.colour);
  const own = recordOf(answer.latchkey);
  const access = recordOf(own.access);
  const tls = recordOf(own.tls);
  const list = asked.value ?? {};
  const pending = recordsOf(list.pending).filter((row) => row.state !== 'rejected');
  const paired = recordsOf(list.paired);
  const now = context.host.clock.now();
  const lagMs = numberOf(own.lagMs) ?? 0;
  const seen = paired.flatMap((row) => numberOf(row.lastSeenAtMs) ?? []);
  const uptimeMs = numberOf(answer.uptimeMs);
  const about = [
    textOf(answer.runtimeVersion),
    numberOf(answer.pid) === null ? null : `pid ${answer.pid}`,
    uptimeMs === null ? null : `up ${renderDuration(uptimeMs)}`,
  ].filter((part) => part !== null);
  const asks = pending.length === 0 ? 'none' : `${pending.length}: ${context.command} devices list`;
  const text = rows([
    ['gateway', `${paint('green', 'running')}  ${about.join(', ')}`],
    ['address', textsOf(own.addresses).join(', ') || 'not listening yet'],
    ...(textOf(tls.fingerprint) === null ? [] : [['tls', `${tls.from}, sha256 ${tls.fingerprint}`] as const]),
    ['owner socket', textOf(own.ownerSocket) ?? 'unknown'],
    ['state', `${textOf(own.stateDir) ?? context.state.path}  (${textOf(own.store) ?? 'store unknown'})`],
    ['your access', accessText(access, now)],
    ...(asked.value !== null
      ? [
          [
            'devices',
            `${paired.length} paired, last seen ${seen.length > 0 ? renderAge(Math.max(...seen), now) : 'never'}`,
          ] as const,
          ['open requests', paint(pending.length > 0 ? 'yellow' : 'dim', asks)] as const,
        ]
      : [['devices', counted(answer)] as const]),
    ['connected', String(numberOf(own.sessions) ?? 'unknown')],
    ...conversations(recordOf(answer.sessions), now),
    ...configuration(recordOf(own.config), paint),
  ]);
  const names = pending.map(
    (row) => `  ${escapeText(textOf(row.requestId) ?? '?')}  ${nameOf(row)} (${kindOf(row)})\n`,
  );
  const slow = lagMs > 1_000 ? paint('yellow', `its event loop was held up for ${Math.round(lagMs)} ms\n`) : '';
  const warnings = [...edits(recordOf(own.config), context.command), ...textsOf(own.warnings)].map(
    (line) => `${paint('yellow', 'warning')}  ${escapeText(line)}\n`,
  );
  return `${text}${names.join('')}${slow}${warnings.join('')}`;
}

/** The agents, and what is said to them. */
function conversations({ byAgent, count, recent }: Row, now: number): readonly (readonly [string, string])[] {
  const agents = recordsOf(byAgent).flatMap((row) => textOf(row.agentId) ?? []);
  const [newest] = recordsOf(recent);
  const at = numberOf(newest?.updatedAt);
  const last = at === null ? '' : `, the last changed ${renderAge(at, now)}: ${textOf(newest?.key) ?? '?'}`;
  const more = agents.length > AGENTS_SHOWN ? `, and ${agents.length - AGENTS_SHOWN} more` : '';
  return [
    ['agents', `${agents.slice(0, AGENTS_SHOWN).join(', ')}${more}`],
    ['sessions', `${numberOf(count) ?? 'unknown'}${last}`],
  ];
}

/** Where what is in force is not what stands in the file. */
function edits({ problem, pending }: Row, command: string): readonly string[] {
  const { what, why } = recordOf(problem);
  return [
    ...(textOf(what) === null ? [] : [`an edit is not in force: ${what}: ${why}; run: ${command} config validate`]),
    ...(textsOf(pending).length === 0
      ? []
      : [`waits for the next start of the gateway: ${textsOf(pending).join(', ')}`]),
  ];
}

/** Only what of the file is not in force. */
function configuration(
  config: Readonly<Record<string, unknown>>,
  paint: ReturnType<typeof painter>,
): readonly (readonly [string, string])[] {
  const { what, why } = recordOf(config.problem);
  const pending = textsOf(config.pending);
  if (textOf(what) !== null) {
    return [['configuration', paint('red', `not in force: ${escapeText(`${textOf(what)}: ${textOf(why) ?? ''}`)}`)]];
  }
  return pending.length === 0
    ? []
    : [['configuration', paint('yellow', `waits for the next start: ${escapeText(pending.join(', '))}`)]];
}

/** How many there are may be known to one who may not see who they are. */
function counted(answer: Row): string {
  const { paired, open } = recordOf(recordOf(answer.latchkey).devices);
  return `${numberOf(paired) ?? '?'} paired, ${numberOf(open) ?? '?'} asking; your access does not show who they are`;
}

/** What was given, by name, with its ends. */
function accessText(access: Row, now: number): string {
  const kind = textOf(access.kind) ?? 'unknown';
  if (kind === 'owner') return 'owner: everything';
  const scopes = recordsOf(access.scopes).map((row) => {
    const end = numberOf(row.untilMs);
    return `${textOf(row.scope) ?? '?'}${end === null ? '' : ` until ${renderEnd(end, now)}`}`;
  });
  return `${kind}: ${scopes.join(', ') || 'no scope'}`;
}

function renderDenied(context: Context, denied: readonly NonNullable<Asked['denied']>[]): string {
  const paint = painter(context.output.colour);
  return rows([
    ['gateway', `${paint('green', 'running')}  more is not for this caller`],
    ...denied.map(({ why }) => ['not allowed', why] as const),
  ]).concat(`${remedyText(denied[0]?.run ?? `${context.command} devices list`)}\n`);
}

async function down(context: Context, error: GatewayDown | GatewayBusy, isDeep: boolean): Promise<number> {
  const { lookDown, partsDown, rowsDown } = await import('./status-down.ts');
  const found = await lookDown(context);
  const { path, from } = context.state;
  const hangs = isBusy(error);
  const parts = isDeep ? partsDown(context, found, error.message, hangs) : null;
  const document = {
    running: false,
    stateDir: path,
    stateDirFrom: from,
    why: error.message,
    last: found.last,
    config: found.config,
    storeBytes: found.storeBytes,
    others: found.others,
    ...(parts === null ? {} : { deep: { ok: isSound(parts), parts } }),
  };
  print(context, document, () => {
    const paint = painter(context.output.colour);
    const text = rows([
      ['gateway', `${paint('red', hangs ? 'does not answer' : 'not running')}  ${error.message}`],
      ['state', `${path}  (from ${from})`],
      ...rowsDown(found, hangs),
      hangs
        ? ['to look closer', `${context.command} gateway status`]
        : ['to start it', `${context.command} gateway run`],
      ...(hangs || found.look === null ? [] : ([['to see that one', found.look]] as const)),
    ]);
    return `${text}${renderDeep(context, parts)}`;
  });
  return parts === null || isSound(parts) ? EXIT.ok : EXIT.failed;
}

/** `latchkey health`: exit 0 when the gateway works, 1 when it says that it doesn't, 75 when none answers. */
export async function health(context: Context): Promise<number> {
  let answer: Row;
  try {
    answer = recordOf(await withGateway(context, (call) => call('health')));
  } catch (error) {
    if (!isDown(error) && !isBusy(error)) throw error;
    const { failureOf } = await import('../refused.ts');
    const { what, why, run, exitCode } = failureOf(error, context);
    print(context, { ok: false, why: `${what}: ${inWords(why)}`, ...remedyFields(run) }, () => '');
    context.output.err(`latchkey: ${what}\n  why: ${inWords(why)}\n${remedyText(run)}\n`);
    return exitCode;
  }
  const loop = recordOf(answer.eventLoop);
  const degraded = loop.degraded === true ? `, event loop held up for ${numberOf(loop.delayMaxMs) ?? '?'} ms` : '';
  print(context, answer, () => `${answer.ok === true ? 'ok' : 'not ok'}${degraded}\n`);
  return answer.ok === true ? EXIT.ok : EXIT.failed;
}
