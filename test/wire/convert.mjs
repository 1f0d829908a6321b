// Makes fixture/connects.json, fixture/conversations.json and fixture/talks.json from recorded traffic between real
// OpenClaw clients and gateways.
//
//   node test/wire/convert.mjs DIRECTORY
//
// DIRECTORY holds `<release>/**/<command>.jsonl`: one JSON object a line, {t, conn, dir: "c2s"|"s2c", kind:
// "upgrade"|"frame"|"close"|"http"|…, headers?, frame?, …}. The checkout has no such directory; the three files are
// committed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Conversations } from './conversation.mjs';
import { connectOf, lines, recordings } from './recording.mjs';
import { talkOf } from './talk.mjs';

const root = process.argv[2];
if (root === undefined) {
  console.error('usage: node test/wire/convert.mjs DIRECTORY');
  process.exit(2);
}

const connects = new Map();
let total = 0;

/** Every connect of a command; the very same one is counted. */
function gather({ release, command, lines: recorded }) {
  const upgrades = new Map();
  const nonces = new Map();
  let index = 0;
  for (const { conn, dir, kind, headers, frame } of recorded) {
    if (kind === 'upgrade') upgrades.set(conn, headers);
    if (kind !== 'frame' || frame === null || typeof frame !== 'object') continue;
    if (dir === 's2c' && frame.event === 'connect.challenge') nonces.set(conn, frame.payload.nonce);
    if (dir !== 'c2s' || frame.type !== 'req' || frame.method !== 'connect') continue;
    const sent = connectOf(frame.params, upgrades.get(conn), nonces.get(conn));
    const made = { release, command, index, count: 1, ...sent };
    index += 1;
    total += 1;
    const same = JSON.stringify({ ...made, index: 0 });
    const before = connects.get(same);
    if (before === undefined) connects.set(same, made);
    else before.count += 1;
  }
}

const conversations = new Conversations();
const talks = [];
for (const recording of recordings(root)) {
  gather(recording);
  conversations.add(recording);
  if (/^(tui|agent)$/.test(recording.command)) talks.push(...talkOf(recording));
}

const here = join(import.meta.dirname, 'fixture');
mkdirSync(here, { recursive: true });
writeFileSync(join(here, 'connects.json'), `${lines([...connects.values()])}\n`);
writeFileSync(join(here, 'conversations.json'), conversations.render());
writeFileSync(join(here, 'talks.json'), `${lines(talks)}\n`);
console.log(
  `${total} connects (${connects.size} different), ${conversations.size} conversations, ${talks.length} talks`,
);
