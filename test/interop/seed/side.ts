// The gateway that a report is replayed on, and what it says of itself: Latchkey over its owner socket; OpenClaw's own,
// to see that the scenarios can fail, by its files.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newStateDir, removeStateDir, start } from '../../gateway.ts';
import { Partner, plainParams } from '../../partner/client.ts';
import type { Identity } from '../../partner/identity.ts';
import { ensure, granted, rows } from '../../scenario/act.ts';
import { foreignGateway } from '../foreign.ts';
import type { Ran } from '../openclaw.ts';
import type { Release } from '../release.ts';

export interface Side {
  readonly kind: 'latchkey' | 'openclaw';
  port(): number;
  token(): string;
  /** Ids of the open requests. */
  open(): Promise<readonly string[]>;
  /** Every paired device's raw operator scopes, sorted. */
  grants(): Promise<Readonly<Record<string, readonly string[]>>>;
  /** The device holds exactly these. */
  declare(identity: Identity, scopes: readonly string[]): Promise<void>;
  /** Everything it printed since it was started first. */
  logs(): string;
  /** Latchkey's own commands beside it. @throws Error on OpenClaw's side */
  run(args: readonly string[]): Promise<Pick<Ran, 'code' | 'stdout' | 'stderr'>>;
  /** Ended and started again with another shared secret in its configuration. @throws Error on OpenClaw's side */
  restart(token: string): Promise<void>;
  readonly stateDir: string;
  end(): Promise<void>;
}

export async function latchkeySide(): Promise<Side> {
  const stateDir = newStateDir();
  const config = join(stateDir, 'latchkey.json');
  let gateway = await start({ stateDir });
  let before = '';
  return {
    kind: 'latchkey',
    stateDir,
    port: () => gateway.port,
    token: () => gateway.token,
    open: async () => (await rows(await gateway.owner())).open.map((row) => String(row.requestId)),
    grants: async () => {
      const { paired } = await rows(await gateway.owner());
      return Object.fromEntries(paired.map((row) => [String(row.deviceId), [...row.scopes].sort()]));
    },
    declare: async (identity, scopes) => {
      const owner = await gateway.owner();
      await ensure(owner, identity, scopes);
      const held = await granted(owner, identity);
      if (`${held}` !== `${[...scopes].sort()}`) throw new Error(`declared ${scopes}, it holds ${held}`);
    },
    logs: () => before + gateway.logs(),
    run: (args) => gateway.cli(args),
    restart: async (token) => {
      before += gateway.logs();
      await gateway.halt();
      const text = readFileSync(config, 'utf8');
      writeFileSync(config, text.replace(JSON.parse(text).gateway.auth.token, token));
      gateway = await start({ stateDir });
    },
    end: async () => {
      await gateway.halt();
      removeStateDir(stateDir);
    },
  };
}

/** Of 2026.2.19 and 2026.3.13, whose books are two JSON files. */
export async function openclawSide(release: Release): Promise<Side> {
  const gateway = await foreignGateway(release);
  const book = (name: string): Record<string, { scopes?: readonly string[] }> => {
    const file = join(gateway.home.stateDir, 'devices', `${name}.json`);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  };
  const refuse = (): never => {
    throw new Error("OpenClaw's gateway has no such command");
  };
  return {
    kind: 'openclaw',
    stateDir: gateway.home.stateDir,
    port: () => gateway.port,
    token: () => gateway.token,
    open: async () => Object.keys(book('pending')),
    grants: async () =>
      Object.fromEntries(Object.entries(book('paired')).map(([id, row]) => [id, [...(row.scopes ?? [])].sort()])),
    // What a first connect with the shared secret pairs there is what it asks.
    declare: async (identity, scopes) => {
      const partner = await Partner.open({ port: gateway.port });
      const params = plainParams({ scopes, maxProtocol: release.protocol, auth: { token: gateway.token } });
      const answer = await partner.connect(params, { identity, version: release.name === '2026.2.19' ? 'v2' : 'v3' });
      partner.end();
      if (!answer.ok) throw new Error(answer.error.message);
    },
    logs: gateway.logs,
    run: refuse,
    restart: refuse,
    end: gateway.stop,
  };
}
