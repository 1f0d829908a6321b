// A person talks to an agent of Latchkey with OpenClaw's own programs: the terminal UI of every release, and `agent`.

import type { Context, Part, Result } from './part.ts';
import type { Release } from './release.ts';
import { agentRow } from './talk/command.ts';
import { conversation, ROWS } from './talk/conversation.ts';
import { hasTerminal } from './terminal.ts';
import type { Finding } from './verdict.ts';

const ABOUT = `OpenClaw's terminal UI and its \`agent\` command, on the gateway's host with the shared secret, talk to the
agent \`main\`. It thinks with the built-in offline model, and with a slow one of a server on loopback where an answer is to
be stopped. A row works when what it names stands on the screen after it was typed, and the gateway holds what it should:
each question and each answer once in the transcript, no open connection to the model after an abort. \`/status\` is text to
2026.9.6, which the gateway answers; the others ask its method. \`/new\` begins a session of another name in 2026.9.6 and
2026.3.13, and empties this one in 2026.2.19.`;

const NO_TERMINAL: Finding = { verdict: 'not run', says: 'script (Debian: bsdutils) is not installed' };

async function run(release: Release, context: Context): Promise<readonly Result[]> {
  const found = hasTerminal()
    ? await conversation(release, context)
    : new Map<string, Finding>(ROWS.map((row) => [row, NO_TERMINAL]));
  found.set('agent', await agentRow(release));
  for (const [row, { verdict, says }] of found)
    if (verdict !== 'works') context.say(`  ${release.name} ${row}: ${verdict}: ${says}`);
  return [...found].map(([row, finding]) => ({ row, release: release.name, finding }));
}

export const talk: Part = { name: 'talk', about: ABOUT, run };
