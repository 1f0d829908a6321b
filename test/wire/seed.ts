// The devices that the recorded gateways knew: some that ask, some that are paired.
import type { Gateway } from '../gateway.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { asking, once, READ } from '../scenario/act.ts';

export interface PairedDevices {
  /** A new device that asks for `operator.read`, as the recorded ones did. */
  asking(): Promise<{ readonly requestId: string; readonly identity: Identity }>;
  /** Each that asked comes once more, as a device does after a decision. */
  again(): Promise<void>;
  /** A new device that asked for that, was given it and was here since. */
  paired(): Promise<Identity>;
}

/** One that asks and one that is paired and was here: so no list of devices is ever empty. */
export async function devices({ port, owner }: Gateway): Promise<PairedDevices> {
  const approver = await owner();
  const params = asking([READ], { client: { ...asking([]).client, displayName: 'somebody' } as never });
  const asked = new Set<Identity>();
  const all: PairedDevices = {
    asking: async () => {
      const identity = newIdentity();
      const answer = await once({ port }, params, { identity });
      if (answer.ok) throw new Error('connected, though nobody approved it');
      asked.add(identity);
      return { requestId: String(answer.error.details?.requestId), identity };
    },
    again: async () => {
      for (const identity of asked) await once({ port }, params, { identity });
      asked.clear();
    },
    paired: async () => {
      const { requestId, identity } = await all.asking();
      await approver.ask('device.pair.approve', { requestId });
      const answer = await once({ port }, params, { identity });
      if (!answer.ok) throw new Error(`a paired device was refused: ${answer.error.message}`);
      return identity;
    },
  };
  await all.asking();
  await all.paired();
  return all;
}
