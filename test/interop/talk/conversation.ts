// One evening at the terminal UI: turns, status, a second window, a slow answer that is stopped, a gateway that dies, a new
// session. Each step is judged by itself: one that fails leaves the others to be tried.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gateway, newStateDir, removeStateDir, start } from '../../gateway.ts';
import type { Payload } from '../../partner/peer.ts';
import { until } from '../../partner/peer.ts';
import { type SlowModel, startSlowModel } from '../../slowmodel.ts';
import { steady } from '../judge.ts';
import { Home } from '../openclaw.ts';
import type { Context } from '../part.ts';
import type { Release } from '../release.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { type Finding, WORKS } from '../verdict.ts';

const LONG_MS = 60_000;
const MAIN = 'agent:main:main';

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
/** No word of it is typed: only the agent's answer has it. */
const answerTo = (question: string) => new RegExp(`\\[offline model\\] You said: ${literal(question)}`);

const textOf = ({ content }: Payload): string => content.map(({ text }: Payload) => text ?? '').join('');

/** What the steps have in common. */
class Evening {
  readonly release: Release;
  readonly model: SlowModel;
  readonly home: Home;
  gateway: Gateway;
  first: Terminal;
  /** The session that the first window shows. */
  key = MAIN;
  /** Questions of the main session so far, each answered. */
  readonly asked: string[] = [];

  private constructor(release: Release, model: SlowModel, gateway: Gateway) {
    this.release = release;
    this.model = model;
    this.gateway = gateway;
    this.home = Home.local(gateway.port, gateway.token);
    this.first = openTerminal(release, this.home);
  }

  static async begin(release: Release): Promise<Evening> {
    const model = await startSlowModel();
    const lab = { kind: 'openai-compatible', baseUrl: model.url, models: [{ id: 'slow' }] };
    const stateDir = newStateDir({
      models: { local: { enabled: false }, providers: { lab } },
      agents: { defaults: { model: { primary: 'offline/echo' } } },
    });
    return new Evening(release, model, await start({ stateDir }));
  }

  /** A window that is connected. */
  async window(): Promise<Terminal> {
    const terminal = openTerminal(this.release, this.home);
    try {
      await terminal.shows(/\bconnected\b/);
      await terminal.rests();
      return terminal;
    } catch (error) {
      await terminal.end();
      throw error;
    }
  }

  /** Types a question and waits for its answer. */
  async ask(terminal: Terminal, question: string): Promise<void> {
    const from = terminal.mark();
    await terminal.type(question);
    await terminal.shows(answerTo(question), from);
  }

  async messages(sessionKey: string): Promise<readonly Payload[]> {
    const owner = await this.gateway.owner();
    return (await owner.ask('chat.history', { sessionKey, limit: 200 })).messages;
  }

  /** Killed, and there again at the same place. */
  async dies(): Promise<void> {
    const { stateDir, port } = this.gateway;
    await this.gateway.kill();
    this.gateway = await start({ stateDir, args: ['--port', String(port)] });
  }

  async end(): Promise<void> {
    await this.first.end();
    await this.gateway.halt();
    await this.model.stop();
    removeStateDir(this.gateway.stateDir);
    this.home.end();
  }
}

interface Step {
  readonly row: string;
  /** @throws Error with what is missing @returns what is missing though it goes on */
  play(evening: Evening): Promise<string | null>;
}

async function turns(evening: Evening): Promise<null> {
  await evening.first.shows(/\bconnected\b/);
  await evening.first.rests();
  for (const question of ['hello from the tui', 'and once more', 'a third time']) {
    await evening.ask(evening.first, question);
    evening.asked.push(question);
  }
  return null;
}

async function inTranscript(evening: Evening): Promise<null> {
  const said = (await evening.messages(MAIN)).map((message) => `${message.role}: ${textOf(message)}`);
  const due = evening.asked.flatMap((text) => [`user: ${text}`, `assistant: [offline model] You said: ${text}`]);
  if (JSON.stringify(said) !== JSON.stringify(due)) throw new Error(`the transcript has ${said.join(' / ')}`);
  return null;
}

