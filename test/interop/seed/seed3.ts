// seed3: a token that doesn't match, kept in two places; and two gateways. A paired key doesn't notice an old value,
// wherever it lives; where the secret really is wrong, that is what is said, and one command shows the right one.
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome, Play } from './play.ts';
import { identityIn, type Stage } from './stage.ts';

const NO_FILE = { '2026.9.6': 'keeps no such file, and brings no key to the gateway of its own host' };
const MISMATCH = /gateway token mismatch/;
const COMMANDS = [['devices', 'list'], ['status'], ['health']] as const;

const newSecret = () => randomBytes(24).toString('hex');
const local = (stage: Stage, token?: string) => ({
  gateway: {
    mode: 'local',
    port: stage.way.port,
    ...(token === undefined ? {} : { auth: { mode: 'token', token } }),
  },
});

/** Where 2026.2.19 and 2026.3.13 keep what they were given. */
const cache = (stage: Stage) => join(stage.home.stateDir, 'identity', 'device-auth.json');

interface Cached {
  readonly deviceId: string;
  readonly tokens: { readonly operator?: { readonly token: string; readonly scopes: readonly string[] } };
}

const cached = (stage: Stage): Cached => JSON.parse(readFileSync(cache(stage), 'utf8'));

/** What happened to the file while nobody looked. */
const HARMS: readonly (readonly [string, (stage: Stage) => Promise<void>])[] = [
  [
    'an old value',
    async (stage) => {
      // Rotated on the gateway's host: the client's value is the one from before.
      const { code, stderr } = await stage.side.run(['devices', 'rotate', cached(stage).deviceId]);
      if (code !== 0) throw new Error(stderr);
    },
  ],
  ['truncated', async (stage) => writeFileSync(cache(stage), readFileSync(cache(stage), 'utf8').slice(0, 90))],
  ['deleted', async (stage) => rmSync(cache(stage))],
  [
    "another host's",
    async (stage) => {
      const { tokens } = cached(stage);
      const token = { ...tokens.operator, token: randomBytes(32).toString('base64url') };
      const other = { version: 1, deviceId: randomBytes(32).toString('hex'), tokens: { operator: token } };
      writeFileSync(cache(stage), JSON.stringify(other), { mode: 0o600 });
    },
  ],
  [
    'more than it was given',
    async (stage) => {
      const file = cached(stage);
      const token = {
        ...file.tokens.operator,
        token: randomBytes(32).toString('base64url'),
        scopes: ['operator.admin'],
      };
      writeFileSync(cache(stage), JSON.stringify({ ...file, tokens: { operator: token } }), { mode: 0o600 });
    },
  ],
];

const harmed = ([name, harm]: (typeof HARMS)[number], hasSecret: boolean): Play => ({
  name: `seed3 credentials file: ${name}${hasSecret ? '' : ', and no secret'}`,
  absent: NO_FILE,
  act: async (stage) => {
    await stage.works(['devices', 'list']);
    const before = cached(stage);
    await stage.fix();
    await harm(stage);
    const harmedText = name === 'deleted' ? '' : readFileSync(cache(stage), 'utf8');
    const url = `ws://127.0.0.1:${stage.way.port}`;
    if (!hasSecret) stage.home.configure({ gateway: { mode: 'remote', remote: { url } } });
    // The probe of 2026.3.13's `status` brings neither key nor secret there.
    await stage.all(hasSecret || stage.release.name === '2026.2.19' ? COMMANDS : [['devices', 'list'], ['health']]);
    const after = cached(stage);
    if (after.deviceId !== before.deviceId || after.tokens.operator === undefined)
      stage.wrongAnswers.push('the credentials file was not mended');
    if (readFileSync(cache(stage), 'utf8') === harmedText)
      stage.wrongAnswers.push('the old value is still in the file');
  },
});

/** Tells the right secret as the named command shows it, and has the commands work with that. */
async function mended(stage: Stage, use: (secret: string) => void): Promise<void> {
  await stage.settle();
  use(await stage.mend(await stage.remedy()));
  const before = stage.wrongAnswers.length;
  // A key that nobody knew is paired by the right secret now.
  await stage.works(['health']);
  await stage.fix();
  await stage.all(COMMANDS);
  stage.wrongRemedies.push(...stage.wrongAnswers.splice(before));
}

