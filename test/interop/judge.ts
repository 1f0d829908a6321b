// How what a command said becomes a verdict: it ended as it should, it shows what only this gateway could have told it,
// and it says none of the words that failures are known by.
import type { Ran } from './openclaw.ts';
import type { Finding } from './verdict.ts';
import { WORKS } from './verdict.ts';

/** What a judge knows about the gateway that the command was about. */
export interface Facts {
  readonly kind: 'latchkey' | 'openclaw';
  readonly port: number;
  /** Of the gateway, as it tells it to clients. */
  readonly version: string;
  readonly token: string;
  readonly homePath: string;
  /** A device that the owner paired beforehand: a list without it is no answer of this gateway. */
  readonly witness: { readonly id: string; readonly name: string } | null;
}

/** `null`, or what is missing in the output to be an answer of this gateway. */
export type Evidence = (said: Said, facts: Facts) => string | null;

/** What a command said, in the forms that evidence is looked for in. */
export interface Said {
  /** Both streams without frames and line breaks, so that a narrow column hides nothing. */
  readonly text: string;
  readonly stdout: string;
  /** The JSON document in `stdout`; `undefined` where there is none. @throws never */
  json(): unknown;
}

const ESCAPE = String.fromCharCode(27);
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;?]*[A-Za-z]`, 'g');
const FRAME = /[\u2500-\u257f\u25c7]/g;

/** Words that OpenClaw's failures of access and reach are known by (OpenClaw's own texts, and Latchkey's). */
const FAILURE = new RegExp(
  [
    'pairing required|device pairing (required|token)|not paired|pending approval|not approved yet',
    'missing scope|scope-limited|scope limited|limited - |connect-only|no operator scope',
    'mismatch|unauthorized|forbidden|device identity|identity required|device (signature|nonce|public key)',
    'token missing|requires credentials|too many failed|origin not allowed',
    'unreachable|not reachable|not running|gateway closed|connect failed|connection failed|no close reason',
    'ECONNREFUSED|ECONNRESET|socket hang up|falling back|config-only',
    'unknown method|\\btimed? ?out\\b|\\btimeout\\b|handshake',
  ].join('|'),
  'i',
);
const LATE = /\btimed? ?out\b|\btimeout\b/i;
const UNKNOWN = /unknown method: ([\w.-]+)/;

/** Sentences that hold such a word and say nothing about access: that the two programs are of different versions. */
const HARMLESS = /(if this mismatch is unexpected|OpenClaw version mismatch)/gi;

/** An installation of this machine without a package that can't be had: nothing about a gateway. */
const CRIPPLED = /Failed to start CLI: file:|does not provide an export named/;

function plain(text: string): string {
  return text.replaceAll(COLOUR, '').replaceAll(FRAME, ' ');
}

export function said(ran: Pick<Ran, 'stdout' | 'stderr'>): Said {
  return {
    text: plain(`${ran.stdout}\n${ran.stderr}`).replaceAll(/\s+/g, ' '),
    stdout: ran.stdout,
    json() {
      const from = ran.stdout.search(/^[[{]/m);
      try {
        return from < 0 ? undefined : JSON.parse(ran.stdout.slice(from));
      } catch {
        return undefined;
      }
    },
  };
}

/** One line without what differs from run to run: addresses, ids, times, measured numbers, places. */
export function steady(line: string, facts: Pick<Facts, 'port' | 'homePath' | 'token'>): string {
  return plain(line)
    .replaceAll(facts.token, 'TOKEN')
    .replaceAll(facts.homePath, '~')
    .replaceAll(/(\/[\w.-]+)+\/lk-\w+/g, 'DIR')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(new RegExp(`\\b${facts.port}\\b`, 'g'), 'PORT')
    .replaceAll(/\b\d+(\.\d+)?( ?ms| ?s)\b/g, 'N$2')
    .replaceAll('|', '/')
    .replaceAll('`', "'")
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 160);
}

/** How a program names its reason, in the words of the three releases. */
const REASON = /\breason: |\berror: |\bunknown |\binvalid |\brefused/i;

/** The line that says it: the first with a word of failure, else the first with a reason, else the last. */
function telling(ran: Pick<Ran, 'stdout' | 'stderr'>, facts: Facts): string {
  const lines = plain(`${ran.stderr}\n${ran.stdout}`)
    .replaceAll(HARMLESS, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const hit = lines.find((line) => FAILURE.test(line));
  if (hit !== undefined) {
    // Of a long line the part from the cell or sentence that holds the word.
    const at = hit.search(FAILURE);
    const from = at > 60 ? hit.indexOf(' ', at - 60) : 0;
    return steady(hit.slice(from, at + 140), facts);
  }
  return steady(lines.find((line) => REASON.test(line)) ?? lines.at(-1) ?? 'nothing at all', facts);
}

export interface Judged {
  readonly finding: Finding;
  /** Its own patience ran out, and nothing else is wrong: that says as much about this machine as about a gateway. */
  readonly isLate: boolean;
}

export interface Expectation {
  readonly evidence: Evidence;
  /** Issues to come make it possible: an unknown method is no failure. */
  readonly later?: boolean;
  /** Its stdout is what others said: only what it says beside that counts as its own words. */
  readonly quotes?: boolean;
  /** What of the output is judged; default: all. */
  readonly part?: (stdout: string) => string;
}

export function judge(whole: Ran, expected: Expectation, facts: Facts): Judged {
  const ran = expected.part === undefined ? whole : { ...whole, stdout: expected.part(whole.stdout) };
  const speech = said(ran);
  const own = expected.quotes === true ? { ...ran, stdout: '' } : ran;
  const text = said(own).text.replaceAll(HARMLESS, '');
  const is = (verdict: Finding['verdict'], says: string): Judged => ({ finding: { verdict, says }, isLate: false });
  if (CRIPPLED.test(text)) return is('not run', "needs a package that this release can't be installed with any more");
  if (whole.timedOut) return { finding: { verdict: 'fails', says: 'did not end' }, isLate: true };
  const unknown = UNKNOWN.exec(text)?.[1];
  if (expected.later === true && unknown !== undefined) return is('not yet', `unknown method: ${unknown}`);
  const hit = FAILURE.exec(text);
  const isLate = hit !== null && LATE.test(hit[0]) && !FAILURE.test(text.replaceAll(new RegExp(LATE, 'gi'), ''));
  if (whole.code !== 0)
    return { finding: { verdict: 'fails', says: `exit ${whole.code}: ${telling(own, facts)}` }, isLate };
  const missing = expected.evidence(speech, facts);
  if (hit !== null)
    return { finding: { verdict: missing === null ? 'degraded' : 'fails', says: telling(own, facts) }, isLate };
  if (missing !== null) return is('fails', steady(`no answer of this gateway: ${missing}`, facts));
  return { finding: WORKS, isLate: false };
}
