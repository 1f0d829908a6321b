// D1.9: the HTTP side, byte by byte.
import { assert, type Check, matches } from '../check.ts';
import type { Target } from '../target.ts';

/** Spellings that must not reach the probe that they remind of. */
const PATHS = [
  '//',
  '//healthz',
  '/healthz/.',
  '/%68ealthz',
  '/x/../healthz',
  '/%2e%2e/healthz',
  '/%00',
  '/healthz%00',
  '/healthz;x',
  '/HEALTHZ',
  '/.env',
  '/..%2f..%2fetc%2fpasswd',
  '/x/..%5c..%5clatchkey.json',
];
const PROBED = /"status":"live"|"ready":|"status":"started"/;
const status = (answer: string): number => Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);

async function run(target: Target): Promise<string> {
  const { host } = target.options;
  const own = `Host: ${host}\r\n`;
  const get = (path: string, more = '') => target.raw(`GET ${path} HTTP/1.1\r\n${own}Connection: close\r\n${more}\r\n`);
  matches(await get('/healthz'), /^HTTP\/1\.1 200 [\s\S]*"status":"live"/, 'the control: /healthz');
  for (const path of PATHS) {
    const answer = await get(path);
    assert(!PROBED.test(answer), `${path} reached a probe: ${answer.slice(0, 200)}`);
    matches(answer, /^HTTP\/1\.1 4\d\d /, path);
  }
  for (const absolute of [`http://${host}/healthz`, 'http://evil.example/healthz', '*', '127.0.0.1:80'])
    matches(await get(absolute), /^HTTP\/1\.1 4\d\d /, `target ${absolute}`);
  matches(await get('/', `X: ${'y'.repeat(100_000)}\r\n`), /^HTTP\/1\.1 431 /, 'a header of 100 KB');
  const second = `GET /readyz HTTP/1.1\r\n${own}\r\n`;
  const pairs: Readonly<Record<string, string>> = {
    'CL and TE': `POST / HTTP/1.1\r\n${own}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
    'two CL': `POST / HTTP/1.1\r\n${own}Content-Length: 0\r\nContent-Length: 5\r\n\r\n${second}`,
    'TE with a blank': `POST / HTTP/1.1\r\n${own}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${second}`,
    'bare LF': `GET / HTTP/1.1\n${own}\n${second}`,
    'folded header': `GET / HTTP/1.1\r\n${own}X: a\r\n b\r\nHost: evil.example\r\n\r\n${second}`,
  };
  for (const [name, bytes] of Object.entries(pairs)) {
    const answer = await target.raw(bytes);
    const answers = answer.match(/HTTP\/1\.[01] \d{3}/g)?.length ?? 0;
    assert(answers <= 1 && !answer.includes('"ready":'), `${name}: a smuggled request was answered`);
    assert(status(answer) === 0 || status(answer) >= 400, `${name}: ${status(answer)}`);
  }
  const doubled = [`${own}${own}`, `${own}Host: evil.example\r\n`, `Host: evil.example\r\n${own}`];
  for (const lines of doubled)
    matches(await target.raw(`GET / HTTP/1.1\r\n${lines}\r\n`), /^HTTP\/1\.[01] 4\d\d /, `Host twice: ${lines}`);
  return `${PATHS.length} paths, ${Object.keys(pairs).length} smuggling pairs`;
}

export const HTTP_CHECKS: readonly Check[] = [
  {
    id: 'D1.9',
    title: 'smuggling pairs, doubled Host, absolute targets, odd paths: 4xx, and never another route',
    quick: true,
    needs: [],
    run,
  },
];
