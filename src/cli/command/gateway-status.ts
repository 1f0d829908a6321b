import { EXIT, Failure, isFailure } from '../../system/failure.ts';
import { isStopped } from '../../system/process.ts';
import { type Configured, configured, readyToConfigure } from '../configured.ts';
import { type Context, print } from '../context.ts';
import { hostOf } from '../members.ts';
import { painter } from '../output.ts';
import { renderParts } from '../part.ts';
import { type Call, withOwnGateway } from '../reach.ts';
import { readRun } from '../running.ts';
import { isBusy, isDown } from '../unanswered.ts';
import { numberOf, recordOf, textOf, textsOf } from '../value.ts';
import { type Door, probeTcp } from './gateway-probe.ts';
import { partsOf } from './gateway-status-parts.ts';

/** How long anything may be silent before it is called hanging. */
const PATIENCE_MS = 3_000;

/** What the gateway says of itself over its owner socket; `null`: it didn't. */
export interface Told {
  readonly pid: number | null;
  readonly version: string | null;
  readonly uptimeMs: number | null;
  readonly isWell: boolean;
  readonly addresses: readonly string[];
  readonly ownerSocket: string | null;
  readonly tookMs: number;
  /** What it runs with, and what of the file it does not. */
  readonly config: {
    readonly path: string | null;
    readonly problem: { readonly what: string; readonly why: string; readonly run: string } | null;
    readonly pending: readonly string[];
  };
  readonly warnings: readonly string[];
}

/** Everything that `gateway status` shows: its document. */
export interface GatewayStatus {
  /** It runs, answers at both doors, and says that it is well. */
  readonly ok: boolean;
  readonly process: {
    readonly state: 'running' | 'hanging' | 'starting' | 'down';
    readonly pid: number | null;
    readonly program: string | null;
    readonly version: string | null;
    /** Ms since 1970. */
    readonly sinceMs: number | null;
    readonly isStopped: boolean;
    readonly why: string | null;
  };
  readonly gateway: Told | null;
  readonly listener: Door;
  readonly configuration: Configured;
  readonly command: { readonly stateDir: string; readonly from: string; readonly profile: string | null };
  readonly members: ReturnType<typeof hostOf>['members'];
  readonly others: ReturnType<typeof hostOf>['others'];
  readonly isWhole: boolean;
}

/**
 * `latchkey gateway status`: the gateway of this state directory, from outside and from inside: process, listener,
 * configuration, who else is there. Writes nothing. Exit 0 when it runs and is well, else 1.
 */
export async function gatewayStatus(context: Context): Promise<number> {
  if (context.globals.url !== undefined) {
    throw new Failure(EXIT.usage, {
      what: 'gateway status is about the gateway of this host',
      why: '--url names another one, whose process and files are not here',
      run: `${context.command} status --deep`,
    });
  }
  const patient: Context = context.globals.timeout === undefined ? { ...context, timeoutMs: PATIENCE_MS } : context;
  await readyToConfigure(context);
  // The owner socket first: as root it makes this process the directory's owner, who may read the rest.
  const { told, state, why } = await ask(patient);
  const config = await configured(context);
  const listener = await listen(patient, told, config);
  const run = readRun(context.state.path);
  const ports = told?.addresses.map((url) => Number(new URL(url).port)) ?? (run?.port == null ? [] : [run.port]);
  const pid = told?.pid ?? (run?.alive === true ? run.pid : null);
  const { path: stateDir, from, profile } = context.state;
  const found: GatewayStatus = {
    ok: state === 'running' && told?.isWell === true && listener.state === 'ok',
    process: {
      state,
      pid,
      program: run?.program ?? null,
      version: told?.version ?? null,
      sinceMs: told?.uptimeMs == null ? null : context.host.clock.now() - told.uptimeMs,
      isStopped: pid !== null && isStopped(pid),
      why,
    },
    gateway: told,
    listener,
    configuration: config,
    command: { stateDir, from, profile },
    ...hostOf(context, run, ports),
  };
  print(context, found, () =>
    renderParts(partsOf(context, found), painter(context.output.colour), context.output.width),
  );
  return found.ok ? EXIT.ok : EXIT.failed;
}

interface Answered {
  readonly told: Told | null;
  readonly state: GatewayStatus['process']['state'];
  readonly why: string | null;
}

async function ask(context: Context): Promise<Answered> {
  try {
    return { told: await withOwnGateway(context, (call) => tell(context, call)), state: 'running', why: null };
  } catch (error) {
    const run = readRun(context.state.path);
    const isThere = run?.alive === true && !run.brief;
    if (isBusy(error)) return { told: null, state: 'hanging', why: error.message };
    if (isDown(error)) {
      // It has its lock first, its doors last; one that has been there for long and has none hangs.
      return { told: null, state: isThere ? (run.port === null ? 'starting' : 'hanging') : 'down', why: error.message };
    }
    // The connection ended under us, or it is about to stop.
    if (isFailure(error) && error.exitCode === EXIT.later) return { told: null, state: 'hanging', why: error.why };
    // An answer is a sign of life, whatever it says.
    if (isFailure(error) && error.cause !== undefined) return { told: null, state: 'running', why: error.why };
    throw error;
  }
}

async function tell(context: Context, call: Call): Promise<Told> {
  const { clock } = context.host;
  const began = clock.monotonicMs();
  const [health, status] = (await Promise.all([call('health'), call('status')])).map(recordOf);
  const own = recordOf(status?.latchkey);
  const live = recordOf(own.config);
  const problem = recordOf(live.problem);
  const what = textOf(problem.what);
  return {
    pid: numberOf(status?.pid),
    version: textOf(status?.runtimeVersion),
    uptimeMs: numberOf(status?.uptimeMs),
    isWell: health?.ok === true,
    addresses: textsOf(own.addresses).filter((url) => URL.canParse(url)),
    ownerSocket: textOf(own.ownerSocket),
    tookMs: Math.round(clock.monotonicMs() - began),
    config: {
      path: textOf(live.path),
      problem: what === null ? null : { what, why: textOf(problem.why) ?? '', run: textOf(problem.run) ?? '' },
      pending: textsOf(live.pending),
    },
    warnings: textsOf(own.warnings),
  };
}

/** Whether the port answers, and as whom (A18). Where it is, nobody may know. */
async function listen(context: Context, told: Told | null, config: Configured): Promise<Door> {
  const run = readRun(context.state.path);
  const isKnown = (told?.addresses.length ?? 0) > 0 || config.problem === null;
  if (!isKnown) {
    const detail = 'where it would be is not known: the configuration can not be read';
    return { where: 'port', state: 'down', detail, tookMs: null };
  }
  if (told === null && run?.alive !== true && config.door?.port === 0) {
    return { where: 'port', state: 'down', detail: 'any free one, once a gateway runs', tookMs: null };
  }
  return probeTcp(context, told?.addresses ?? []);
}
