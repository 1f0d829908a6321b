// Answers of a model, token by token: what passing them on costs, and how much later the first one comes.
import type { Gateway } from '../../test/gateway.ts';
import { type Identity, newIdentity } from '../../test/partner/identity.ts';
import type { StreamJob } from '../drive/load.ts';
import { median, quantile } from '../measure.ts';
import type { Place, Server } from '../place.ts';
import type { Row } from '../report.ts';
import { compare, type Pace } from '../round.ts';
import type { Figure } from './figure.ts';
import { pkcs8 } from './handshake.ts';

const STREAMS = 50;
/** At most four runs of one agent are at work at once for one device. */
const AGENTS = Array.from({ length: 13 }, (_, index) => `a${index}`);

interface Shape {
  readonly name: string;
  readonly load: Pick<StreamJob, 'streams' | 'clients' | 'words' | 'paceMs'>;
  /** Answers of one stream in a round. */
  readonly answers: number;
  readonly rounds: number;
  /** Whether the first words come while there is time for them. */
  readonly isPaced: boolean;
}

const SHAPES: readonly Shape[] = [
  {
    name: '1 stream',
    load: { streams: 1, clients: 1, words: 250, paceMs: 0 },
    answers: 20,
    rounds: 5,
    isPaced: true,
  },
  {
    name: `${STREAMS} streams`,
    load: { streams: STREAMS, clients: 1, words: 250, paceMs: 0 },
    answers: 2,
    rounds: 5,
    isPaced: false,
  },
  {
    name: `${STREAMS} streams, 50 tokens a second each`,
    load: { streams: STREAMS, clients: 1, words: 125, paceMs: 20 },
    answers: 2,
    rounds: 3,
    isPaced: true,
  },
  {
    name: `${STREAMS} streams, 20 tokens a second each, ${STREAMS} clients that hear all`,
    load: { streams: STREAMS, clients: STREAMS, words: 60, paceMs: 50 },
    answers: 2,
    rounds: 3,
    isPaced: true,
  },
];

type Side = 'gateway' | 'proxy' | 'relay' | 'library';

interface Sides {
  readonly gateway: Gateway;
  readonly proxy: Server;
  readonly relay: Server;
  readonly library: Server;
  readonly identities: readonly Identity[];
}

/** A gateway that thinks with the model server at `port`, and whose devices may talk to it. */
export async function talking(
  place: Place,
  port: number,
  agents: readonly string[],
  devices: number,
  env: Readonly<Record<string, string>> = {},
) {
  const provider = {
    kind: 'openai-compatible',
    baseUrl: `http://127.0.0.1:${port}/v1`,
    models: [{ id: 'words', contextWindow: 128_000 }],
  };
  const gateway = await place.gateway({
    env,
    config: {
      models: { providers: { bench: provider }, local: { enabled: false } },
      agents: { defaults: { model: 'bench/words' }, list: agents.map((id) => ({ id })) },
    },
  });
  const identities = Array.from({ length: devices }, newIdentity);
  const owner = await gateway.owner();
  for (const { publicKey } of identities) {
    const scopes = ['operator.read', 'operator.write'];
    await owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes });
  }
  owner.end();
  return { gateway, identities };
}

function paces(place: Place, { gateway, proxy, relay, library, identities }: Sides, shape: Shape, isQuick: boolean) {
  const { streams, words } = shape.load;
  const job = { kind: 'stream', ...shape.load, agents: AGENTS, privateKeys: identities.map(pkcs8) } as const;
  const on = ({ pid, port }: { readonly pid: number; readonly port: number }, via: StreamJob['via']) => ({
    pid,
    job: { ...job, port, via },
  });
  const answers = isQuick ? Math.ceil(shape.answers / 2) : shape.answers;
  return compare(
    place,
    {
      gateway: on(gateway, 'gateway'),
      proxy: on(proxy, 'proxy'),
      relay: on(relay, 'relay'),
      library: on(library, 'relay'),
    },
    { rounds: isQuick ? 1 : shape.rounds, operations: streams * answers * words },
  );
}

