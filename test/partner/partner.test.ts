// The independent client is judged here before it judges anything: by the worked example and by RFC 6455's own examples.
import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { identityFrom, namedIdentity, signature, signedText } from './identity.ts';
import { encodeFrame, openWebSocket, UpgradeRefused, type WebSocketConnection } from './websocket.ts';

describe('the worked example of PROTOCOL.md §3.2', () => {
  const identity = identityFrom('MC4CAQAwBQYDK2VwBCIEIP6RRajqvOzc7M3R4dyTkWvTx/WYoMhsoUzTDbfpO/mk');
  const params = {
    client: { id: 'cli', version: '2026.9.6', platform: 'linux', deviceFamily: 'Linux', mode: 'cli' },
    role: 'operator',
    scopes: ['operator.read'],
    auth: { token: 'throwaway-token-h96' },
  };
  const signing = {
    version: 'v3' as const,
    nonce: 'b93d1e92-12c7-4c8b-bfaf-51da17dce96d',
    signedAt: 1795226139088,
  };

  it('A3 gives the same key, id, text and signature', () => {
    const text = signedText(identity.id, params, signing);
    expect(identity.publicKey).toBe('x_phow91m3gXKDTsdwOKwD_g9dr5BN1FuIZOrOecieA');
    expect(identity.id).toBe('f6033445028e92bbeed9c8358151002eff5c6445bab137cdd13092ac5a9e21af');
    expect(text).toBe(
      'v3|f6033445028e92bbeed9c8358151002eff5c6445bab137cdd13092ac5a9e21af|cli|cli|operator|operator.read|1795226139088|throwaway-token-h96|b93d1e92-12c7-4c8b-bfaf-51da17dce96d|linux|linux',
    );
    expect(signature(identity, text)).toBe(
      'fXnlw9PtG5_AkmUMqpk5_vEByZCbkkbIDCHFmfhSsIAXcSL3v_0u5STT3uZPkzso-jkfbmz31n7f9Vj5bGsdCg',
    );
  });

  it('A3 builds the other texts field by field', () => {
    const at = `${identity.id}|cli|cli|operator|operator.read|1795226139088|throwaway-token-h96`;
    expect(signedText(identity.id, params, { ...signing, version: 'v1' })).toBe(`v1|${at}`);
    expect(signedText(identity.id, params, { ...signing, version: 'v2' })).toBe(`v2|${at}|${signing.nonce}`);
    expect(
      signedText(identity.id, params, {
        ...signing,
        version: 'lk1',
        latchkey: { gatewayKey: 'G', host: '127.0.0.1:1', r: 'R' },
      }),
    ).toBe(`lk1|${at}|${signing.nonce}|G|127.0.0.1:1|R`);
    // Nothing asked, nothing claimed, a password: the fields stay, empty.
    const bare = { client: { id: 'cli', version: '1', platform: 'LINUX ', mode: 'cli' }, auth: { password: 'p' } };
    expect(signedText(identity.id, bare, signing)).toBe(
      `v3|${identity.id}|cli|cli|operator||1795226139088||${signing.nonce}|linux|`,
    );
  });

  it('rule a named identity is the same in every run', () => {
    expect(namedIdentity('A').id).toBe(namedIdentity('A').id);
    expect(namedIdentity('A').id).not.toBe(namedIdentity('B').id);
  });
});

describe('the bare WebSocket', () => {
  let server: Server | undefined;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((done) => (server === undefined ? done(null) : server.close(done)));
    server = undefined;
  });

  /** Accepts one upgrade, then hands the socket over. */
  async function serve(after: (socket: Socket) => void, status = '101 Switching Protocols'): Promise<number> {
    const listener = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.once('data', (head) => {
        const key = /sec-websocket-key: (.*)\r/i.exec(head.toString('latin1'))?.[1];
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        socket.write(`HTTP/1.1 ${status}\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
        after(socket);
      });
    });
    server = listener;
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
    const address = listener.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  function texts(ws: WebSocketConnection, count: number): Promise<string[]> {
    return new Promise((done) => {
      const seen: string[] = [];
      ws.onText = (text) => {
        if (seen.push(text) === count) done(seen);
      };
    });
  }

  it('rule encodes the frames of RFC 6455 §5.7', () => {
    const hello = Buffer.from('Hello');
    expect(encodeFrame(hello, { masked: false }).toString('hex')).toBe('810548656c6c6f');
    expect(encodeFrame(hello, { masked: false, opcode: 9 }).toString('hex')).toBe('890548656c6c6f');
    expect(encodeFrame(hello, { masked: false, fin: false }).toString('hex')).toBe('010548656c6c6f');
    expect(encodeFrame(Buffer.alloc(256), { masked: false, opcode: 2 }).subarray(0, 4).toString('hex')).toBe(
      '827e0100',
    );
    expect(encodeFrame(Buffer.alloc(65_536), { masked: false, opcode: 2 }).subarray(0, 10).toString('hex')).toBe(
      '827f0000000000010000',
    );
    const masked = encodeFrame(hello);
    expect(masked.subarray(0, 2).toString('hex')).toBe('8185');
    const body = masked.subarray(6).map((byte, i) => byte ^ (masked[2 + (i % 4)] ?? 0));
    expect(Buffer.from(body).toString()).toBe('Hello');
    expect(encodeFrame(hello, { masked: false, reserved: 4 })[0]).toBe(0xc1);
  });

  it('rule reads messages in pieces, in one packet and byte by byte, and answers pings', async () => {
    const port = await serve((socket) => {
      const pieces = Buffer.concat([
        encodeFrame(Buffer.from('Hel'), { masked: false, fin: false }),
        encodeFrame(Buffer.from('?'), { masked: false, opcode: 9 }),
        encodeFrame(Buffer.from('lo'), { masked: false, opcode: 0 }),
        encodeFrame(Buffer.alloc(70_000, 'x'), { masked: false }),
      ]);
      for (const byte of pieces.subarray(0, 12)) socket.write(Buffer.from([byte]));
      socket.write(pieces.subarray(12));
    });
    const ws = await openWebSocket({ port });
    const [first, second] = await texts(ws, 2);
    expect(first).toBe('Hello');
    expect(second?.length).toBe(70_000);
    expect(ws.controls.map((c) => c.payload.toString())).toEqual(['?']);
    ws.destroy();
  });

  it('rule reports how it was closed', async () => {
    const close = Buffer.concat([Buffer.from([0x03, 0xf0]), Buffer.from('pairing required')]);
    const port = await serve((socket) => socket.write(encodeFrame(close, { masked: false, opcode: 8 })));
    expect(await (await openWebSocket({ port })).closed).toEqual({ code: 1008, reason: 'pairing required' });
  });

  it('rule tells a refused upgrade from a lost one', async () => {
    const port = await serve((socket) => socket.end('no'), '403 Forbidden');
    const refused = await openWebSocket({ port }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UpgradeRefused);
    expect((refused as UpgradeRefused).status).toBe(403);
  });
});
