import { EXIT } from '../../system/failure.ts';
import { claimText, escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { renderAge, renderDuration } from '../duration.ts';
import { painter } from '../output.ts';
import { failureOf, GatewayBusy, GatewayDown, withGateway } from '../reach.ts';
import { type RunRecord, readRun } from '../running.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';

/** `latchkey status`: one screen. With no gateway: what can be known without one, exit 0 all the same. */
export async function status(context: Context): Promise<number> {
  try {
    const [answer, list] = await withGateway(context, (call) =>
      Promise.all([call('status'), call('device.pair.list')]),
    );
    print(context, { running: true, stateDir: context.state.path, ...recordOf(answer), devices: list }, () =>
      render(context, recordOf(answer), recordOf(list)),
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof GatewayDown)) throw error;
    const run = readRun(context.state.path);
    const { path, from } = context.state;
    const document = { running: false, stateDir: path, stateDirFrom: from, why: error.message, last: run };
    print(context, document, () => renderDown(context, error, run));
    return EXIT.ok;
  }
}

function rows(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, text]) => `${name.padEnd(16)}${text}\n`).join('');
}

function render(
  context: Context,
  answer: Readonly<Record<string, unknown>>,
  list: Readonly<Record<string, unknown>>,
): string {
  const paint = painter(context.output.colour);
  const own = recordOf(answer.latchkey);
  const access = recordOf(own.access);
  const scopes = recordsOf(access.scopes).flatMap((row) => textOf(row.scope) ?? []);
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
    ['owner socket', textOf(own.ownerSocket) ?? 'unknown'],
    ['state', `${textOf(own.stateDir) ?? context.state.path}  (${textOf(own.store) ?? 'store unknown'})`],
    ['your access', `${textOf(access.kind) ?? 'unknown'}${scopes.length > 0 ? `: ${scopes.length} scopes` : ''}`],
    ['devices', `${paired.length} paired, last seen ${seen.length > 0 ? renderAge(Math.max(...seen), now) : 'never'}`],
    ['open requests', paint(pending.length > 0 ? 'yellow' : 'dim', asks)],
    ['sessions', String(numberOf(own.sessions) ?? 'unknown')],
  ]);
  const names = pending.map(
    (row) => `  ${textOf(row.requestId) ?? '?'}  ${claimText(textOf(row.displayName) ?? '')}\n`,
  );
  const slow = lagMs > 1_000 ? paint('yellow', `its event loop was held up for ${Math.round(lagMs)} ms\n`) : '';
  return `${text}${names.join('')}${slow}`;
}

function renderDown(context: Context, error: GatewayDown, run: RunRecord | null): string {
  const paint = painter(context.output.colour);
  const last =
    run === null
      ? 'none known'
      : `pid ${run.pid} (${escapeText(run.program ?? 'program unknown')}), ${run.alive ? 'still there: starting or stopping' : 'gone'}`;
  return rows([
    ['gateway', `${paint('red', 'not running')}  ${error.message}`],
    ['state', `${context.state.path}  (from ${context.state.from})`],
    ['last gateway', last],
    ['to start it', `${context.command} gateway run`],
  ]);
}

/** `latchkey health`: exit 0 when the gateway works, 1 when it is down or says that it doesn't. */
export async function health(context: Context): Promise<number> {
  let answer: Readonly<Record<string, unknown>>;
  try {
    answer = recordOf(await withGateway(context, (call) => call('health')));
  } catch (error) {
    if (!(error instanceof GatewayDown) && !(error instanceof GatewayBusy)) throw error;
    const { what, why, run } = failureOf(error, context);
    print(context, { ok: false, why: `${what}: ${why}`, run }, () => '');
    context.output.err(`latchkey: ${what}\n  why: ${why}\n  run: ${run}\n`);
    return EXIT.failed;
  }
  const loop = recordOf(answer.eventLoop);
  const degraded = loop.degraded === true ? `, event loop held up for ${numberOf(loop.delayMaxMs) ?? '?'} ms` : '';
  print(context, answer, () => `${answer.ok === true ? 'ok' : 'not ok'}${degraded}\n`);
  return answer.ok === true ? EXIT.ok : EXIT.failed;
}
