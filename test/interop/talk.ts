// A person talks to an agent of Latchkey with OpenClaw's own programs: the terminal UI of every release, and `agent`.
import { start } from '../gateway.ts';
import { Home, openclaw } from './openclaw.ts';
import type { Context, Part, Result } from './part.ts';
import type { Release } from './release.ts';
import { hasTerminal, inTerminal, type Screen } from './terminal.ts';
import { type Finding, WORKS } from './verdict.ts';

const ABOUT = `OpenClaw's terminal UI and its \`agent\` command, on the gateway's host with the shared secret, talk to the
agent \`main\`, which thinks with the built-in offline model. A row of the terminal UI works when the answer of the agent
stands on the screen, and the gateway's transcript holds question and answer once each.`;

/** No word of it is typed: only the agent's answer has it. */
const ANSWER = /\[offline model\] You said: hello from the tui/;
const STATUS = /Session: agent:main:main/;

interface Step {
  readonly row: string;
  readonly typed: string;
  readonly shown: RegExp;
}

const STEPS: readonly Step[] = [
  { row: 'tui: an answer', typed: 'hello from the tui', shown: ANSWER },
  { row: 'tui: /status', typed: '/status', shown: STATUS },
];

/** The releases of protocol 3 have a `/status` of their own: it asks the method of that name. */
const stepsOf = (release: Release) => (release.protocol === 4 ? STEPS : STEPS.slice(0, 1));

const fails = (error: unknown): Finding => ({
  verdict: 'fails',
  says: (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 160),
});

/** Types each line once the one before it was answered. */
async function typed(release: Release, home: Home, found: Map<string, Finding>): Promise<void> {
  const steps = [...stepsOf(release)];
  let waitsFor: Step | null = null;
  await inTerminal(release, home, async (screen: Screen) => {
    const text = screen.text();
    if (waitsFor === null && !/connected|idle/.test(text)) return false;
    if (waitsFor?.shown.test(text) === true) {
      found.set(waitsFor.row, WORKS);
      waitsFor = null;
    }
    if (waitsFor !== null) return false;
    waitsFor = steps.shift() ?? null;
    if (waitsFor === null) return true;
    await screen.type(waitsFor.typed);
    return false;
  });
}

async function run(release: Release, context: Context): Promise<readonly Result[]> {
  const gateway = await start({ config: { models: { local: { enabled: false } } } });
  const home = Home.local(gateway.port, gateway.token);
  const found = new Map<string, Finding>();
  const results = (rows: readonly string[]) =>
    rows.map((row) => ({ row, release: release.name, finding: found.get(row) ?? fails('it was not reached') }));
  const names = stepsOf(release).map(({ row }) => row);
  try {
    const notRun: Finding = { verdict: 'not run', says: 'script (Debian: bsdutils) is not installed' };
    if (!hasTerminal()) for (const name of names) found.set(name, notRun);
    else
      await typed(release, home, found).catch((error: unknown) => {
        context.say(String(error));
        const name = names.find((row) => !found.has(row));
        if (name !== undefined) found.set(name, fails(error));
      });
    const owner = await gateway.owner();
    const { messages } = await owner.ask('chat.history', { sessionKey: 'main' });
    const said = messages.map(({ content }: { content: { text?: string }[] }) => content[0]?.text);
    const times = (text: string) => said.filter((one: string) => one.includes(text)).length;
    found.set(
      'tui: once each in the transcript',
      hasTerminal() && (times('hello from the tui') !== 2 || times('[offline model]') !== 1)
        ? fails(JSON.stringify(said))
        : hasTerminal()
          ? WORKS
          : notRun,
    );
    const ran = await openclaw(release, home, ['agent', '--agent', 'main', '--message', 'hi there', '--json']);
    const isAnswered = ran.code === 0 && ran.stdout.includes('[offline model] You said: hi there');
    const isCrippled = /does not provide an export named|Failed to start CLI: file:/.test(ran.stderr);
    const crippled: Finding = {
      verdict: 'not run',
      says: "needs a package that this release can't be installed with any more",
    };
    found.set('agent', isAnswered ? WORKS : isCrippled ? crippled : fails(`exit ${ran.code}: ${ran.stderr}`));
    return results([...names, 'tui: once each in the transcript', 'agent']);
  } finally {
    await gateway.stop();
    home.end();
  }
}

export const talk: Part = { name: 'talk', about: ABOUT, run };
