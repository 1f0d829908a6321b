// What OpenClaw's terminal UI and its `agent` command were told in a recorded conversation, they are told here: each key
// path in the same type, and the events of a run in the same order.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from './conversation.ts';
import type { Exception } from './exception.ts';
import { replayTalk, type TalkOutcome, talks } from './talk.ts';
import { TALK_EXCEPTIONS } from './talk-exception.ts';

const covers = (exception: Exception, { release, of, path }: Finding): boolean =>
  exception.releases.includes(release) && exception.of.includes(of) && exception.paths.includes(path);

describe('recorded conversations with an agent', () => {
  const outcomes: TalkOutcome[] = [];
  const findings = () => outcomes.flatMap((outcome) => outcome.findings);
  beforeAll(async () => {
    for (const talk of talks) outcomes.push(await replayTalk(talk));
  }, 240_000);

  it.each(talks.map(({ release, program }, n) => ({ release, program, n })))(
    'rule $release $program: every recorded key path is there in the same type, or is a listed exception',
    ({ n }) => {
      const open = outcomes[n]?.findings.filter((f) => !TALK_EXCEPTIONS.some((e) => covers(e, f)));
      expect([...new Set(open?.map(({ how }) => how))]).toEqual([]);
    },
  );

  it.each(talks.map(({ release, program }, n) => ({ release, program, n })))(
    'rule $release $program: events of a run come in the recorded order',
    ({ n }) => {
      const { order = [] } = outcomes[n] ?? {};
      const isOfRun = (name: string) => /^(agent|chat) /.test(name) && order.includes(name);
      expect(order.filter(isOfRun)).toEqual(talks[n]?.order.filter(isOfRun));
      expect(order.filter(isOfRun).length).toBeGreaterThan(4);
    },
  );

  it('rule exceptions only shrink: each applies to everything that it names', () => {
    const idle = TALK_EXCEPTIONS.flatMap(({ of, paths, releases }) => {
      const applies = (part: Partial<Exception>) =>
        findings().some((f) => covers({ of, paths, releases, because: '', ...part }, f));
      return [
        ...of.filter((one) => !applies({ of: [one] })),
        ...paths.filter((one) => !applies({ paths: [one] })).map((path) => `${of} ${path}`),
        ...releases.filter((one) => !applies({ releases: [one] })).map((release) => `${of} ${paths} ${release}`),
      ];
    });
    expect(idle).toEqual([]);
  });

  it('rule no frame on a v3 socket has a member that its clients know nothing of', () => {
    expect(outcomes.flatMap((outcome) => outcome.strangers)).toEqual([]);
  });

  it('rule all that was recorded was compared', () => {
    expect(talks.map(({ release, program }) => `${release} ${program}`).sort()).toEqual([
      '2026.2.19 tui',
      '2026.3.13 tui',
      '2026.9.6 agent',
      '2026.9.6 tui',
    ]);
    expect(outcomes.reduce((sum, { compared }) => sum + compared, 0)).toBeGreaterThan(50);
  });
});
