import { identityFrom } from '../../test/partner/identity.ts';
import { openWebSocket, type WebSocketConnection } from '../../test/partner/websocket.ts';
import { atOnce, type HandshakeJob, type Load } from './load.ts';
import { Line, signedParams } from './socket.ts';

/** The nonce of the challenge, which is the first frame. */
export function challenge(ws: WebSocketConnection): Promise<string> {
  return new Promise((done, fail) => {
    ws.onText = (text) => done(JSON.parse(text).payload.nonce);
    void ws.closed.then(({ code, reason }) => fail(new Error(`closed before the challenge: ${code} ${reason}`)));
  });
}

/** Each operation: dial, upgrade, sign, `connect`, `hello-ok`, gone. */
export function handshakes(job: HandshakeJob): Load {
  const identity = identityFrom(job.privateKey);
  let operations = 0;
  return {
    prepare: async (count) => {
      operations = count;
    },
    run: async () => {
      let bytes = 0;
      await atOnce(operations, job.concurrency, async (index) => {
        const ws = await openWebSocket({ port: job.port });
        const nonce = job.challenged ? await challenge(ws) : `nonce-of-the-client-itself-of-43-characters-${index}`;
        const line = new Line(ws);
        const answer = await line.call('connect', signedParams(identity, nonce, Date.now(), job.speech));
        bytes += answer;
        line.end();
      });
      return { answerBytes: bytes / operations };
    },
  };
}
