// D5.50, D5.52, D5.53: what a token is worth that was replaced, and where secrets are found.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newIdentity } from '../../partner/identity.ts';
import { ADMIN, asking, PAIRING, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import { files, found, heard } from '../leak.ts';
import { gistOf, type Target } from '../target.ts';

const REFUSED = /^(NOT_PAIRED|INVALID_REQUEST|upgrade 4)/;

async function reuse(target: Target): Promise<undefined> {
  const identity = await target.pair([READ]);
  const first = await target.session(identity, [READ]);
  const old = String(first.hello.auth.deviceToken ?? target.credential(identity).auth?.deviceToken ?? '');
  matches(old, /^[A-Za-z0-9_-]{43}$/, 'a device token');
  const rotated = await (await target.admin()).call('device.token.rotate', { deviceId: identity.id, role: 'operator' });
  equal(gistOf(rotated), 'ok', 'rotating');
  assert(rotated.ok && rotated.payload.token === undefined, "another's token was returned");
  // The token without the key: nothing, in any field, before it was replaced or after.
  for (const field of ['token', 'deviceToken', 'bootstrapToken', 'password']) {
    matches((await target.connect(asking([READ], { auth: { [field]: old } }))).gist, REFUSED, `as ${field}, no key`);
    const thief = target.adopt(newIdentity());
    const stolen = await target.connect(asking([READ], { auth: { [field]: old } }), { identity: thief });
    matches(stolen.gist, REFUSED, `as ${field}, with the key of somebody else`);
    equal(await target.granted(thief), null, `what it gave as ${field}`);
  }
  // With the key: the key is what opens; the stale token is as if absent, and replaced (A4, A10).
  for (const field of ['token', 'deviceToken']) {
    const { gist, payload } = await target.connect(asking([READ], { auth: { [field]: old } }), { identity });
    equal(gist, 'ok', `a stale ${field} beside its own key`);
    equal(payload.auth.scopes, [READ], 'what it holds');
    assert(payload.auth.deviceToken !== old, 'the stale token was not replaced');
  }
  return undefined;
}

async function leaks(target: Target): Promise<string> {
  const { stateDir, pid, token } = target.options;
  const watcher = (await target.session(await target.pair([ADMIN, PAIRING, READ]), [ADMIN, PAIRING, READ])).partner;
  const reader = (await target.session(await target.pair([READ]), [READ])).partner;
  const mine = await target.pair([READ]);
  const secrets: Record<string, string> = { 'shared secret': token };
  const canary = (name: string) => {
    secrets[name] = `canary${randomBytes(16).toString('hex')}`;
    return secrets[name] ?? '';
  };
  const hello = await target.enter(mine, [READ]);
  secrets['device token'] = String(hello.payload.auth?.deviceToken ?? target.credential(mine).auth?.deviceToken);
  if (hello.partner !== null) {
    const own = await hello.partner.call('device.token.rotate', { deviceId: mine.id, role: 'operator' });
    if (own.ok && typeof own.payload.token === 'string') secrets['rotated token'] = own.payload.token;
  }
  const beside = target.adopt(newIdentity());
  const tries: readonly (readonly [object, boolean])[] = [
    [{ deviceToken: canary('invented device token') }, true],
    [{ bootstrapToken: canary('invented code') }, true],
    [{ token: canary('wrong token') }, false],
  ];
  for (const [auth, isKeyed] of tries) {
    const { payload, gist } = await target.connect(
      asking([READ], { auth: { ...auth } }),
      isKeyed ? { identity: beside } : {},
    );
    equal(found(secrets, { answer: Buffer.from(JSON.stringify(payload ?? '') + gist) }), [], 'in the answer');
  }
  for (const path of [`/?token=${canary('in a query')}`, `/x?access_token=${canary('in another query')}`]) {
    const head = `Host: ${target.options.host}\r\nAuthorization: Bearer ${canary('in a header')}\r\nConnection: close`;
    const answer = await target.raw(`GET ${path} HTTP/1.1\r\n${head}\r\n\r\n`);
    equal(found(secrets, { answer: Buffer.from(answer) }), [], `in the answer to ${path.slice(0, 9)}`);
  }
  for (const method of ['config.get', 'status', 'health', 'system-presence', 'device.pair.list'])
    await watcher.call(method, {});
  const seen = found(secrets, heard({ watcher, reader, admin: await target.admin() }));
  equal(seen, [], 'told to others');
  if (pid !== undefined) {
    const proc = Object.fromEntries(['cmdline', 'environ'].map((name) => [name, readFileSync(`/proc/${pid}/${name}`)]));
    equal(found(secrets, proc), [], 'shown to everybody who lists processes');
  }
  if (stateDir === undefined) return `${Object.keys(secrets).length} secrets; files not searched: no --state-dir`;
  // The secret stands where it was configured, or generated, and nowhere else.
  const allowed = /^shared secret: (latchkey\.json|openclaw\.json|identity\/gateway\.json)$/;
  const written = found(secrets, files(stateDir)).filter((place) => !allowed.test(place));
  equal(written, [], `written below ${stateDir}`);
  return `${Object.keys(secrets).length} secrets, ${Object.keys(files(stateDir)).length} files`;
}

async function rotation(target: Target): Promise<undefined> {
  const inner = target.over(await target.spawn({ config: { gateway: { auth: { token: undefined } } } }));
  const { own, stateDir } = inner.options;
  const secret = () =>
    String(JSON.parse(readFileSync(join(stateDir ?? '', 'identity', 'gateway.json'), 'utf8')).secret);
  const old = secret();
  const owner = await own?.owner();
  assert(owner !== undefined, 'no owner socket');
  const paired = newIdentity();
  await owner.ask('device.pair.ensure', { publicKey: paired.publicKey, role: 'operator', scopes: [READ] });
  const live = await inner.connect(asking([ADMIN], { auth: { token: old } }));
  equal(live.gist, 'ok', 'the control: the old secret, while it is the secret');
  const device = await inner.connect(asking([READ]), { identity: paired });
  await owner.ask('gateway.secret.rotate', {});
  equal((await live.partner?.closed)?.code, 4001, 'a session of the old secret');
  assert(device.partner !== null && (await device.partner.call('health', {})).ok, "a paired device's session");
  const keyed = newIdentity();
  for (const auth of [{ token: old }, { password: old }]) {
    matches((await inner.connect(asking([READ], { auth }))).gist, /MISMATCH$/, 'the old secret');
    assert((await inner.connect(asking([READ], { auth }), { identity: keyed })).gist !== 'ok', 'the old secret paired');
  }
  equal((await inner.connect(asking([READ], { auth: { token: secret() } }))).gist, 'ok', 'the new secret');
  equal((await inner.connect(asking([READ]), { identity: paired })).gist, 'ok', 'the paired device');
  return undefined;
}

export const TOKEN_CHECKS: readonly Check[] = [
  {
    id: 'D5.50',
    title: 'a replaced device token opens nothing without its key, and beside its key it is as if absent',
    quick: true,
    needs: ['token'],
    run: reuse,
  },
  {
    id: 'D5.52',
    title: 'no secret is told to others, written, printed or shown to who lists processes',
    quick: true,
    needs: ['token'],
    run: leaks,
  },
  {
    id: 'D5.53',
    title: 'a rotated secret is refused at once, its sessions are closed, paired devices stay',
    quick: true,
    needs: ['second process'],
    run: rotation,
  },
];
