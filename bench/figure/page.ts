// The end of a conversation, however long it is.
import { join } from 'node:path';
import type { RowBody } from '../../src/core/conversation/row.ts';
import {
  NO_USAGE,
  type SessionId,
  type SessionKey,
  type SessionState,
  sessionKey,
} from '../../src/core/conversation/session.ts';
import { openSqlite } from '../../src/store/sqlite/open.ts';
import type { Store } from '../../src/store/store.ts';
import { newIdentity } from '../../test/partner/identity.ts';
import type { Place } from '../place.ts';
import type { Row } from '../report.ts';
import { compare, type Pace } from '../round.ts';
import type { Figure } from './figure.ts';
import { pkcs8 } from './handshake.ts';

const LENGTHS = [100, 1_000, 10_000] as const;
type Length = (typeof LENGTHS)[number];
const PAGE = 50;
/** About as long as what people and agents say to one another. */
const SAID = 'What was said in this row, in about as many words as an answer in a chat has. '.repeat(6);

function bodyOf(seq: number): RowBody {
  const text = `${seq}: ${SAID}`;
  return seq % 2 === 1
    ? { kind: 'user', text, from: { kind: 'person', name: 'bench' }, attachments: [] }
    : { kind: 'assistant', text, calls: [], model: 'bench/words', usage: NO_USAGE, stop: 'stop' };
}

const keyOf = (length: Length): SessionKey => sessionKey(`rows-${length}`, 'main') as SessionKey;

/** As a conversation comes about: begun without rows, which follow one another. */
async function seed(store: Store, length: Length): Promise<void> {
  const [key, id] = [keyOf(length), `seeded-${length}` as SessionId];
  const at = 1_700_000_000_000;
  const begun: SessionState = {
    key,
    id,
    agent: 'main',
    giver: { kind: 'owner' },
    createdAt: at,
    updatedAt: at,
    settings: {},
    rows: 0,
    compacted: 0,
    usage: NO_USAGE,
    context: 0,
    lastRun: null,
    revision: 1,
  };
  await store.write(async (tx) => {
    await tx.sessions.save(begun, 0);
    for (let seq = 1; seq <= length; seq += 1) {
      await tx.sessions.append(id, { seq, at: at + seq, run: null, body: bodyOf(seq) });
    }
    await tx.sessions.save({ ...begun, rows: length, updatedAt: at + length, revision: 2 }, 1);
  });
}

/** A gateway with a conversation of each length in its store. */
async function gatewayWithRows(place: Place) {
  const first = await place.gateway({ config: { models: { local: { enabled: false } } } });
  const identity = newIdentity();
  const owner = await first.owner();
  await owner.ask('device.pair.ensure', {
    publicKey: identity.publicKey,
    role: 'operator',
    scopes: ['operator.read'],
  });
  await first.halt();
  const store = await openSqlite({
    file: join(first.stateDir, 'state', 'latchkey.sqlite'),
    backupsDir: join(first.stateDir, 'backups'),
    now: () => Date.now(),
    programVersion: 'bench',
  });
  for (const length of LENGTHS) await seed(store, length);
  await store.close();
  return { gateway: await place.gateway({ stateDir: first.stateDir }), identity };
}

const rowsOf = (method: string, [short, middle, long]: readonly Pace[]): readonly Row[] => {
  const cpu = (pace?: Pace) => 1_000_000 / (pace?.perCpuSecond ?? Number.NaN);
  const wall = (pace?: Pace) => 1_000_000 / (pace?.perSecond ?? Number.NaN);
  const target = { target: { atMost: 1.2 } };
  const of = (what: string, unit: (pace?: Pace) => number) => [
    { figure: `${method}: ${what}, 1000 rows, of 100`, value: unit(middle), limit: unit(short), unit: 'µs' },
    {
      figure: `${method}: ${what}, 10000 rows, of 1000`,
      value: unit(long),
      limit: unit(middle),
      unit: 'µs',
      ...target,
    },
  ];
  return [...of('server CPU', cpu), ...of('time to the answer', wall)];
};

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const rounds = isQuick ? 2 : 5;
  const { gateway, identity } = await gatewayWithRows(place);
  const job = { kind: 'call', port: gateway.port, privateKey: pkcs8(identity), sockets: 1, connected: true } as const;
  const asked = [
    {
      method: 'chat.history',
      operations: isQuick ? 200 : 1_000,
      params: (length: Length) => ({ sessionKey: keyOf(length), limit: PAGE }),
    },
    {
      method: 'sessions.preview',
      operations: isQuick ? 500 : 2_000,
      params: (length: Length) => ({ keys: [keyOf(length)] }),
    },
  ];
  const rows: Row[] = [];
  const how: string[] = [];
  for (const { method, operations, params } of asked) {
    const on = (length: Length) => ({ pid: gateway.pid, job: { ...job, method, params: params(length) } });
    const found = await compare(place, { short: on(100), middle: on(1_000), long: on(10_000) }, { rounds, operations });
    const paces = [found.short, found.middle, found.long];
    rows.push(...rowsOf(`\`${method}\``, paces));
    const bytes = paces.map(({ answerBytes }) => Math.round(answerBytes)).join(', ');
    how.push(`\`${method}\`: ${operations * rounds} calls a length; answers of ${bytes} bytes`);
  }
  await gateway.stop();
  return {
    title: 'Pages',
    how: [
      `The last ${PAGE} messages by \`chat.history\`, and the last 12 by \`sessions.preview\`, of conversations of ${LENGTHS.join(', ')} rows in one gateway; rows of about ${SAID.length} characters, written through the store before the gateway starts. ${how.join('; ')}.`,
      `Server CPU and wall time of one call, medians of ${rounds} alternating rounds after one to warm up, on one open socket with one call in flight. There is no raw limit: each length stands beside a tenth of it, and the longest is held to it.`,
    ],
    rows,
  };
}

export const page: Figure = { name: 'pages', measure };
