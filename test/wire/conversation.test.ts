// Every recorded conversation of OpenClaw's commands with a real gateway, replayed on ours: what those clients were told,
// they are told here, key by key and type by type. What they are told beside it does no harm: the clients check no
// payload for keys that they don't know (PROTOCOL.md §8); where they do, in the frames of protocol 3, we send none.
import { beforeAll, describe, expect, it } from 'vitest';
import { start } from '../gateway.ts';
import { type Conversation, conversations, type Finding, RELEASES, Replay } from './conversation.ts';
import { EXCEPTIONS, type Exception } from './exception.ts';

interface Outcome {
  readonly findings: readonly Finding[];
  readonly strangers: readonly string[];
  readonly compared: number;
}

/** On one new gateway for each that was recorded. */
async function replayAll(all: readonly Conversation[]): Promise<Outcome> {
  const findings: Finding[] = [];
  const strangers: string[] = [];
  let compared = 0;
  for (const name of new Set(all.map(({ release, at }) => `${release} ${at}`))) {
    const gateway = await start();
    try {
      const replay = await Replay.on(gateway);
      for (const conversation of all.filter(({ release, at }) => `${release} ${at}` === name))
        await replay.run(conversation);
      findings.push(...replay.findings);
      strangers.push(...replay.strangers);
      compared += replay.compared;
    } finally {
      await gateway.stop();
    }
  }
  return { findings, strangers, compared };
}

const covers = (exception: Exception, { release, of, path }: Finding): boolean =>
  exception.releases.includes(release) && exception.of.includes(of) && exception.paths.includes(path);

describe('recorded conversations', () => {
  let forwards: Outcome;
  let backwards: Outcome;
  beforeAll(async () => {
    forwards = await replayAll(conversations);
    backwards = await replayAll(conversations.toReversed());
  }, 240_000);

  it.each(RELEASES)(
    'rule %s every recorded key path is there in the same type, or is a listed exception',
    (release) => {
      const open = forwards.findings.filter((f) => f.release === release && !EXCEPTIONS.some((e) => covers(e, f)));
      expect([...new Set(open.map(({ how }) => how))]).toEqual([]);
    },
  );

  it('rule exceptions only shrink: each applies to everything that it names', () => {
    const idle = EXCEPTIONS.flatMap(({ of, paths, releases }) => {
      const applies = (part: Partial<Exception>) =>
        forwards.findings.some((f) => covers({ of, paths, releases, because: '', ...part }, f));
      return [
        ...of.filter((one) => !applies({ of: [one] })),
        ...paths.filter((one) => !applies({ paths: [one] })).map((path) => `${of} ${path}`),
        ...releases.filter((one) => !applies({ releases: [one] })).map((release) => `${of} ${paths} ${release}`),
      ];
    });
    expect(idle).toEqual([]);
  });

  it('A1 the order of the commands changes no answer', () => {
    const gist = ({ findings }: Outcome) => [...new Set(findings.map(({ how }) => how))].sort();
    expect(gist(backwards)).toEqual(gist(forwards));
  });

  it('rule no frame on a v3 socket has a member that its clients know nothing of', () => {
    expect([...new Set([...forwards.strangers, ...backwards.strangers])]).toEqual([]);
  });

  it('rule all that was recorded was compared', () => {
    expect(conversations.length).toBe(89);
    expect(forwards.compared).toBeGreaterThan(300);
    expect(backwards.compared).toBe(forwards.compared);
  });
});
