import { type Held, implies, READ, ROLES } from '../../core/authz/scope.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { sessionsBrief, sessionsSeen } from '../chat/recent.ts';
import { presenceOf } from '../presence.ts';
import type { Context } from './handler.ts';
import { healthOf, statusOf } from './health.ts';

export async function health(c: Context): Promise<MethodOutput<'health'>> {
  const agents = c.services.authority.maySee(c.principal, READ) ? c.services.facts().agents : undefined;
  return healthOf({
    at: c.services.now(),
    loop: c.services.loop(),
    durationMs: 0,
    agents,
    seen: await sessionsBrief(c, agents ?? []),
  });
}

export async function status(c: Context, input: MethodInput<'status'>): Promise<MethodOutput<'status'>> {
  const deep = input.deep === true ? { deep: await c.services.inspect() } : {};
  const { challenge } = input;
  const f = c.services.facts();
  const { authority } = c.services;
  const known = authority.devices();
  const paired = known.filter((d) => ROLES.some((role) => d.roles[role].grant !== null)).length;
  const open = known.flatMap((d) => ROLES.filter((role) => d.roles[role].request !== null)).length;
  return statusOf({
    version: f.version,
    pid: f.pid,
    uptimeMs: f.uptimeMs,
    rssBytes: process.memoryUsage.rss(),
    loop: c.services.loop(),
    agents: f.agents,
    seen: await sessionsSeen(c, f.agents ?? []),
    latchkey: {
      addresses: f.addresses,
      tls: f.tls ?? null,
      warnings: f.warnings ?? [],
      ownerSocket: f.ownerSocket,
      stateDir: f.stateDir,
      store: f.store,
      lagMs: c.services.loop().delayMaxMs,
      access: {
        kind: c.principal.kind,
        scopes: named(authority.decider(c.principal).held).map((h) => ({ scope: h.scope, untilMs: h.until })),
      },
      devices: { paired, open },
      sessions: c.services.publisher.size,
      config: c.services.config.state(),
      ...deep,
      ...(challenge === undefined ? {} : { isOwnChallenge: c.services.isOwnChallenge(challenge) }),
    },
  });
}

/** As they were given: what another one brings along, for as long, is not named beside it. */
function named(held: readonly Held[]): readonly Held[] {
  const lasts = (a: Held, b: Held) => a.until === null || (b.until !== null && a.until >= b.until);
  return held.filter((h) => !held.some((o) => o.scope !== h.scope && implies(o.scope, h.scope) && lasts(o, h)));
}

export function systemPresence(c: Context): MethodOutput<'system-presence'> {
  return presence(c.services);
}

export function presence(services: Context['services']): MethodOutput<'system-presence'> {
  const { host, version, platform } = services.facts();
  const self = { host, version, platform, now: services.now() };
  return presenceOf(self, services.publisher.sessions(), (s) => services.authority.reportedTo(s.principal));
}

export async function secretRotate(
  c: Context,
  input: MethodInput<'gateway.secret.rotate'>,
): Promise<MethodOutput<'gateway.secret.rotate'>> {
  // Paired by it, or given something by a session of it.
  const bySecret = c.services.authority.devices().filter(({ roles }) => {
    const { grant } = roles.operator;
    return grant !== null && [grant, ...grant.entries].some((g) => g.by.kind === 'pairing' || g.by.kind === 'secret');
  });
  await c.services.authority.endSecretCodes();
  const { closedSessions } = c.services.rotateSecret(c.session);
  const revoked: string[] = [];
  for (const { device } of input.alsoRevoke === true ? bySecret : []) {
    const decided = await c.services.authority.decide(c.principal, { kind: 'revoke', role: 'operator' }, device);
    if (decided.reply.kind === 'done') revoked.push(device);
  }
  return { rotatedAtMs: c.services.now(), closedSessions, revoked };
}
