// D3: names, origins, headers, forwarders: what a request says of the way that it came.
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { newIdentity } from '../../partner/identity.ts';
import { ADMIN, asking, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import { FOREIGN_HOSTS, FORWARDING, foreignOrigins } from '../name.ts';
import type { Target } from '../target.ts';

const NOT_ALLOWED = /^(upgrade 4\d\d|INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED)$/;
/** Refused for want of a key, of an approval, or of an allowed origin: never let in. */
const REFUSED = /^(upgrade 4\d\d|NOT_PAIRED|INVALID_REQUEST|FORBIDDEN|closed 1008)/;

type Headers = Readonly<Record<string, string | readonly string[]>>;

async function origins(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const right = { auth: { token: target.options.token } };
  const all: Headers[] = foreignOrigins(target.options.port).map((origin) => ({ Origin: origin }));
  all.push(
    { Origin: ['https://evil.example', 'https://ui.example'] },
    { Origin: ['https://ui.example', 'https://evil.example'] },
    ...FORWARDING.map(([name, value]) => ({ Origin: 'https://evil.example', [name]: value })),
  );
  const before = (await target.pending()).length;
  for (const headers of all) {
    const name = `Origin ${JSON.stringify(headers.Origin)}`;
    const keyless = await target.connect(asking([READ], right), {}, { headers });
    matches(keyless.gist, NOT_ALLOWED, `${name} with the secret`);
    const wrong = await target.connect(asking([READ], { auth: { token: 'wrong' } }), {}, { headers });
    equal(wrong.gist, keyless.gist, `${name}: a wrong secret is judged`);
    matches((await target.enter(known, [READ], { headers })).gist, NOT_ALLOWED, `${name} with a granted key`);
    const stranger = newIdentity();
    const asks = await target.connect(asking([READ]), { identity: stranger }, { headers });
    matches(asks.gist, NOT_ALLOWED, `${name} with an unknown key`);
  }
  equal((await target.pending()).length, before, 'requests that pages made');
  return `${all.length} origins`;
}

async function hosts(target: Target): Promise<string> {
  const { port } = target.options;
  const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n`;
  const due = /^HTTP\/1\.[01] 4\d\d /;
  const names = FOREIGN_HOSTS.map((name) => name.replaceAll('PORT', String(port)));
  for (const lines of [...names.map((name) => `Host: ${name}\r\n`), '']) {
    for (const path of ['/', '/healthz']) {
      const answer = await target.raw(`GET ${path} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`);
      matches(answer, due, `${path} with ${JSON.stringify(lines)}`);
      assert(!/"status":"live"|"ready":/.test(answer), `a probe answered to ${JSON.stringify(lines)}`);
    }
    const answer = await target.raw(`GET / HTTP/1.1\r\n${lines}${upgrade}\r\n`);
    matches(answer, due, `an upgrade with ${JSON.stringify(lines)}`);
  }
  matches(await target.raw(`GET / HTTP/1.0\r\n\r\n`), due, 'HTTP/1.0 without Host');
  return `${names.length + 1} hosts`;
}

/** Routes of Latchkey and OpenClaw, and what would be worth having. */
const ROUTES = [
  '/',
  '/healthz',
  '/readyz',
  '/tools/invoke',
  '/hooks/wake',
  '/hooks/agent',
  '/v1/chat/completions',
  '/v1/responses',
  '/api/config',
  '/config/apply',
  '/control-ui-config.json',
  '/__openclaw/control-ui-config.json',
  '/plugins/x',
];

async function crossSite(target: Target): Promise<string> {
  const { host, token } = target.options;
  const before = JSON.stringify(await (await target.admin()).ask('config.get', {}));
  const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'];
  for (const path of ROUTES) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      for (const type of types) {
        const body = '{"tool":"gateway","args":{}}';
        const head = `Host: ${host}\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nCookie: token=${token}\r\n`;
        const content = `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n`;
        const answer = await target.raw(`${method} ${path} HTTP/1.1\r\n${head}${content}\r\n${body}`);
        matches(answer, /^HTTP\/1\.1 4\d\d /, `${method} ${path} as ${type}`);
        assert(!/^access-control-allow-origin/im.test(answer), `${method} ${path} allows other origins`);
      }
      if (target.quick) break;
    }
  }
  equal(JSON.stringify(await (await target.admin()).ask('config.get', {})), before, 'the configuration');
  for (const headers of [
    { Cookie: `token=${token}; session=${token}; openclaw=${token}` },
    { Authorization: `Bearer ${token}` },
    { 'X-Openclaw-Token': token },
  ]) {
    const { gist } = await target.connect(asking([READ]), {}, { headers });
    matches(gist, REFUSED, `a header alone: ${Object.keys(headers)}`);
  }
  return `${ROUTES.length} routes`;
}

async function forwarded(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const right = { auth: { token: target.options.token } };
  for (const [name, value] of FORWARDING) {
    const headers = { [name]: value };
    const fresh = target.adopt(newIdentity());
    const paired = await target.connect(asking([READ], right), { identity: fresh }, { headers });
    matches(paired.gist, REFUSED, `${name}: ${value} pairs with the secret`);
    equal(await target.granted(fresh), null, `a grant by ${name}: ${value}`);
    const asked = await target.pending(fresh);
    for (const row of asked) {
      const shown = row.remoteIp === '127.0.0.1' || row.remoteIp === '::1' || row.remoteIp === undefined;
      assert(shown || target.options.address !== '127.0.0.1', `${name}: listed as ${row.remoteIp}`);
    }
    equal((await target.enter(known, [READ], { headers })).gist, 'ok', `a granted key behind ${name} (A4)`);
  }
  return `${FORWARDING.length} headers`;
}

async function guessesBehindClaims(target: Target): Promise<string> {
  const rateLimit = { maxAttempts: 1, lockoutMs: 60_000 };
  const inner = target.over(await target.spawn({ config: { gateway: { auth: { rateLimit } } } }));
  let answers = 0;
  const names = ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'CF-Connecting-IP', 'True-Client-IP'];
  for (let i = 0; i < 20; i += 1) {
    const name = names[i % names.length] ?? '';
    const value = `${name === 'Forwarded' ? 'for=' : ''}198.51.100.${i}`;
    const partner = await inner.open({ headers: { [name]: value } });
    const params = asking([READ], { auth: { token: `guess ${i}` } });
    void partner.connect(params, { identity: newIdentity(), timeoutMs: 60_000 }).then(
      () => {
        answers += 1;
      },
      () => {},
    );
  }
  // What came after them is answered, so all of them were judged.
  equal((await inner.connect(asking([READ], { auth: { token: inner.options.token } }))).gist, 'ok', 'the right secret');
  assert(answers < 6, `${answers} of 20 guesses under invented addresses were answered at once`);
  return `${answers} of 20 guesses answered at once`;
}

async function identityHeaders(target: Target): Promise<undefined> {
  const names = ['X-Forwarded-User', 'Tailscale-User-Login', 'Remote-User', 'X-Auth-Request-Email', 'X-Openclaw-User'];
  const values: readonly (string | readonly string[])[] = ['owner@example.com', '', ['owner', 'admin']];
  for (const name of names) {
    for (const value of values) {
      const headers = { [name]: value, 'X-Openclaw-Scopes': ADMIN };
      const { gist } = await target.connect(asking([READ]), {}, { headers });
      matches(gist, REFUSED, `${name}: ${JSON.stringify(value)} without a credential`);
    }
  }
  const known = await target.pair([READ]);
  for (const scopes of [ADMIN, `${READ},${ADMIN}`, '*', '']) {
    const { gist, payload } = await target.enter(known, [READ], { headers: { 'X-Openclaw-Scopes': scopes } });
    if (gist === 'ok')
      assert(!payload.auth.scopes.includes(ADMIN), `x-openclaw-scopes: ${scopes} gave ${payload.auth.scopes}`);
  }
  equal(await target.granted(known), [READ], 'the grant');
  return undefined;
}

/** What socat or `ssh -L` does: bytes to loopback, as they are. */
async function withForwarder<T>(target: Target, use: (port: number) => Promise<T>): Promise<T> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = dial({ port: target.options.port, host: target.options.address });
    sockets.push(near, far);
    for (const [from, to] of [[near, far] as const, [far, near] as const])
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  }
}

async function forwarder(target: Target): Promise<undefined> {
  const known = await target.pair([READ]);
  const right = { auth: { token: target.options.token } };
  await withForwarder(target, async (port) => {
    const place = { port, address: '127.0.0.1', host: `127.0.0.1:${port}` };
    for (let i = 0; i < 3; i += 1) {
      const fresh = target.adopt(newIdentity());
      matches((await target.connect(asking([ADMIN]), { identity: fresh }, place)).gist, REFUSED, 'without the secret');
      equal(await target.granted(fresh), null, 'a grant without the secret');
    }
    const page = { ...place, headers: { Origin: `http://127.0.0.1:${port}` } };
    matches((await target.connect(asking([READ], right), {}, page)).gist, REFUSED, 'a page behind a forwarder');
    const proxy = { ...place, headers: { 'X-Forwarded-For': '127.0.0.1' } };
    const behind = target.adopt(newIdentity());
    matches(
      (await target.connect(asking([READ], right), { identity: behind }, proxy)).gist,
      REFUSED,
      'a proxy behind it',
    );
    const named = { ...place, host: `tunnel.example:${port}` };
    matches((await target.connect(asking([READ], right), {}, named)).gist, REFUSED, 'under another name');
    equal((await target.enter(known, [READ], place)).gist, 'ok', 'a granted key needs no place (A4)');
  });
  return undefined;
}

