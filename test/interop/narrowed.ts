// What OpenClaw's command line prints where a device may do less than the command needs: the texts are committed, each
// names the command that mends it, and that command, run as it stands beside the gateway, does mend it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CASES, type Case } from './narrowed/case.ts';
import { Scene } from './narrowed/scene.ts';
import { narrowedFile, remediesIn, scrubbed, transcript } from './narrowed/text.ts';
import type { Ran } from './openclaw.ts';
import type { Context, Part, Result } from './part.ts';
import type { Release } from './release.ts';
import { hasTerminal } from './terminal.ts';
import { type Finding, WORKS } from './verdict.ts';

/** What a command complains of that was not served. */
const COMPLAINT = /pairing required|missing scope|mismatch|approval required|unreachable|not reachable/i;
const SAYS_MAX = 160;

function fails(says: string): Finding {
  return { verdict: 'fails', says: says.replace(/\s+/g, ' ').slice(0, SAYS_MAX) };
}

/** `null`: as committed. */
function differs(file: string, text: string, update: boolean): string | null {
  if (update) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return null;
  }
  if (!existsSync(file)) return 'this output is not committed';
  const old = readFileSync(file, 'utf8').split('\n');
  const now = text.split('\n');
  const at = now.findIndex((line, index) => line !== old[index]);
  if (at === -1 && now.length === old.length) return null;
  return `not as committed: ${now[Math.max(at, 0)] ?? ''}`;
}

function isServed({ code, stdout, stderr }: Ran): boolean {
  return code === 0 && !COMPLAINT.test(stdout + stderr);
}

async function play(one: Case, scene: Scene, update: boolean): Promise<Finding> {
  await scene.restore();
  await one.bring(scene);
  const ran = await scene.run(one.args);
  const text = scrubbed(transcript(ran), scene.facts());
  const difference = differs(narrowedFile(scene.release.name, one.name), text, update);
  if (difference !== null) return fails(difference);
  // What is committed has its ids taken out; what is pasted has them.
  const [remedy, ...others] = remediesIn(ran.stdout + ran.stderr);
  if (remedy === undefined) {
    return one.isSilent(scene.release.name)
      ? { verdict: 'degraded', says: one.silent }
      : fails(`names no remedy: ${text}`);
  }
  if (others.length > 0) return fails(`names more than one remedy: ${[remedy, ...others].join(', ')}`);
  const mended = await scene.paste(remedy);
  if (mended.code !== 0) return fails(`${remedy} exits ${mended.code}: ${mended.stderr}`);
  await one.follow?.(scene, mended.stdout.trim());
  const again = await scene.run(one.args);
  return isServed(again) ? WORKS : fails(`after ${remedy}: exit ${again.code} ${again.stderr}${again.stdout}`);
}

async function run(release: Release, context: Context): Promise<readonly Result[]> {
  const cases = CASES.filter(({ releases }) => releases === undefined || releases.includes(release.name));
  if (release.name === '2026.9.6' && !hasTerminal()) {
    const says = 'script (Debian: bsdutils) is not installed: it gives the tui its terminal';
    return cases.map(({ row }) => ({ row, release: release.name, finding: { verdict: 'not run', says } }));
  }
  const scene = await Scene.open(release);
  try {
    const results: Result[] = [];
    for (const one of cases) {
      context.say(`  ${one.row}`);
      results.push({ row: one.row, release: release.name, finding: await play(one, scene, context.update) });
    }
    return results;
  } finally {
    await scene.end();
  }
}

export const narrowed: Part = {
  name: 'narrowed',
  about: [
    'A device that the owner narrowed, revoked or rejected, or whose secret is wrong: what it prints is as committed in',
    '`narrowed/`, and names the one command that mends it. That command, as it was printed, is run beside the gateway, and',
    'then the same command of OpenClaw again: it must be served. 2026.9.6 brings a key to its own host only from its tui',
    'on: here it goes by the token that the tui stored, without the secret.',
  ].join('\n'),
  run,
};
