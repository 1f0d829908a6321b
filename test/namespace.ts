// Two machines on one wire, without a second machine: network namespaces that the test makes itself, a veth pair between
// them, no way to any real network. What runs `inside` one has that one's interfaces alone; files are shared.
import { randomBytes } from 'node:crypto';
import { done, missing, program } from './program.ts';

/** One of the two machines. */
export interface Machine {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  /** The command line that runs another one on this machine. */
  inside(...command: string[]): string[];
}

export interface Wire {
  readonly host: Machine;
  readonly guest: Machine;
  /** Takes the namespaces away; what still runs in them loses its network. */
  remove(): void;
}

/** Why no wire can be made here; `null`: it can. */
export function noWire(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are Linux';
  const absent = missing({ ip: 'iproute2' });
  if (absent !== null) return absent;
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `lk${randomBytes(3).toString('hex')}`;
  try {
    done([ip(), 'netns', 'add', name]);
    done([ip(), '-n', name, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan1']);
    return null;
  } catch (error) {
    return `no network namespace can be made: ${(error as Error).message.trim()}`;
  } finally {
    try {
      done([ip(), 'netns', 'del', name]);
    } catch {
      // It was not made.
    }
  }
}

const ip = () => program('ip') ?? 'ip';

/** @throws Error where `noWire` names a reason */
export function makeWire(): Wire {
  const id = randomBytes(3).toString('hex');
  const machine = (name: string, last: number): Machine => ({
    name,
    address: `10.77.0.${last}`,
    address6: `fd77::${last}`,
    inside: (...command) => [ip(), 'netns', 'exec', name, ...command],
  });
  const host = machine(`lk${id}h`, 1);
  const guest = machine(`lk${id}g`, 2);
  for (const { name } of [host, guest]) done([ip(), 'netns', 'add', name]);
  done([ip(), '-n', host.name, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan0', 'netns', guest.name]);
  for (const { name, address, address6 } of [host, guest]) {
    done([ip(), '-n', name, 'addr', 'add', `${address}/24`, 'dev', 'lan0']);
    done([ip(), '-n', name, 'addr', 'add', `${address6}/64`, 'dev', 'lan0', 'nodad']);
    for (const link of ['lo', 'lan0']) done([ip(), '-n', name, 'link', 'set', link, 'up']);
    done([ip(), '-n', name, 'route', 'add', '224.0.0.0/4', 'dev', 'lan0']);
  }
  return {
    host,
    guest,
    remove() {
      for (const { name } of [host, guest]) done([ip(), 'netns', 'del', name]);
    },
  };
}
