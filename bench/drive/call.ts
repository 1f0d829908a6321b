import { identityFrom } from '../../test/partner/identity.ts';
import { atOnce, type CallJob, type Load } from './load.ts';
import { type Line, openBare, openLine } from './socket.ts';

/** Each operation: one call and its answer on a socket that stays open. */
export function calls(job: CallJob): Load {
  const identity = job.privateKey === null ? null : identityFrom(job.privateKey);
  const open = () => (job.connected ? openLine(job.port, identity, job.scopes, job.speech) : openBare(job.port));
  const lines: Line[] = [];
  let operations = 0;
  return {
    prepare: async (count) => {
      while (lines.length < job.sockets) lines.push(await open());
      operations = count;
    },
    run: async () => {
      let bytes = 0;
      await atOnce(operations, lines.length, async (_, worker) => {
        const answer = await (lines[worker] as Line).call(job.method, job.params ?? {});
        bytes += answer;
      });
      return { answerBytes: bytes / operations };
    },
  };
}
