// `openclaw agent`: one question on the command line, its answer as a JSON document.
import { start } from '../../gateway.ts';
import { type Evidence, judge } from '../judge.ts';
import { Home, openclaw } from '../openclaw.ts';
import type { Release } from '../release.ts';
import type { Finding } from '../verdict.ts';

const QUESTION = 'hi there';

type Json = Readonly<Record<string, unknown>>;
const within = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Json)[key] : undefined;

/** The document of a run that ended well, with the one answer in it. */
const answered: Evidence = (said) => {
  const document = said.json();
  if (within(document, 'status') !== 'ok') return 'status ok';
  const result = within(document, 'result');
  const payloads = within(result, 'payloads');
  if (!Array.isArray(payloads) || payloads.length !== 1) return 'one payload';
  if (within(payloads[0], 'text') !== `[offline model] You said: ${QUESTION}`) return 'the answer';
  const agent = within(within(result, 'meta'), 'agentMeta');
  return within(agent, 'provider') === 'offline' && within(agent, 'model') === 'echo' ? null : 'the model';
};

export async function agentRow(release: Release): Promise<Finding> {
  const gateway = await start({ config: { models: { local: { enabled: false } } } });
  const home = Home.local(gateway.port, gateway.token);
  try {
    const owner = await gateway.owner();
    const version = String((await owner.ask('status')).runtimeVersion);
    const ran = await openclaw(release, home, ['agent', '--agent', 'main', '--message', QUESTION, '--json']);
    const { port, token } = gateway;
    const facts = { kind: 'latchkey', port, version, token, homePath: home.path, witness: null } as const;
    const { finding } = judge(ran, { evidence: answered }, facts);
    if (finding.verdict !== 'works') return finding;
    const { messages } = await owner.ask('chat.history', { sessionKey: 'main' });
    return messages.length === 2
      ? finding
      : { verdict: 'fails', says: `it was answered, and the transcript has ${messages.length} messages` };
  } finally {
    await gateway.stop();
    home.end();
  }
}
