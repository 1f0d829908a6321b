import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { LLMock } from '@copilotkit/aimock';
import type { Message, Model, Part, Provider, ProviderKind, Step } from '../src/runtime/model/model.ts';
import { remoteModel } from '../src/runtime/model/remote.ts';
import { systemClock } from '../src/system/clock.ts';

/** A made-up key: it must be in no text that anybody is told. */
export const KEY = 'sk-test-4711-never-to-be-seen-anywhere';

export const KINDS = ['openai', 'openai-compatible', 'anthropic', 'google'] as const;
export type Kind = (typeof KINDS)[number];

/** Where each of the four is at a server. */
const PLACES: Readonly<Record<Kind, string>> = {
  openai: '/v1',
  'openai-compatible': '/v1',
  anthropic: '/v1',
  google: '/v1beta',
};

/** A server of models that others wrote, behind a wire on which can be seen when a connection is closed. */
export interface ModelServer {
  readonly mock: LLMock;
  readonly origin: string;
  /** Bytes that the server has sent in answer to the last request. */
  bytes(): number;
  /** Resolves once the client has closed the connection of the last request: true where it did so in the middle of the answer. */
  cut(): Promise<boolean>;
  provider(kind: Kind, more?: Partial<Provider>): Provider;
  model(kind: Kind, more?: { readonly idleMs?: number; readonly firstByteMs?: number }): Model;
  stop(): Promise<void>;
}

interface Line {
  bytes: number;
  ended: boolean;
  readonly closed: Promise<void>;
}

export async function startModelServer(): Promise<ModelServer> {
  const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
  await mock.start();
  const sockets = new Set<Socket>();
  let last: Line = { bytes: 0, ended: false, closed: Promise.resolve() };
  const relay = createServer((client) => {
    const server = connect(mock.port, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    // Not `once`: it takes a write after the end for the end's failure.
    const closed = new Promise<void>((resolve) => client.on('close', () => resolve(void server.destroy())));
    let line: Line = { bytes: 0, ended: false, closed };
    client.on('data', (bytes) => {
      // Each request begins an answer of its own; one that comes in several parts does so several times.
      line = { bytes: 0, ended: false, closed };
      last = line;
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      line.bytes += bytes.length;
      // The last chunk of a chunked answer.
      if (bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n'))) line.ended = true;
      client.write(bytes);
    });
    server.on('close', () => client.destroy());
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const origin = `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const provider: ModelServer['provider'] = (kind, more = {}) => providerAt(`${origin}${PLACES[kind]}`, kind, more);
  return {
    mock,
    origin,
    bytes: () => last.bytes,
    async cut() {
      const { closed } = last;
      await closed;
      return !last.ended;
    },
    provider,
    model: (kind, more = {}) => remoteModel(provider(kind), 'test-model', { clock: systemClock, ...more }),
    async stop() {
      for (const socket of sockets) socket.destroy();
      relay.close();
      await mock.stop();
    },
  };
}

/** A port at which whoever comes is cut off at once. */
export async function startNobody(): Promise<{ readonly port: number; stop(): void }> {
  const server = createServer((socket) => void socket.on('error', () => {}).destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() };
}

export function providerAt(baseUrl: string, kind: ProviderKind, more: Partial<Provider> = {}): Provider {
  return {
    name: 'lab',
    kind,
    baseUrl,
    isLocal: false,
    keyFrom: 'models.providers.lab.apiKey',
    credentials: async () => ({ key: KEY, headers: {} }),
    models: [],
    ...more,
  };
}

export const user = (text: string): Message => ({ role: 'user', content: [{ kind: 'text', text }] });

export function stepOf(text: string, more: Partial<Step> = {}): Step {
  return { system: 'You are a test.', messages: [user(text)], signal: new AbortController().signal, ...more };
}

/** All that a step told, and what it ended with. */
export async function heard(
  parts: AsyncIterable<Part>,
  each: (part: Part) => void = () => {},
): Promise<{ readonly parts: readonly Part[]; readonly text: string; readonly error: unknown }> {
  const all: Part[] = [];
  let error: unknown = null;
  try {
    for await (const part of parts) {
      all.push(part);
      each(part);
    }
  } catch (caught) {
    error = caught;
  }
  return { parts: all, text: all.map((part) => (part.kind === 'text' ? part.delta : '')).join(''), error };
}
