// What becomes of the token that such a gateway gave this host: a person either goes on without noticing, or is told the
// one command that mends it, and that command does.
import { type ForeignGateway, foreignGateway } from '../foreign.ts';
import { openclaw } from '../openclaw.ts';
import { type Finding, type Verdict, WORKS } from '../verdict.ts';
import { documentOf, judged } from './command.ts';
import { remedyOf, saying, Traveller, type Went } from './traveller.ts';

type Row = readonly [string, Finding];

const isWell = ({ code, stdout }: Went): boolean => code === 0 && /^ok\b/.test(stdout);

/** The message names the command that asks for the secret here, and where to find that. */
function namesSecret(ran: Went, traveller: Traveller): boolean {
  const { text, isThere } = remedyOf(ran);
  return !isThere && text === `latchkey --url ${traveller.url} --token - status` && /grep token/.test(ran.stderr);
}

/** OpenClaw's own command line, on the gateway's host. */
async function there(gateway: ForeignGateway, ...args: string[]): Promise<void> {
  const ran = await openclaw(gateway.release, gateway.home, args);
  if (ran.code !== 0) throw new Error(`openclaw ${args.join(' ')}: ${ran.stderr}`);
}

/** Approves there what this very device asks, as the message says. */
async function approveThere(gateway: ForeignGateway, deviceId: string): Promise<void> {
  const { stdout } = await openclaw(gateway.release, gateway.home, ['devices', 'list', '--json']);
  const { pending = [] } = JSON.parse(stdout);
  const asked = pending.find((row: { deviceId?: unknown }) => row.deviceId === deviceId);
  if (asked === undefined) throw new Error('nothing of this device is open there');
  await there(gateway, 'devices', 'approve', String(asked.requestId));
}

/** Without the secret, then with it; where that is not enough, what its message names is done. */
async function mended(gateway: ForeignGateway, traveller: Traveller): Promise<Finding> {
  const alone = await traveller.run(['health'], 'nothing');
  if (isWell(alone)) return WORKS;
  if (!namesSecret(alone, traveller)) return judged(alone, false);
  const shown = await traveller.run(['health']);
  let verdict: Verdict = 'works';
  if (!isWell(shown)) {
    const { text, isThere } = remedyOf(shown);
    const { deviceId = '' } = traveller.remembered ?? {};
    if (!isThere || text !== 'openclaw devices list --json' || !shown.stderr.includes(deviceId)) {
      return judged(shown, false);
    }
    await approveThere(gateway, deviceId);
    const approved = await traveller.run(['health']);
    if (!isWell(approved)) return judged(approved, false);
    verdict = 'degraded';
  }
  // Afterwards it goes on without the secret again.
  const again = await traveller.run(['devices', 'list'], 'nothing');
  if (again.code !== 0) return judged(again, false);
  return verdict === 'works' ? WORKS : { verdict, says: saying(shown) };
}

/** Rotated, narrowed, revoked and removed at the gateway, one after the other. */
export async function endings(gateway: ForeignGateway, traveller: Traveller): Promise<readonly Row[]> {
  const first = await traveller.run(['health']);
  const { deviceId } = traveller.remembered ?? {};
  if (deviceId === undefined) return [['device token, rotated there', judged(first, false)]];
  const one = ['--device', deviceId, '--role', 'operator'];
  const rows: Row[] = [];
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['rotated', ['devices', 'rotate', ...one]],
    ['narrowed', ['devices', 'rotate', ...one, '--scope', 'operator.read']],
    ['revoked', ['devices', 'revoke', ...one]],
  ];
  for (const [what, args] of steps) {
    await there(gateway, ...args);
    rows.push([`device token, ${what} there`, await mended(gateway, traveller)]);
  }
  // 2026.2.19 has no command for it.
  const removed = await traveller.run(['devices', 'remove', deviceId]);
  const isGone = removed.code === 0;
  rows.push(['device, removed there', isGone ? await mended(gateway, traveller) : judged(removed, false)]);
  return rows;
}

/** What nobody has given yet, what is wrong, what the environment gives, what is remembered. */
export async function credentials(gateway: ForeignGateway): Promise<readonly Row[]> {
  const traveller = new Traveller(gateway);
  try {
    const none = await traveller.run(['health'], 'nothing');
    const wrong = await traveller.run(['health'], 'wrong');
    const isNamed =
      wrong.code === 1 && /is not this gateway's/.test(wrong.stderr) && /^grep token /.test(remedyOf(wrong).text);
    const env = await traveller.run(['devices', 'list'], 'env');
    const { token } = traveller.remembered ?? {};
    const second = await traveller.run(['devices', 'list', '--json'], 'nothing');
    const isSecond = documentOf(second).paired?.length === 1 && token !== undefined && token !== gateway.token;
    return [
      ['no token, never paired: what to run is named', judged(none, none.code === 1 && namesSecret(none, traveller))],
      ['wrong token: where it came from is named', judged(wrong, isNamed)],
      ['token in the environment', judged(env, env.code === 0)],
      ['second run without the token', judged(second, isSecond)],
    ];
  } finally {
    traveller.end();
  }
}

/** The same release on the same address again, for a gateway that comes after another one there. */
export const again = (gateway: ForeignGateway): Promise<ForeignGateway> =>
  foreignGateway(gateway.release, { port: gateway.port, again: gateway });