async function status({ first, release }: Evening): Promise<null> {
  const from = first.mark();
  await first.type('/status');
  await first.shows(release.protocol === 4 ? /Session: agent:main:main/ : /agent:main:main \[/, from);
  return null;
}

async function comesAgain(evening: Evening): Promise<null> {
  const last = evening.asked.at(-1) ?? '';
  await evening.first.end();
  evening.first = await evening.window();
  await evening.first.shows(answerTo(last));
  return null;
}

async function twoWindows(evening: Evening): Promise<string | null> {
  const second = await evening.window();
  try {
    const [here, there] = [evening.first.mark(), second.mark()];
    await evening.ask(evening.first, 'from the first window');
    await second.shows(answerTo('from the first window'), there);
    await evening.ask(second, 'from the second window');
    await evening.first.shows(answerTo('from the second window'), here);
    const isQuestionSeen = /(?<!You said: )from the first window/.test(second.text().slice(there));
    return isQuestionSeen
      ? null
      : 'the other window shows the answer, and the question once it reads the history again';
  } finally {
    await second.end();
  }
}

async function setModel({ first }: Evening, model: string): Promise<null> {
  const from = first.mark();
  await first.type(`/model ${model}`);
  await first.shows(new RegExp(`model set to ${literal(model)}`), from);
  return null;
}

async function stops(evening: Evening): Promise<null> {
  const { first, model } = evening;
  const from = first.mark();
  await first.type('go on for ever');
  await until('the model is asked', () => model.open() === 1, LONG_MS);
  await first.shows(/word word/, from);
  await first.escape();
  await until('the connection to the model is closed', () => model.open() === 0, LONG_MS);
  await first.shows(/aborted/, from);
  const last = (await evening.messages(MAIN)).at(-1);
  if (last?.stopReason !== 'aborted') throw new Error(`the transcript ends with ${last?.role} ${last?.stopReason}`);
  return null;
}

async function outlives(evening: Evening): Promise<null> {
  const { first } = evening;
  await setModel(evening, 'offline/echo');
  const from = first.mark();
  await evening.dies();
  await first.shows(/reconnected/, from);
  await first.rests();
  await evening.ask(first, 'after the restart');
  return null;
}

/** A run that is at work when the gateway dies. */
async function dies(evening: Evening): Promise<null> {
  const { first, model } = evening;
  await setModel(evening, 'lab/slow');
  const from = first.mark();
  await first.type('go on until it dies');
  await first.shows(/word word/, from);
  await evening.dies();
  await until('the connection to the model is closed', () => model.open() === 0, LONG_MS);
  await first.shows(/reconnected/, from);
  await first.rests();
  await setModel(evening, 'offline/echo');
  // A question that was never answered, and the one after it, are one to the model.
  const then = first.mark();
  await first.type('what became of it');
  await first.shows(/\[offline model\] You said: (go on until it dies|what became of it)/, then);
  const said = await evening.messages(MAIN);
  const cut = said.findIndex((message) => textOf(message) === 'go on until it dies');
  const outcome = said[cut + 1]?.stopReason;
  if (said.filter((message) => textOf(message) === 'go on until it dies').length !== 1 || outcome === 'stop')
    throw new Error(`the transcript has it as ${outcome}`);
  return null;
}

/** Another session, named on the screen; of 2.19 the same one, emptied. */
async function anew(evening: Evening): Promise<null> {
  const { first, release } = evening;
  const from = first.mark();
  await first.type('/new ');
  if (release.name === '2026.2.19') await emptied(evening);
  else await first.shows(/new session: \S+/, from);
  await evening.ask(first, 'in a new one');
  evening.key = /new session: (\S+)/.exec(first.text().slice(from))?.[1] ?? MAIN;
  const said = await evening.messages(evening.key);
  if (said.length !== 2) throw new Error(`the transcript of ${evening.key} has ${said.length} messages`);
  return null;
}

async function reset(evening: Evening): Promise<null> {
  await evening.first.type('/reset ');
  await emptied(evening);
  await evening.ask(evening.first, 'after the reset');
  return null;
}

/** Seen at the gateway: its own word of it stands on the screen for no longer than the history takes to come. */
async function emptied(evening: Evening): Promise<void> {
  for (const since = Date.now(); (await evening.messages(evening.key)).length > 0; await sleep(200))
    if (Date.now() - since > LONG_MS) throw new Error(`the transcript of ${evening.key} is as it was`);
}

const STEPS: readonly Step[] = [
  { row: 'tui: several turns', play: turns },
  { row: 'tui: once each in the transcript', play: inTranscript },
  { row: 'tui: /status', play: status },
  { row: 'tui: leaving and coming again, the history', play: comesAgain },
  { row: 'tui: two windows at one session', play: twoWindows },
  { row: 'tui: /model', play: (evening) => setModel(evening, 'lab/slow') },
  { row: 'tui: Esc stops a slow answer', play: stops },
  { row: 'tui: the gateway is killed and comes back', play: outlives },
  { row: 'tui: the gateway is killed in an answer', play: dies },
  { row: 'tui: /new', play: anew },
  { row: 'tui: /reset', play: reset },
];

export const ROWS: readonly string[] = STEPS.map(({ row }) => row);

/** Each step in one conversation; after one that fails a new window is opened. */
export async function conversation(release: Release, context: Context): Promise<Map<string, Finding>> {
  const found = new Map<string, Finding>();
  const evening = await Evening.begin(release);
  const { port, token } = evening.gateway;
  const says = (text: string) => steady(text, { port, token, homePath: evening.home.path });
  try {
    for (const { row, play } of STEPS) {
      try {
        const missing = await play(evening);
        found.set(row, missing === null ? WORKS : { verdict: 'degraded', says: missing });
      } catch (error) {
        context.say(`  ${release.name} ${row}: ${String(error)}`);
        found.set(row, { verdict: 'fails', says: says(error instanceof Error ? error.message : String(error)) });
        await evening.first.end();
        evening.first = await evening.window();
      }
    }
    return found;
  } finally {
    await evening.end();
  }
}
