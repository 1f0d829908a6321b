import { join } from 'node:path';
import type { Agents } from '../config/agents.ts';
import type { Giver, Principal } from '../core/authz/principal.ts';
import { HOUR_MS, MINUTE_MS } from '../core/base/instant.ts';
import { chatSend } from '../core/protocol/method/chat.ts';
import { contentsAt } from '../runtime/contents.ts';
import { openConversations } from '../runtime/conversations.ts';
import type { AgentFacts, Thought } from '../runtime/options.ts';
import type { RunEvent, Talk } from '../runtime/runtime.ts';
import { systemClock as clock } from '../system/clock.ts';
import { hmacSha256 } from '../system/crypto.ts';
import { claimed } from '../system/log.ts';
import { newId, randomBytes } from '../system/random.ts';
import type { House } from './house.ts';
import type { Models } from './models.ts';
import { boundOf } from './spending.ts';
import { makeWorkspace, workspaceOf } from './workspace.ts';

/** Characters of what fences in what came from outside. */
const MARK = 16;
const PRUNE_EVERY_MS = HOUR_MS;
/** Not in the way of what a start has to do. */
const PRUNE_FIRST_MS = 5 * MINUTE_MS;

/** Conversations over an open house. Nothing is accepted before `start`; nobody need ever start it. */
export function conversationsOf(house: House, models: Models): Tended {
  const { store, stateDir, live, log, identity } = house;
  const cast = new Cast(house);
  const talk = openConversations({
    store,
    clock,
    newId,
    chance: () => randomBytes(4).readUInt32BE() / 2 ** 32,
    agents: () => cast.now(live.now.config.agents),
    models: {
      async of(name, agent): Promise<Thought | null> {
        const own = agent === undefined || agent.model === null ? undefined : agent;
        const candidates =
          name === null || name === own?.model
            ? await models.candidates(own && { primary: own.model, fallbacks: own.fallbacks ?? [] })
            : await models.named(name, own?.fallbacks);
        return candidates === null ? null : { candidates, input: candidates[0].facts.input ?? null };
      },
    },
    mayTalk: (giver) => mayTalk(house, giver),
    mark: (place) => hmacSha256(identity.tokenKey, `latchkey-outside-1|${place}`).toString('hex').slice(0, MARK),
    contents: contentsAt(join(stateDir, 'state', 'attachments')),
    diary: {
      info: (event, fields) =>
        fields.path === undefined
          ? log.info(event, fields)
          : log.onceAMinute(`${event} ${String(fields.path)}`, 'info', event, fields),
      error: (event, error) =>
        log.error(event, { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    },
    clean: (text) => log.clean(text),
    retention: () => live.now.config.session.maintenance,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  talk.subscribe((event) => logged(log, event));
  return tended(talk, house, cast);
}

/** A12: may it say now what it could say when it was accepted? By all that it holds, whatever its session asked for. */
function mayTalk({ authority }: Pick<House, 'authority'>, giver: Giver): boolean {
  const principal = principalOf(giver);
  const { name: method, role, scope } = chatSend;
  return principal !== null && authority.mayCall(principal, { method, role, scope }).ok;
}

/** On whose behalf something runs, as whom it is judged; `null`: as nobody. */
function principalOf(giver: Giver): Principal | null {
  switch (giver.kind) {
    case 'owner':
      return giver;
    case 'secret':
      return { kind: 'secret', asked: null };
    case 'device':
      return { kind: 'device', device: giver.device, role: 'operator', asked: null };
    // A21: no door takes one yet, so there is none whose scopes and end could be looked up.
    case 'token':
      return null;
    // They pair, and say nothing.
    case 'pairing':
    case 'code':
      return null;
  }
}

/** A run that came to nothing by nobody's wish is worth a line, also when nobody waits for it. */
function logged(log: House['log'], event: RunEvent): void {
  if (event.kind !== 'end') return;
  const { end, id, key } = event.state;
  const run = { run: claimed(id), session: key };
  if (end?.kind === 'error') log.warn('a run failed', { ...run, code: end.code, why: end.text, remedy: end.remedy });
  if (end?.kind === 'interrupted') log.warn('a run was interrupted: the gateway ended while it was at work', run);
}

export interface Tended extends Talk {
  /** Other rules of what is kept hold at once. */
  rulesChanged(): void;
}

/** While it runs, what is old is forgotten now and then; where agents are told who they are is there from the start. */
function tended(talk: Talk, { log, live }: House, cast: Cast): Tended {
  const [start, stop] = [talk.start.bind(talk), talk.stop.bind(talk)];
  let cancel = () => {};
  let rules: string | null = null;
  const told = () => JSON.stringify(live.now.config.session.maintenance);
  const prune = () =>
    void talk.prune().catch((error) => log.error('what is old is not forgotten', { error: String(error) }));
  const arm = (delayMs: number) => {
    cancel = clock.after(delayMs, () => {
      arm(PRUNE_EVERY_MS);
      prune();
    });
  };
  return Object.assign(talk, {
    start: async () => {
      cast.start(live.now.config.agents);
      await start();
      rules = told();
      arm(PRUNE_FIRST_MS);
    },
    rulesChanged: () => {
      if (rules === null || rules === told()) return;
      rules = told();
      prune();
    },
    stop: (graceMs: number) => {
      rules = null;
      cancel();
      return stop(graceMs);
    },
  });
}

/** The agents of the configuration in force, as the runtime knows them. */
class Cast {
  readonly #house: Pick<House, 'stateDir' | 'log'>;
  #by: Agents | null = null;
  #facts: readonly AgentFacts[] = [];
  #isStarted = false;

  constructor(house: Pick<House, 'stateDir' | 'log'>) {
    this.#house = house;
  }

  /** From now on they have a workspace of their own where none is named. */
  start(agents: Agents): void {
    this.#isStarted = true;
    for (const facts of this.now(agents)) this.#made(agents, facts);
  }

  now(agents: Agents): readonly AgentFacts[] {
    if (this.#by === agents) return this.#facts;
    const { stateDir } = this.#house;
    this.#by = agents;
    this.#facts = agents.list.map((agent) => ({
      id: agent.id,
      name: agent.name,
      workspace: workspaceOf(stateDir, agent),
      model: agent.model?.primary ?? null,
      ...(agent.model === null ? {} : { fallbacks: agent.model.fallbacks }),
      queue: agent.queue,
      thinking: agents.defaults.thinking,
      bound: boundOf(agent),
      identity: agent.identity,
    }));
    if (this.#isStarted) for (const facts of this.#facts) this.#made(agents, facts);
    return this.#facts;
  }

  /** Without it the agent is told nothing of itself: no reason for which the others don't talk. */
  #made({ list }: Agents, { id, workspace: path }: AgentFacts): void {
    if (list.find((agent) => agent.id === id)?.workspace !== null) return;
    try {
      makeWorkspace(path);
    } catch (error) {
      this.#house.log.warn('no workspace', { agent: id, path, error: String(error) });
    }
  }
}
