// seed4: the shared secret on loopback without a device block. The scopes of such a connection were cleared, and what
// was left of the answers said `missing scope`, or nothing. Here the secret has a grant of its own (A13).
import { Partner, plainParams } from '../../partner/client.ts';
import { ADMIN, APPROVALS, PAIRING, READ, WRITE } from '../../scenario/act.ts';
import type { Play } from './play.ts';
import type { Stage } from './stage.ts';

const COMMANDS = [
  ['gateway', 'probe'],
  ['status'],
  ['status', '--deep'],
  ['health'],
  ['devices', 'list'],
  ['gateway', 'call', 'health'],
  ['security', 'audit', '--deep'],
] as const;

const CLIENTS = [
  ['cli', 'cli'],
  ['gateway-client', 'backend'],
  ['cli', 'probe'],
] as const;

const ASKS = [
  [[READ], ['health', 'status', 'system-presence', 'config.get']],
  [
    [ADMIN, READ, WRITE, APPROVALS, PAIRING],
    ['health', 'status', 'device.pair.list'],
  ],
] as const;

/** A connection that brings the secret and no key, and what it can call then. */
async function bare(stage: Stage, [id, mode]: (typeof CLIENTS)[number], protocol: number): Promise<void> {
  for (const [scopes, methods] of ASKS) {
    const name = `${id}/${mode} of protocol ${protocol}, asking ${scopes.length}`;
    stage.allow(1);
    const partner = await Partner.open({ port: stage.way.port });
    const client = { ...plainParams().client, id, mode, version: stage.release.name, platform: 'linux' };
    const auth = { token: stage.side.token() };
    const params = plainParams({ client, scopes, auth, minProtocol: protocol, maxProtocol: protocol });
    const answer = await partner.connect(params);
    if (!answer.ok) stage.wrongAnswers.push(`${name}: ${answer.error.code} ${answer.error.message}`);
    else {
      const told: readonly string[] | undefined = answer.payload.auth?.scopes;
      if (told !== undefined && !scopes.every((scope) => told.includes(scope)))
        stage.wrongAnswers.push(`${name}: told ${told}`);
      for (const method of methods) {
        const called = await partner.call(method, {});
        if (!called.ok) stage.wrongAnswers.push(`${name}: ${method} ${called.error.message}`);
      }
    }
    partner.end();
  }
}

export const seed4: readonly Play[] = [
  {
    name: 'seed4 the secret in the configuration',
    act: async (stage: Stage) => {
      await stage.works(['gateway', 'probe']);
      await stage.works(['devices', 'list']);
      await stage.fix();
      await stage.all(COMMANDS);
    },
  },
  {
    name: 'seed4 nothing but the secret in the environment',
    act: async (stage: Stage) => {
      const port = String(stage.way.port);
      stage.home.configure({ gateway: { mode: 'local' } });
      stage.env.OPENCLAW_GATEWAY_TOKEN = stage.side.token();
      stage.env.OPENCLAW_GATEWAY_PORT = port;
      await stage.works(['gateway', 'probe']);
      await stage.works(['devices', 'list']);
      await stage.fix();
      await stage.all(COMMANDS);
    },
  },
  {
    name: 'seed4 raw clients without a device block',
    act: async (stage: Stage) => {
      await stage.fix();
      for (const client of CLIENTS) for (const protocol of [3, 4]) await bare(stage, client, protocol);
    },
  },
];
