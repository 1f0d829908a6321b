import { connected, plainParams } from '../../test/partner/client.ts';
import { type Identity, identityFrom, newIdentity } from '../../test/partner/identity.ts';
import { Owner } from '../../test/partner/owner.ts';
import { type ApprovalJob, atOnce, type Load } from './load.ts';
import { type Line, openBare, openLine } from './socket.ts';

const HAS = ['operator.read'];
const ASKS = ['operator.write'];
const DECIDES = ['operator.admin'];

/** Each operation: one `device.pair.approve` of a request that a paired device opened before, and its answer. */
export function approvals(job: ApprovalJob): Load {
  const admin = job.ownerSocket === undefined ? null : identityFrom(job.privateKey);
  const open = () => (admin === null ? openBare(job.port) : openLine(job.port, admin, DECIDES));
  const lines: Line[] = [];
  const devices: Identity[] = [];
  let owner: Owner | null = null;
  let requests: string[] = [];
  let next = 0;

  const ensure = (via: Owner, { publicKey }: Identity) =>
    via.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: HAS });

  async function pair(via: Owner): Promise<void> {
    await atOnce(job.devices - devices.length, 8, async () => {
      const identity = newIdentity();
      await ensure(via, identity);
      devices.push(identity);
    });
  }

  /** The next device asks for more in a session of its own; what an earlier turn gave it was taken back before. */
  async function ask(via: Owner): Promise<string> {
    const identity = devices[next % devices.length] as Identity;
    const isFirst = next < devices.length;
    next += 1;
    if (!isFirst) await ensure(via, identity);
    const { partner } = await connected({ port: job.port }, plainParams({ scopes: HAS }), { identity });
    const { requestId } = await partner.ask('device.scopes.requestUpgrade', { scopes: ASKS });
    partner.end();
    return String(requestId);
  }

  return {
    prepare: async (count) => {
      if (job.ownerSocket !== undefined && owner === null) owner = await Owner.open(job.ownerSocket);
      while (lines.length < job.sockets) lines.push(await open());
      const via = owner;
      if (via !== null) await pair(via);
      requests = [];
      await atOnce(count, 8, async (index) => {
        const id = via === null ? `request-${index}-of-a-limit-00000000` : await ask(via);
        requests.push(id);
      });
    },
    run: async () => {
      let bytes = 0;
      await atOnce(requests.length, job.concurrency, async (index, worker) => {
        const answer = await (lines[worker % lines.length] as Line).call('device.pair.approve', {
          requestId: requests[index],
        });
        bytes += answer;
      });
      return { answerBytes: bytes / requests.length };
    },
  };
}
