import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { canonicalAddress, headerFacts, isOwnHost } from '../listen/host.ts';
import { PAGE, pagePolicy } from './page.ts';

/** What a probe may know. Nothing here writes (A6). */
export interface Readiness {
  /** Commands and clients are served. */
  readonly ready: boolean;
  /** The process is past its start, ready or not. */
  readonly started: boolean;
}

export interface HttpOptions {
  readiness(): Readiness;
  /** Further host names under which the gateway is reached: without port, small letters. */
  readonly hosts: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly type: 'application/json; charset=utf-8' | 'text/html; charset=utf-8';
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Said with every answer: browsers are to guess, frame, refer and share nothing. */
const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

function json(status: number, value: unknown, headers?: Record<string, string>): Answer {
  const body = JSON.stringify(value);
  return { status, type: 'application/json; charset=utf-8', body, ...(headers === undefined ? {} : { headers }) };
}

const failure = (status: number, type: string, message: string, headers?: Record<string, string>): Answer =>
  json(status, { error: { message, type } }, headers);

/** Bare, as everybody may ask: PROTOCOL.md §1.2's words without version, uptime or what fails. */
const ROUTES: ReadonlyMap<string, (now: Readiness) => Answer> = new Map(
  Object.entries({
    live: ['/health', '/healthz'],
    ready: ['/ready', '/readyz'],
    startup: ['/startup', '/startupz'],
  }).flatMap(([kind, paths]) => paths.map((path) => [path, (now: Readiness) => probe(kind, now)] as const)),
);

function probe(kind: string, now: Readiness): Answer {
  if (kind === 'live') return json(200, { ok: true, status: 'live' });
  if (kind === 'ready') return json(now.ready ? 200 : 503, { ready: now.ready });
  return now.started
    ? json(200, { ok: true, status: 'started' })
    : json(503, { ok: false, status: 'starting' }, { 'Retry-After': '1' });
}

/**
 * Plain HTTP: the probes, one page, and 404 for everything else. No body is read, no path is decoded: what doesn't
 * stand in the table byte by byte is not there, so no spelling of a path reaches another route (threat 9).
 */
export function httpHandler(options: HttpOptions): RequestListener {
  const page: Answer = {
    status: 200,
    type: 'text/html; charset=utf-8',
    body: PAGE,
    headers: { 'Content-Security-Policy': pagePolicy() },
  };
  return (request, response) => write(request, response, answerTo(request, options, page));
}

function answerTo(request: IncomingMessage, options: HttpOptions, page: Answer): Answer {
  const facts = headerFacts(request);
  if (facts.host === null || facts.repeated.length > 0) {
    return failure(400, 'bad_request', 'one Host, and at most one Origin');
  }
  if (!isOwnHost(facts.host, canonicalAddress(request.socket.localAddress), options.hosts)) {
    return failure(421, 'misdirected', 'not a name of this gateway');
  }
  const target = request.url ?? '';
  // Absolute and authority forms are for proxies, `*` for OPTIONS.
  if (!target.startsWith('/')) return failure(400, 'bad_request', 'the target must be a path');
  const path = target.split('?', 1)[0] ?? '';
  const route = path === '/' ? () => page : ROUTES.get(path);
  if (route === undefined) return failure(404, 'not_found', 'Not Found');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return failure(405, 'method_not_allowed', 'GET and HEAD only', { Allow: 'GET, HEAD' });
  }
  return route(options.readiness());
}

function write(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    ...SECURITY_HEADERS,
    ...answer.headers,
    'Content-Type': answer.type,
    'Content-Length': Buffer.byteLength(answer.body),
    Connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
  // A body that nobody asked for is not read to its end.
  request.resume();
}
