// THREATS.md D6.57, A4, A17: a disk without room, on a file system of 3 MiB. Mounting one needs root on Linux; elsewhere
// these tests are skipped, with that said.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fill, free, obstacle, smallStateDir, unmountAll } from '../attack/disk.ts';
import { type Gateway, start } from '../gateway.ts';
import type { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import {
  ADMIN,
  approve,
  asking,
  attempt,
  gist,
  granted,
  narrow,
  once,
  PAIRING,
  paired,
  READ,
  reject,
  remove,
  revoke,
  rotate,
  rows,
  session,
  WRITE,
} from '../scenario/act.ts';
import { TruthReader } from '../scenario/state.ts';
import { uid } from './process.ts';

/** Whom the program runs as. */
const AS = uid ?? 0;
const open: Partner[] = [];
let gateway: Gateway | undefined;

const why = obstacle();
if (why !== null) console.log(`skipped: the full disk: ${why}`);

afterEach(async () => {
  for (const partner of open.splice(0)) partner.end();
  await gateway?.halt();
  gateway = undefined;
  unmountAll();
});

interface World {
  readonly up: Gateway;
  readonly owner: Peer;
  readonly known: Identity;
  readonly victim: Identity;
  readonly victimSession: Partner;
  /** Asks for read, and its request. */
  readonly asker: Identity;
  readonly requestId: string;
}

async function world(): Promise<World> {
  const up = await start({ stateDir: smallStateDir(AS), uid: AS });
  gateway = up;
  const owner = await up.owner();
  const known = await paired(owner, [READ]);
  const victim = await paired(owner, [READ, WRITE, PAIRING]);
  const victimSession = (await session(up, victim)).partner;
  open.push(victimSession);
  const asker = newIdentity();
  await once({ port: up.port }, asking([READ]), { identity: asker });
  const requestId = (await rows(owner, asker)).open[0].requestId;
  return { up, owner, known, victim, victimSession, asker, requestId };
}

describe.skipIf(why !== null)('threat 57: a full disk', () => {
  it('threat 57 A4 A6 who is paired connects and reads; what it asks beyond is left out, and that is said', async () => {
    const { up, owner, known } = await world();
    fill(up.stateDir);
    const place = { port: up.port };
    const plain = await attempt(place, asking([READ]), { identity: known });
    open.push(plain.partner);
    expect(gist(plain.answer)).toBe('ok');
    expect(plain.answer.payload.auth.notStored).toBeUndefined();
    const wide = await attempt(place, asking([READ, ADMIN]), { identity: known });
    open.push(wide.partner);
    expect(gist(wide.answer)).toBe('ok');
    expect(wide.answer.payload.auth).toMatchObject({ scopes: [READ], missing: [ADMIN], notStored: true });
    expect(wide.answer.payload.auth.requestId).toBeUndefined();
    for (const method of ['health', 'status']) expect(gist(await wide.partner.call(method)), method).toBe('ok');
    expect(gist(await owner.call('device.pair.list', {}))).toBe('ok');
    // The secret needs no write either.
    expect(gist(await once(place, asking([READ], { auth: { token: up.token } })))).toBe('ok');
    expect((await rows(owner, known)).open).toEqual([]);
  });

  it("threat 57 A17 what can't be recorded isn't made: UNAVAILABLE, and nothing has changed", async () => {
    const { up, owner, known, asker, requestId } = await world();
    const reader = new TruthReader(up.stateDir);
    const before = reader.tables();
    const listed = await rows(owner);
    fill(up.stateDir);
    const stranger = newIdentity();
    const place = { port: up.port };
    const answers = {
      approve: await approve(owner, requestId),
      ensure: await owner.call('device.pair.ensure', {
        publicKey: stranger.publicKey,
        role: 'operator',
        scopes: [READ],
      }),
      'wider ensure': await owner.call('device.pair.ensure', {
        publicKey: known.publicKey,
        role: 'operator',
        scopes: [READ, ADMIN],
      }),
      'setup code': await owner.call('device.code.create', { role: 'operator', scopes: [READ] }),
      'a new ask': await once(place, asking([READ]), { identity: newIdentity() }),
      'pairing by secret': await once(place, asking([READ], { auth: { token: up.token } }), {
        identity: newIdentity(),
      }),
    };
    for (const [name, answer] of Object.entries(answers)) {
      expect(gist(answer), name).toMatch(/^UNAVAILABLE/);
      expect(!answer.ok && answer.error.retryable, name).toBe(true);
    }
    expect(await rows(owner)).toEqual(listed);
    expect(await granted(owner, asker)).toBeNull();
    expect(await granted(owner, known)).toEqual([READ]);
    expect(await granted(owner, stranger)).toBeNull();
    expect(reader.tables()).toEqual(before);
    reader.close();
    // With room again all of it goes on, without a restart.
    free(up.stateDir);
    expect(gist(await approve(owner, requestId))).toBe('ok');
    expect(await granted(owner, asker)).toEqual([READ]);
    expect(gist(await once(place, asking([READ]), { identity: asker }))).toBe('ok');
    const wide = await once(place, asking([READ, ADMIN]), { identity: known });
    expect(wide.ok && wide.payload.auth.requestId).toEqual(expect.any(String));
  });

  it.each([
    ['narrow', [READ]],
    ['revoke', null],
    ['remove', null],
  ] as const)(
    'threat 57 A17 %s takes away all the same, by the room kept for it, and on disk too',
    async (what, left) => {
      const { up, owner, known, victim, victimSession } = await world();
      expect(statSync(join(up.stateDir, 'state', 'reserve')).size).toBe(1024 * 1024);
      fill(up.stateDir);
      const answer = await {
        narrow: () => narrow(owner, victim, [READ]),
        revoke: () => revoke(owner, victim),
        remove: () => remove(owner, victim),
      }[what]();
      expect(gist(answer)).toBe('ok');
      expect(await granted(owner, victim)).toEqual(left);
      if (left === null) expect((await victimSession.closed).code).toBe(4001);
      else expect(gist(await victimSession.call('device.pair.list'))).toMatch(/MISSING_SCOPE/);
      // The rest of the reserve is for more of the same.
      expect(gist(await revoke(owner, known))).toBe('ok');
      fill(up.stateDir);
      await up.kill();
      free(up.stateDir);
      const again = await start({ stateDir: up.stateDir, uid: AS });
      gateway = again;
      const after = await again.owner();
      expect(await granted(after, victim)).toEqual(left);
      expect(await granted(after, known)).toBeNull();
    },
  );

  it('threat 57 A17 reject and rotate take away too; giving takes nothing from the reserve', async () => {
    const { up, owner, victim, asker, requestId } = await world();
    fill(up.stateDir);
    expect(gist(await approve(owner, requestId))).toMatch(/^UNAVAILABLE/);
    expect(existsSync(join(up.stateDir, 'state', 'reserve'))).toBe(true);
    expect(gist(await reject(owner, requestId))).toBe('ok');
    expect((await rows(owner, asker)).rejected).toHaveLength(1);
    // A10: no authority is taken by it, so it may wait for room.
    expect(gist(await rotate(owner, victim))).toMatch(/^(ok|UNAVAILABLE.*)$/);
    expect(await granted(owner, victim)).toEqual([PAIRING, READ, WRITE].toSorted());
  });

  it('threat 57 a full disk fills no log with complaints, and the gateway ends in order', async () => {
    const { up, known } = await world();
    fill(up.stateDir);
    for (let i = 0; i < 100; i += 1) await once({ port: up.port }, asking([READ, ADMIN]), { identity: known });
    expect(up.logs().split('\n').length).toBeLessThan(60);
    expect(await up.halt()).toBe(0);
  });

  it('threat 57 a start without room on a state directory with a history serves it, or says what is full, and loses nothing', async () => {
    const { up, known } = await world();
    fill(up.stateDir);
    await up.kill();
    fill(up.stateDir);
    const second = await start({ stateDir: up.stateDir, uid: AS }).catch((error: unknown) => String(error));
    if (typeof second !== 'string') await second.halt();
    else expect(second).toMatch(/ended with 75:\n[\s\S]*(ENOSPC|full)[\s\S]*run: df -h/);
    free(up.stateDir);
    const third = await start({ stateDir: up.stateDir, uid: AS });
    gateway = third;
    expect(gist(await once({ port: third.port }, asking([READ]), { identity: known }))).toBe('ok');
  });

  it('threat 57 a start without room on a new state directory says so and leaves no half-made store', async () => {
    const stateDir = smallStateDir(AS);
    mkdirSync(join(stateDir, 'state'), { mode: 0o700 });
    spawnSync('chown', [`${AS}:${AS}`, join(stateDir, 'state')]);
    fill(stateDir);
    await expect(start({ stateDir, uid: AS })).rejects.toThrow(/ended with 75[\s\S]*(ENOSPC|full)[\s\S]*run: /);
    expect(existsSync(join(stateDir, 'state', 'latchkey.sqlite'))).toBe(false);
    free(stateDir);
    const up = await start({ stateDir, uid: AS });
    gateway = up;
    expect(gist(await (await up.owner()).call('health'))).toBe('ok');
  });
});
