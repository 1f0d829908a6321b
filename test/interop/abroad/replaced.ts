// One address, two gateways, one after the other: an OpenClaw is replaced by a Latchkey, and comes back.
import { existsSync } from 'node:fs';
import { newStateDir, removeStateDir, start } from '../../gateway.ts';
import type { ForeignGateway } from '../foreign.ts';
import type { Finding } from '../verdict.ts';
import { judged } from './command.ts';
import { again } from './token.ts';
import { remedyOf, type Traveller } from './traveller.ts';

/** Ends with the OpenClaw running again, under the handle that is returned last: `gateway` itself is halted. */
export async function replaced(
  gateway: ForeignGateway,
  traveller: Traveller,
): Promise<readonly (readonly [string, Finding])[]> {
  await traveller.run(['health']);
  await gateway.halt();
  const stateDir = newStateDir({ gateway: { auth: { mode: 'token', token: gateway.token } } });
  const latchkey = await start({ stateDir, args: ['--port', String(gateway.port)] });
  const rows: (readonly [string, Finding])[] = [];
  try {
    // A18: what is met for the first time with a key is pinned, and told once.
    const met = await traveller.run(['health']);
    const isPinned = met.code === 0 && /has to prove this key: [\w-]{43}$/m.test(met.stderr);
    const next = await traveller.run(['devices', 'list'], 'nothing');
    const isCalm = next.code === 0 && next.stderr === '';
    rows.push(['replaced by a Latchkey: its key is pinned and told', judged(met, isPinned)]);
    rows.push(['replaced by a Latchkey: the second run says nothing', judged(next, isCalm)]);
  } finally {
    await latchkey.halt();
    if (existsSync(stateDir)) removeStateDir(stateDir);
  }
  const back = await again(gateway);
  try {
    const refused = await traveller.run(['health']);
    const { text, isThere } = remedyOf(refused);
    const isNamed =
      refused.code === 78 && !isThere && text === `latchkey gateway trust --url ${traveller.url} --forget`;
    rows.push(['the OpenClaw is back: nothing is sent to it, one command is named', judged(refused, isNamed)]);
    const forgot = isNamed ? await traveller.paste(text) : refused;
    const healed = await traveller.run(['devices', 'list']);
    rows.push([
      'the OpenClaw is back: that command lets it in',
      judged(healed, forgot.code === 0 && healed.code === 0),
    ]);
  } finally {
    await back.halt();
  }
  return rows;
}
