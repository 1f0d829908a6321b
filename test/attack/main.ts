// `npm run attack`: THREATS.md D1 to D6 against a running gateway, from outside.
//
//   npm run attack -- [--url ws://127.0.0.1:PORT --token-file FILE] [--only 10,D5.43] [--quick] [--seed N] [--json]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CHECKS } from './checks.ts';
import { FrameLog } from './log.ts';
import { ownTarget } from './own.ts';
import { count, line, summary } from './report.ts';
import { chosen, judge, type Result } from './run.ts';
import { Target } from './target.ts';

const USAGE = 64;
const HELP = `Attacks a gateway from outside, check by check (THREATS.md D1 to D6).

  npm run attack                                  a gateway of this checkout, started and ended by the run
  npm run attack -- --url ws://127.0.0.1:18789 --token-file FILE

  --url URL          the gateway to attack; loopback addresses only
  --allow-host HOST  an address beyond loopback that is yours to attack
  --token-file FILE  its shared secret; --token TOKEN shows it to everybody who lists processes
  --pid PID          its process on this machine: memory, descriptors and processor time are judged too
  --state-dir DIR    its files on this machine
  --handshake-ms N   its handshake deadline where it is not 15000
  --only LIST        numbers of THREATS.md or ids: 10,11,D5.43
  --quick            small counts: about a minute
  --seed N           the same dice again
  --json             one object a line, the last with "done":true
  --list             the checks, without running any
`;

/** Ends the run with a line for a person. */
function stop(what: string): never {
  console.error(`attack: ${what}\n  run: npm run attack -- --help`);
  process.exit(USAGE);
}

function options() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string' },
        'allow-host': { type: 'string' },
        'token-file': { type: 'string' },
        token: { type: 'string' },
        pid: { type: 'string' },
        'state-dir': { type: 'string' },
        'handshake-ms': { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        seed: { type: 'string' },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return stop(error instanceof Error ? error.message : String(error));
  }
}

type Options = ReturnType<typeof options>;

function numberFrom(values: Options, name: 'seed' | 'pid' | 'handshake-ms'): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : stop(`--${name} ${text} is no number`);
}

/** The address of a URL that may be attacked. */
function addressOf(url: string, allowed: string | undefined): { port: number; address: string; host: string } {
  if (!URL.canParse(url)) stop(`--url ${url} is no URL`);
  const { protocol, hostname, port, host } = new URL(url);
  if (protocol !== 'ws:') stop(`--url ${url}: only ws:// is spoken here`);
  const address = hostname.replace(/^\[|\]$/g, '');
  // An address, not a name: a name that looks local may lead anywhere.
  const isLoopback = (isIP(address) === 4 && address.startsWith('127.')) || address === '::1';
  if (!isLoopback && hostname !== 'localhost' && allowed !== hostname)
    stop(`${hostname} is not a loopback address; where it is yours to attack, name it: --allow-host ${hostname}`);
  return { port: Number(port === '' ? 80 : port), address: hostname === 'localhost' ? '127.0.0.1' : address, host };
}

function tokenOf(values: Options): string {
  const file = values['token-file'];
  if (file === undefined) return values.token ?? '';
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    return stop(`--token-file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function foreignTarget(values: Options, url: string, seed: number): Target {
  const token = tokenOf(values);
  const pid = numberFrom(values, 'pid');
  const stateDir = values['state-dir'];
  return new Target({
    ...addressOf(url, values['allow-host']),
    token,
    seed,
    quick: values.quick,
    log: new FrameLog([token]),
    handshakeMs: numberFrom(values, 'handshake-ms') ?? 15_000,
    patience: 1,
    mayStart: false,
    ...(pid === undefined ? {} : { pid }),
    ...(stateDir === undefined ? {} : { stateDir }),
  });
}

async function main(): Promise<number> {
  const values = options();
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const only = (values.only ?? '').split(',').filter((name) => name !== '');
  let checks = CHECKS;
  try {
    checks = chosen(CHECKS, only).filter((check) => check.quick || !values.quick || only.length > 0);
  } catch (error) {
    stop(error instanceof Error ? error.message : String(error));
  }
  if (values.list) {
    for (const { id, title, needs } of checks)
      console.log(`${id.padEnd(16)} ${title}${needs.length ? ` [${needs.join(', ')}]` : ''}`);
    return 0;
  }
  const seed = numberFrom(values, 'seed') ?? process.pid * 7_919 + Math.round(performance.timeOrigin % 1_000_000);
  const target =
    values.url === undefined
      ? await ownTarget({ seed, quick: values.quick, patience: 1 })
      : foreignTarget(values, values.url, seed);
  const results: Result[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-attack-'));
  try {
    if (target.options.token !== '') {
      await target.admin();
      await target.alive();
    }
    for (const check of checks) {
      const result = await judge(check, target, folder);
      results.push(result);
      const { product, version } = target;
      if (values.json) console.log(JSON.stringify({ ...result, seed, product, version }));
      else console.log(line(result));
    }
  } finally {
    await target.end();
    await target.options.own?.stop();
    // What is left in it are the logs of checks that failed.
    if (results.every(({ log }) => log === null)) rmSync(folder, { recursive: true });
  }
  if (values.json) console.log(JSON.stringify({ done: true, ...count(results), seed, version: target.version }));
  else console.log(summary(results, target));
  return results.some(({ verdict }) => verdict === 'fail') ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`attack: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