function cpuRows({ name }: Shape, { gateway, proxy, relay, library }: Record<Side, Pace>): readonly Row[] {
  const cpuUs = ({ perCpuSecond }: Pace) => 1_000_000 / perCpuSecond;
  const row = { value: cpuUs(gateway), unit: 'µs' };
  const figure = `server CPU a token, ${name}`;
  return [
    { ...row, figure: `${figure}, of a proxy`, limit: cpuUs(proxy) },
    { ...row, figure: `${figure}, of a relay`, limit: cpuUs(relay), target: { atMost: 4 } },
    { ...row, figure: `${figure}, of a relay by the library`, limit: cpuUs(library), target: { atMost: 1.5 } },
  ];
}

function firstRows({ name }: Shape, { gateway, proxy, relay }: Record<Side, Pace>): readonly Row[] {
  return (['median', 'p95'] as const).flatMap((what) => {
    const of = ({ firstMs }: Pace) => (what === 'median' ? median(firstMs) : quantile(firstMs, 0.95));
    const row = { value: of(gateway), unit: 'ms' };
    const figure = `first token, ${name}: ${what}`;
    const target = { moreAtMost: what === 'median' ? 10 : 25 };
    return [
      { ...row, figure: `${figure}, of a proxy`, limit: of(proxy), target },
      { ...row, figure: `${figure}, of a relay`, limit: of(relay) },
    ];
  });
}

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const model = await place.model();
  const { gateway, identities } = await talking(place, model.port, AGENTS, STREAMS);
  const proxy = await place.limit('proxy', { modelPort: model.port });
  // Beside the gateway's own database: the same file system, the same disk.
  const relay = await place.limit('relay', { modelPort: model.port, database: place.path('relay.sqlite') });
  const library = await place.limit('library', { modelPort: model.port, database: place.path('library.sqlite') });
  const rows: Row[] = [];
  const counts: string[] = [];
  for (const shape of SHAPES) {
    const found = await paces(place, { gateway, proxy, relay, library, identities }, shape, isQuick);
    rows.push(...cpuRows(shape, found), ...(shape.isPaced ? firstRows(shape, found) : []));
    counts.push(`${shape.name}: ${found.gateway.operations} in ${found.gateway.firstMs.length} answers`);
  }
  for (const server of [gateway, proxy, relay, library, model]) await server.stop();
  return {
    title: 'Streams',
    how: [
      `Server CPU of the tokens of answers from a model server in another process (Chat Completions as server-sent events over HTTP, one write for each token), the driver in a third. Tokens counted a side, in alternating rounds after one to warm up: ${counts.join('; ')}. Where no pace is named, the tokens come as fast as the model server writes them. The streams of a round begin evenly over the length of an answer.`,
      "The gateway is asked by `chat.send` over WebSocket under protocol 4, in sessions of at most eight answers; a client hears `agent` and `chat` events and takes an answer for whole by its `chat` final. It tells what comes within 50 ms in one `agent` event, each with the whole text so far, as OpenClaw's clients expect. Every client that may read hears every run: with several clients a token is told as many times.",
      'Proxy: `node:http` pipes the bytes of the model server to the client, unread and over HTTP. Relay: a `ws` server that commits one small row before it acknowledges the message, parses each token and tells it in an event of its own, without the text so far, to every socket. The relay by the library does the same over the client library with which the gateway speaks to providers: what is left is of the gateway alone. The factors and the milliseconds are aims of our own.',
      'First token: from the request to its first words at the client. The gateway commits twice before it asks the model (the message is accepted; its run begins) and once before it tells the first words, the relay once, the proxy never.',
    ],
    rows,
  };
}

export const stream: Figure = { name: 'streams', measure };
