import ms from 'ms';
import { DAY_MS } from '../core/base/instant.ts';
import type { Failure } from '../system/failure.ts';
import type { ConfigFile } from './schema.ts';

/** What is kept of conversations. `null`: for good, without a bound. */
export interface Retention {
  /** `warn`: nothing is forgotten, and the log says what would be. */
  readonly mode: 'enforce' | 'warn';
  /** How long an ended run keeps its id and what it took. */
  readonly runsMs: number | null;
  /** How long a conversation that was reset keeps its rows. */
  readonly resetsMs: number | null;
  /** How long a session is kept in which nothing changes. */
  readonly idleMs: number | null;
  /** Sessions of one agent. */
  readonly entries: number | null;
  /** Rows of all conversations of one agent. */
  readonly bytes: number | null;
  /** Of one conversation. */
  readonly rows: number | null;
  readonly rowBytes: number | null;
  /** Of everything that came with messages, of all agents. */
  readonly attachmentBytes: number | null;
}

export interface SessionConfig {
  readonly maintenance: Retention;
}

export const RETENTION: Retention = {
  mode: 'enforce',
  runsMs: 30 * DAY_MS,
  resetsMs: 30 * DAY_MS,
  idleMs: null,
  entries: null,
  bytes: null,
  rows: null,
  rowBytes: null,
  attachmentBytes: null,
};

type Bad = (pointer: string, why: string) => Failure;
type Maintenance = NonNullable<NonNullable<ConfigFile['session']>['maintenance']>;
type Name = keyof Maintenance;

const DURATION = /^([1-9]\d{0,8})(m|h|d|w)$/;
const SIZE = /^([1-9]\d{0,8})(kb|mb|gb|tb)$/;
const UNIT: Readonly<Record<string, number>> = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };
/** A bound that is lower than one message is a mistake, and would take away what was said a moment ago. */
const BYTES_MIN = 2 ** 20;
const ROWS_MIN = 10;

/** @throws Failure 78 naming the key */
export function sessionOf({ session = {} }: Pick<ConfigFile, 'session'>, bad: Bad): SessionConfig {
  const said = session.maintenance ?? {};
  const refuse = (name: Name, why: string) => bad(`/session/maintenance/${name}`, why);
  const duration = (name: Name, value: string | false | undefined, usual: number | null) => {
    if (value === undefined || value === false) return value === false ? null : usual;
    if (!DURATION.test(value))
      throw refuse(name, 'must be a duration with its unit ("30d", "12h"), or false: for good');
    return ms(value as ms.StringValue);
  };
  const size = (name: Name, value: string | number | false | undefined) => {
    if (value === undefined || value === false) return null;
    const [, count, unit = ''] = typeof value === 'string' ? (SIZE.exec(value.toLowerCase()) ?? []) : [];
    const bytes = typeof value === 'number' ? value : count === undefined ? null : Number(count) * (UNIT[unit] ?? 0);
    if (bytes === null)
      throw refuse(name, 'must be a number of bytes, a size with its unit ("500mb", "10gb"), or false');
    if (bytes < BYTES_MIN || !Number.isSafeInteger(bytes)) throw refuse(name, 'must be 1mb or more');
    return bytes;
  };
  const count = (name: Name, value: number | false | undefined, min: number) => {
    if (typeof value === 'number' && value < min) throw refuse(name, `must be ${min} or more, or false`);
    return typeof value === 'number' ? value : null;
  };
  return {
    maintenance: {
      mode: said.mode ?? RETENTION.mode,
      runsMs: duration('runRetention', said.runRetention, RETENTION.runsMs),
      resetsMs: duration('resetArchiveRetention', said.resetArchiveRetention, RETENTION.resetsMs),
      idleMs: duration('pruneAfter', said.pruneAfter, RETENTION.idleMs),
      entries: count('maxEntries', said.maxEntries, 1),
      bytes: size('maxDiskBytes', said.maxDiskBytes),
      rows: count('maxTranscriptRows', said.maxTranscriptRows, ROWS_MIN),
      rowBytes: size('maxTranscriptBytes', said.maxTranscriptBytes),
      attachmentBytes: size('maxAttachmentBytes', said.maxAttachmentBytes),
    },
  };
}