/** With a secret that is wrong: who brings a paired key works, who brings none is told which secret is wrong. */
async function tried(stage: Stage, wrong: string, keyless: readonly string[]): Promise<Outcome> {
  let said = '';
  for (const args of COMMANDS) {
    if (keyless.includes(args[0])) said = await stage.names(args, MISMATCH);
    else await stage.works(args);
    if (said.includes(wrong)) stage.wrongAnswers.push(`${args.join(' ')} prints the secret`);
  }
  return { said };
}

/** Commands that bring no key: all of 2026.9.6's on its own host; the probe of 2026.3.13. */
const KEYLESS: Readonly<Record<string, readonly string[]>> = {
  '2026.9.6': ['devices', 'status', 'health'],
  '2026.3.13': ['status'],
};

/** The key is paired. Where a command brings none, it is told, and mended. */
async function known(stage: Stage, wrong: string, use: (secret: string) => void): Promise<Outcome> {
  const keyless = KEYLESS[stage.release.name] ?? [];
  const outcome = await tried(stage, wrong, keyless);
  if (keyless.length === 0) return { isWell: true };
  await mended(stage, use);
  return outcome;
}

const PLACES: readonly Play[] = [
  {
    name: 'seed3 an old secret in the environment, a paired key',
    absent: { '2026.9.6': 'takes the one in its configuration, see below' },
    mends: true,
    act: async (stage) => {
      await stage.works(['devices', 'list']);
      await stage.fix();
      const wrong = newSecret();
      stage.env.OPENCLAW_GATEWAY_TOKEN = wrong;
      return known(stage, wrong, (secret) => {
        stage.env.OPENCLAW_GATEWAY_TOKEN = secret;
      });
    },
  },
  {
    name: 'seed3 an old secret in the environment, the right one in the configuration',
    absent: {
      '2026.3.13': 'takes the one in the environment, see above',
      '2026.2.19': 'takes the one in the environment, see above',
    },
    act: async (stage) => {
      stage.env.OPENCLAW_GATEWAY_TOKEN = newSecret();
      await stage.fix();
      await stage.all(COMMANDS);
    },
  },
  {
    name: 'seed3 an old secret in the environment, a new key',
    mends: true,
    act: async (stage) => {
      stage.home.configure(local(stage));
      const wrong = newSecret();
      stage.env.OPENCLAW_GATEWAY_TOKEN = wrong;
      await stage.fix();
      const outcome = await tried(stage, wrong, ['devices', 'status', 'health']);
      if (Object.keys(await stage.side.grants()).length > 0) stage.wrongAnswers.push('a wrong secret paired a key');
      await mended(stage, (secret) => {
        stage.env.OPENCLAW_GATEWAY_TOKEN = secret;
      });
      return outcome;
    },
  },
  {
    name: 'seed3 an older openclaw.json came back',
    mends: true,
    act: async (stage) => {
      await stage.works(['devices', 'list']);
      await stage.fix();
      const wrong = newSecret();
      stage.home.configure(local(stage, wrong));
      return known(stage, wrong, (secret) => stage.home.configure(local(stage, secret)));
    },
  },
  {
    name: "seed3 an older configuration of the gateway's came back",
    mends: true,
    act: async (stage) => {
      const newer = stage.side.token();
      await stage.works(['devices', 'list']);
      await stage.side.restart(newSecret());
      stage.way.to(stage.side.port());
      await stage.fix();
      return known(stage, newer, (secret) => stage.home.configure(local(stage, secret)));
    },
  },
];

const TWO: Play = {
  name: 'seed3 two gateways on one state directory',
  act: async (stage) => {
    const identity = identityIn(stage.home, stage.release.name !== '2026.9.6');
    await stage.side.declare(identity, ['operator.admin']);
    await stage.fix();
    for (const port of ['0', String(stage.side.port())]) {
      const second = await stage.side.run(['gateway', 'run', '--port', port]);
      const said = second.stderr.split('\n')[0] ?? '';
      if (second.code !== 78) stage.wrongAnswers.push(`the second gateway: exit ${second.code} ${said}`);
      if (!second.stderr.includes(String(stage.side.port())))
        stage.wrongAnswers.push(`the second gateway names no other: ${said}`);
      await stage.all(COMMANDS);
    }
  },
};

export const seed3: readonly Play[] = [
  ...HARMS.map((harm) => harmed(harm, true)),
  ...HARMS.map((harm) => harmed(harm, false)),
  ...PLACES,
  TWO,
];
