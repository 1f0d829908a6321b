// The owner socket (DESIGN.md §3): the same frames, one JSON document a line, no challenge, any request first.
import { connect as dial, type Socket } from 'node:net';
import { Peer } from './peer.ts';

export class Owner extends Peer {
  readonly socket: Socket;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  #rest = '';

  private constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const lines = (this.#rest + chunk).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.take(line);
    });
    socket.on('error', () => {});
    this.closed = new Promise((done) => socket.once('close', () => done()));
  }

  /** @throws Error when the socket can't be opened. */
  static async open(path: string): Promise<Owner> {
    const socket = dial(path);
    await new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail));
    return new Owner(socket);
  }

  protected override sendText(text: string): void {
    this.socket.write(`${text}\n`);
  }

  /** Text as it is, well formed or not. */
  sendRaw(text: string): void {
    this.socket.write(text);
  }

  end(): void {
    this.socket.destroy();
  }
}
