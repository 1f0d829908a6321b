import { escapeText, shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { reachable, urlOf } from '../door.ts';
import { renderDuration, renderTime } from '../duration.ts';
import { fail, ok, type Part, unseen, warn } from '../part.ts';
import type { GatewayStatus } from './gateway-status.ts';

/** `gateway status` for people: one screen, each line with what to run where something is wrong. */
export function partsOf(context: Context, found: GatewayStatus): readonly Part[] {
  return [
    process(context, found),
    ...owner(context, found),
    listener(context, found),
    ...configuration(context, found),
    own(found),
    ...members(context, found),
    ...others(found),
  ];
}

function process({ command, host }: Context, { process: p, gateway }: GatewayStatus): Part {
  const who = `pid ${p.pid ?? '?'}, ${escapeText(p.program ?? 'latchkey gateway')}`;
  switch (p.state) {
    case 'running': {
      if (gateway === null) return fail('process', `running: ${who}, but: ${p.why ?? ''}`, `${command} logs`);
      const since = p.sinceMs === null ? '' : `, since ${renderTime(p.sinceMs)}`;
      const up = p.sinceMs === null ? '' : ` (${renderDuration(host.clock.now() - p.sinceMs)})`;
      const text = `running: ${who} ${p.version ?? ''}${since}${up}`;
      return !gateway.isWell
        ? fail('process', `${text}, and says that it is not well`, `${command} health`)
        : ok('process', text);
    }
    case 'hanging':
      return p.isStopped
        ? fail('process', `stopped by a signal: ${who}`, `kill -CONT ${p.pid}`)
        : fail(
            'process',
            `there, and does not answer: ${who}: ${p.why ?? ''}`,
            p.pid === null ? `${command} gateway probe` : `kill ${p.pid}   (then: ${command} gateway run)`,
          );
    case 'starting':
      return warn('process', `starting or stopping: ${who}`, `${command} gateway status`);
    case 'down':
      return fail('process', 'not running', `${command} gateway run`);
  }
}

function owner({ command }: Context, { process: p, gateway }: GatewayStatus): readonly Part[] {
  if (gateway !== null)
    return [ok('owner socket', `${gateway.ownerSocket ?? 'the usual one'} answers (${gateway.tookMs} ms)`)];
  return p.state === 'down' ? [] : [fail('owner socket', p.why ?? 'does not answer', `${command} gateway probe`)];
}

function listener({ command }: Context, { listener: door, gateway, process: p }: GatewayStatus): Part {
  const all = gateway === null || gateway.addresses.length < 2 ? '' : `; in all ${gateway.addresses.join(', ')}`;
  const took = door.tookMs === null ? '' : ` (${door.tookMs} ms)`;
  const text = `${door.where}: ${door.detail}${took}${all}`;
  if (door.state === 'ok') {
    return p.state === 'down'
      ? fail('listener', `${text}, though no gateway runs here`, `${command} gateway probe`)
      : ok('listener', text);
  }
  // Of a gateway that isn't there one line is enough.
  if (p.state === 'down' && door.state === 'down') return unseen('listener', `${door.where}: nobody listens`);
  return fail('listener', text, `${command} gateway probe`);
}

function configuration({ command }: Context, { configuration: file, gateway }: GatewayStatus): readonly Part[] {
  const parts: Part[] = [];
  const about = `${file.path} (named by ${file.from})`;
  const inForce = gateway?.config.path ?? null;
  if (inForce !== null && inForce !== file.path) {
    const text = `the gateway runs with ${inForce}, this command would read ${about}`;
    parts.push(warn('configuration', text, `LATCHKEY_CONFIG_PATH=${shellWord(inForce)} ${command} gateway status`));
  }
  if (file.problem !== null) {
    const { what, why, run } = file.problem;
    const text = `${what}: ${why}`;
    parts.push(
      gateway === null
        ? fail('configuration', `no gateway starts with it: ${text}`, run)
        : warn('configuration', `what the gateway started with stays in force: ${text}`, run),
    );
  } else if (gateway?.config.problem != null) {
    const { what, why, run } = gateway.config.problem;
    parts.push(warn('configuration', `an edit is not in force: ${what}: ${why}`, run));
  } else {
    const words = file.exists ? 'good' : 'no such file, all is as by default';
    parts.push(ok('configuration', `${about}: ${words}${gateway === null ? '' : ', in force'}`));
  }
  const pending = gateway?.config.pending ?? [];
  if (pending.length > 0) {
    parts.push(
      warn(
        'configuration',
        `waits for the next start: ${pending.join(', ')}`,
        `end the gateway, then: ${command} gateway run`,
      ),
    );
  }
  const warnings = new Set([...(gateway?.warnings ?? []), ...file.warnings]);
  for (const line of warnings) parts.push(warn('configuration', line, `\${EDITOR:-vi} ${shellWord(file.path)}`));
  return parts;
}

/** What this command line means, and where it would look without the owner socket. */
function own({ command, configuration }: GatewayStatus): Part {
  const { door } = configuration;
  const profile = command.profile === null ? '' : `, profile ${command.profile}`;
  const [address = '127.0.0.1'] = door?.addresses ?? [];
  const expects =
    door === null || door.port === 0 ? '' : `; by its configuration ${urlOf({ ...door, address: reachable(address) })}`;
  return ok('this command', `${command.stateDir} (from ${command.from}${profile})${expects}`);
}

function members({ command }: Context, { members, isWhole }: GatewayStatus): readonly Part[] {
  const rest = isWhole ? '' : '; other processes can not be looked into on this system';
  if (members.length === 0) return [ok('members', `nobody works on this state directory${rest}`)];
  return members.map(({ pid, about, isHolder, hasOpen }) => {
    const who = `pid ${pid}, ${escapeText(about)}`;
    if (isHolder) return ok('members', `${who}: holds the lock${rest}`);
    return hasOpen
      ? fail('members', `${who}: has its files open without being in run/gateway.json`, `ls -l /proc/${pid}/fd`)
      : warn('members', `${who}: waits for the lock, or is about to end`, `${command} gateway status`);
  });
}

/** So that all of it stays one screen. */
const OTHERS_SHOWN = 5;

const NAMES = { latchkey: 'Latchkey', openclaw: 'OpenClaw', unknown: 'a program' } as const;

function others({ others }: GatewayStatus): readonly Part[] {
  if (others.length === 0) return [ok('others', 'no other gateway was found on this host')];
  const shown = others.slice(0, OTHERS_SHOWN);
  const rest = others.length - shown.length;
  const lines = shown.map(({ kind, pid, port, stateDir, about }) => {
    const at = [pid === null ? null : `pid ${pid}`, port === null ? null : `port ${port}`, stateDir].filter(
      (s) => s !== null,
    );
    // Its directory says more than its command line.
    const more = stateDir === null ? ` (${escapeText(about)})` : '';
    return ok('others', `${NAMES[kind]}: ${at.join(', ')}${more}`);
  });
  return rest === 0 ? lines : [...lines, unseen('others', `and ${rest} more: --json names them`)];
}
