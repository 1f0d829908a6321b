import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityFrom } from '../../test/partner/identity.ts';
import { atOnce, type Load, type StreamJob } from './load.ts';
import { type Line, openBare, openLine } from './socket.ts';

const SCOPES = ['operator.read', 'operator.write'];
const WORD_LENGTH = 'words '.length;
/** Answers in one session: a conversation has a past, but not an endless one. */
const ANSWERS_A_SESSION = 8;

/** What a stream waits for. */
interface Listening {
  first(): void;
  end(text: string): void;
  fail(why: string): void;
}

/** One client: a socket that is told of every run, and asks for some of them. */
class Client {
  readonly #line: Line;
  readonly #runs = new Map<string, Listening>();

  constructor(line: Line) {
    this.#line = line;
    line.onEvent = (text) => this.#heard(text);
  }

  /** What isn't this client's is passed over by its id, which stands near the beginning: a client has to look at it. */
  #heard(text: string): void {
    const at = text.indexOf('"runId":"') + 9;
    const listening = this.#runs.get(text.slice(at, text.indexOf('"', at)));
    if (at < 9 || listening === undefined) return;
    const { event, payload } = JSON.parse(text);
    if (event === 'agent' && payload.stream === 'assistant') listening.first();
    if (event !== 'chat') return;
    if (payload.state === 'final') listening.end(payload.message?.content?.[0]?.text ?? '');
    else if (payload.state === 'error' || payload.state === 'aborted') listening.fail(JSON.stringify(payload));
  }

  /** Milliseconds to the first words. @throws Error where the answer is not the one that was asked for */
  async ask(sessionKey: string, runId: string, message: string, length: number): Promise<number> {
    const began = performance.now();
    let firstMs = -1;
    const whole = new Promise<string>((end, fail) => {
      const first = () => {
        if (firstMs < 0) firstMs = performance.now() - began;
      };
      this.#runs.set(runId, { first, end, fail: (why) => fail(new Error(why)) });
    });
    try {
      await this.#line.call('chat.send', { sessionKey, message, idempotencyKey: runId });
      const text = await whole;
      if (firstMs < 0 || text.length !== length) throw new Error(`an answer of ${text.length} characters`);
      return firstMs;
    } finally {
      this.#runs.delete(runId);
    }
  }
}

const agent = new Agent({ keepAlive: true });

/** The same of who is a client of the model server itself, or of who passes its bytes on. */
function askModel(port: number, message: string, words: number): Promise<number> {
  const began = performance.now();
  const body = JSON.stringify({ model: 'words', stream: true, messages: [{ role: 'user', content: message }] });
  return new Promise((done, fail) => {
    const asked = request(
      { host: '127.0.0.1', port, agent, method: 'POST', path: '/v1/chat/completions' },
      (answer) => {
        let firstMs = -1;
        let [rest, told] = ['', 0];
        answer.setEncoding('utf8').on('data', (text: string) => {
          if (firstMs < 0) firstMs = performance.now() - began;
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            if (line.startsWith('data: {') && typeof JSON.parse(line.slice(6)).choices[0].delta.content === 'string')
              told += 1;
          }
        });
        answer.on('end', () => (told === words ? done(firstMs) : fail(new Error(`an answer of ${told} words`))));
        answer.on('error', fail);
      },
    );
    asked.on('error', fail);
    asked.end(body);
  });
}

/** Each operation is a token. A round is so many answers, `streams` at a time, begun evenly over the length of one. */
export function streams(job: StreamJob): Load {
  const { port, via, words, paceMs } = job;
  const message = `say ${words} words, one each ${paceMs} ms`;
  const clients: Client[] = [];
  let [round, answers] = [0, 0];
  /** Answers of each worker, over all rounds: a device begins a bounded number of sessions a day. */
  const asked: number[] = [];

  const open = async (index: number): Promise<Client> => {
    if (via === 'relay') return new Client(await openBare(port));
    const privateKey = job.privateKeys[index % job.privateKeys.length] ?? '';
    return new Client(await openLine(port, identityFrom(privateKey), SCOPES));
  };

  function one(index: number, worker: number): Promise<number> {
    if (via === 'proxy') return askModel(port, message, words);
    const client = clients[worker % clients.length] as Client;
    const nth = asked[worker] ?? 0;
    asked[worker] = nth + 1;
    const place = `bench-${process.pid}-${worker}-${Math.floor(nth / ANSWERS_A_SESSION)}`;
    const key = `agent:${job.agents[worker % job.agents.length]}:${place}`;
    return client.ask(key, `${place}-${round}-${index}`, message, words * WORD_LENGTH);
  }

  return {
    prepare: async (operations) => {
      while (via !== 'proxy' && clients.length < job.clients) clients.push(await open(clients.length));
      answers = operations / words;
      round += 1;
    },
    run: async () => {
      const firstMs: number[] = [];
      const begun = new Set<number>();
      await atOnce(answers, job.streams, async (index, worker) => {
        // Those that were to begin in one instant would wait for one another, and that would be what is measured.
        if (!begun.has(worker)) await sleep((words * paceMs * worker) / job.streams);
        begun.add(worker);
        firstMs.push(await one(index, worker));
      });
      return { answerBytes: 0, firstMs };
    },
  };
}
