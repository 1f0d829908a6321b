// T6: two processes change pairing at once. OpenClaw's CLI wrote the pairing file beside a running gateway.
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, latchkey, newStateDir, removeStateDir, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { asking, granted, once, READ, rows, WRITE } from './act.ts';

describe('T6 two command-line processes at once', () => {
  let gateway: Gateway | undefined;
  let stateDir: string | undefined;
  afterEach(async () => {
    await gateway?.stop();
    if (gateway === undefined && stateDir !== undefined) removeStateDir(stateDir);
    gateway = undefined;
    stateDir = undefined;
  });

  async function pending() {
    gateway ??= await start();
    const identity = newIdentity();
    const answer = await once({ port: gateway.port }, asking([READ]), { identity });
    return { gateway, identity, id: answer.ok ? '' : String(answer.error.details?.requestId) };
  }

  it('T6 approve beside approve: one decides, the other is told the outcome', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { gateway, identity, id } = await pending();
      const args = ['devices', 'approve', id, '--json'];
      const both = await Promise.all([gateway.cli(args), gateway.cli(args)]);
      expect(both.map((r) => r.code).sort(), JSON.stringify(both)).toEqual([0, 1]);
      const lost = both.find((r) => r.code === 1);
      expect(`${lost?.stdout}${lost?.stderr}`).toMatch(/approved/);
      expect(await granted(await gateway.owner(), identity)).toEqual([READ]);
    }
  });

  it('T6 approve beside reject: the state is that of the one that won', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { gateway, identity, id } = await pending();
      const [yes, no] = await Promise.all([
        gateway.cli(['devices', 'approve', id, '--json']),
        gateway.cli(['devices', 'reject', id, '--json']),
      ]);
      expect([yes?.code, no?.code].sort(), JSON.stringify([yes, no])).toEqual([0, 1]);
      const owner = await gateway.owner();
      expect(await granted(owner, identity)).toEqual(yes?.code === 0 ? [READ] : null);
      expect((await rows(owner, identity)).rejected).toHaveLength(yes?.code === 0 ? 0 : 1);
      expect((await rows(owner, identity)).open).toEqual([]);
    }
  });

  it('T6 ensure beside ensure on one key: the grant is one of the two, never a mixture', async () => {
    const { gateway, identity } = await pending();
    const to = (scope: string) =>
      gateway.cli(['devices', 'ensure', '--key', identity.publicKey, '--role', 'operator', '--scope', scope, '--json']);
    const both = await Promise.all([to(READ), to(WRITE)]);
    expect(both.map((r) => r.code)).toEqual([0, 0]);
    expect([[READ], [WRITE]]).toContainEqual(await granted(await gateway.owner(), identity));
  });

  it('A11 a directory without a gateway is never made by a question', async () => {
    stateDir = newStateDir();
    const listed = await latchkey(['devices', 'list', '--json', '--state-dir', stateDir], {
      home: join(stateDir, '..'),
    });
    expect(listed.code, 'nothing to list is an answer or a refusal, never a hang').not.toBeNull();
  });
});
