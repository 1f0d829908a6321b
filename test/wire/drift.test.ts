// What `npm run interop` drives and what is replayed here are the same commands: neither list grows without the other.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { conversations, RELEASES, type Release } from './conversation.ts';
import { recordedConnects } from './verdict.ts';

const FILE = join(import.meta.dirname, '..', 'interop', 'command.ts');

/** Commands of the table that were never recorded, and why nothing is missing without them. */
const UNRECORDED: Readonly<Record<string, string>> = {
  'gateway-call-device-pair-list': 'the same call as devices-list',
  'config-get': 'opens no connection: it reads its own file',
};

/** `devices list --json` → `devices-list`: the name of its recording. */
function nameOf(line: string): string {
  const words = line.split(' ').filter((word) => !/^(--json|--no-open|--non-interactive|gateway\.port)$/.test(word));
  return words.map((word) => word.replace(/^--/, '').replaceAll('.', '-')).join('-');
}

/** Without the state that it was recorded on. */
const plain = (command: string) => command.replace(/^fresh\//, '').replace(/\d+$/, '');

const isReplayed = (release: Release, name: string) =>
  conversations.some((c) => c.release === release && plain(c.command) === name);

async function driven(release: Release): Promise<string[]> {
  const { readingCommands } = await import(FILE);
  return [...new Set<string>(readingCommands(release).map(({ line }: { line: string }) => nameOf(line)))];
}

const isThere = existsSync(FILE);
if (!isThere) console.log('skipped: test/interop/command.ts, which names the commands of the table, is not there');

it.runIf(isThere).each(RELEASES)(
  'rule %s what it was recorded doing, of what is driven, is replayed',
  async (release) => {
    const names = await driven(release);
    expect(names.length).toBeGreaterThan(12);
    const recorded = recordedConnects().filter((connect) => connect.release === release);
    const missing = names.filter(
      (name) => recorded.some(({ command }) => plain(command) === name) && !isReplayed(release, name),
    );
    expect(missing).toEqual([]);
  },
);

it.runIf(isThere)(
  'rule every command that is driven was recorded with some release, or it is said why not',
  async () => {
    const names = [...new Set((await Promise.all(RELEASES.map(driven))).flat())];
    const unrecorded = names.filter((name) => !RELEASES.some((release) => isReplayed(release, name)));
    expect(unrecorded.sort()).toEqual(Object.keys(UNRECORDED).sort());
  },
);

it('rule the decisions about devices are replayed', () => {
  const decisions = ['approve', 'reject', 'rotate', 'revoke', 'remove'].map((decision) => `devices-${decision}`);
  for (const release of ['2026.9.6', '2026.3.13'] as const)
    expect(
      decisions.filter((name) => !isReplayed(release, name)),
      release,
    ).toEqual([]);
});