export const PLACE_CHECKS: readonly Check[] = [
  {
    id: 'D3.22',
    title: 'a page of any other origin is refused before anything that it brings is judged',
    quick: true,
    needs: ['token'],
    run: origins,
  },
  {
    id: 'D3.23',
    title: 'a Host that is no name of the gateway is answered 4xx, on every path and on upgrades',
    quick: true,
    needs: [],
    run: hosts,
  },
  {
    id: 'D3.24',
    title: 'cross-site requests change nothing; a cookie or a header alone opens no session',
    quick: true,
    needs: ['token'],
    run: crossSite,
  },
  {
    id: 'D3.25',
    title: 'a claimed address is never local, and takes the secret its privileges',
    quick: true,
    needs: ['token'],
    run: forwarded,
  },
  {
    id: 'D3.25 guesses',
    title: 'a claimed address is no fresh budget of guesses',
    quick: true,
    needs: ['second process'],
    run: guessesBehindClaims,
  },
  {
    id: 'D3.26',
    title: 'identity headers are no identity, and x-openclaw-scopes never gives',
    quick: true,
    needs: ['token'],
    run: identityHeaders,
  },
  {
    id: 'D3.27',
    title: 'through a forwarder nobody is paired without the secret, nor with it behind a page, a proxy or a name',
    quick: true,
    needs: ['token'],
    run: forwarder,
  },
];
