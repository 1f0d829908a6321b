import { Partner } from '../../test/partner/client.ts';
import { identityFrom, newIdentity } from '../../test/partner/identity.ts';
import { atOnce, type Load, type PairingJob } from './load.ts';
import { type Line, openLine, readParams } from './socket.ts';

interface Request {
  readonly requestId: string;
  readonly deviceId: string;
}

/** Each operation: one `device.pair.approve` of a key that asked before, and its answer. */
export function pairings(job: PairingJob): Load {
  const admin = job.privateKey === null ? null : identityFrom(job.privateKey);
  let line: Line | null = null;
  let requests: readonly Request[] = [];

  /** A new key asks to read, and is told to wait for a decision. */
  async function ask(): Promise<Request> {
    const identity = newIdentity();
    const partner = await Partner.open({ port: job.port, origin: job.origin });
    const answer = await partner.connect(readParams(job.speech), { identity });
    partner.end();
    const requestId = answer.ok ? undefined : answer.error.details?.requestId;
    if (typeof requestId !== 'string') throw new Error(`a new key became no request: ${JSON.stringify(answer)}`);
    return { requestId, deviceId: identity.id };
  }

  return {
    prepare: async (count) => {
      line ??= await openLine(job.port, admin, job.scopes, job.speech);
      const via = line;
      // So the gateway never lists more than one wave.
      for (const { deviceId } of requests) await via.call('device.pair.remove', { deviceId });
      const made: Request[] = [];
      await atOnce(count, 4, async () => {
        made.push(await ask());
      });
      requests = made;
    },
    run: async () => {
      let bytes = 0;
      await atOnce(requests.length, job.concurrency, async (index) => {
        const answer = await (line as Line).call('device.pair.approve', { requestId: requests[index]?.requestId });
        bytes += answer;
      });
      return { answerBytes: bytes / requests.length };
    },
  };
}
