import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Failure } from '../system/failure.ts';
import type { Bind } from './bind.ts';
import type { ConfigFile } from './schema.ts';

/** How the gateway is reached from other machines. */
export interface Reach {
  /** `null`: plain `ws` and `http`. */
  readonly tls: {
    /** The owner's certificate and key, absolute; `null`: a self-signed one. */
    readonly files: { readonly certPath: string; readonly keyPath: string } | null;
    /** A self-signed one is made where there is none. */
    readonly autoGenerate: boolean;
  } | null;
  /** Addresses and CIDR ranges whose forwarding headers say where a request came from. */
  readonly trustedProxies: readonly string[];
}

interface ReachContext {
  /** The configuration's file: relative names are looked up beside it. */
  readonly path: string;
  readonly bind: Bind;
  readonly canonical: (address: string) => string;
  readonly bad: (pointer: string, why: string) => Failure;
  readonly warnings: string[];
}

/** @throws Failure 78 naming the key */
export function reachOf(gateway: NonNullable<ConfigFile['gateway']>, context: ReachContext): Reach {
  const tls = tlsOf(gateway.tls, context);
  const { bind, warnings } = context;
  // A tailnet is encrypted by itself.
  if (tls === null && !bind.loopback && bind.spec !== 'tailnet') {
    warnings.push(
      `gateway.bind "${bind.spec}" without gateway.tls: whoever is on the way reads and changes what is said, and latchkey's own clients refuse to connect; set gateway.tls.enabled to true`,
    );
  }
  return {
    tls,
    trustedProxies: (gateway.trustedProxies ?? []).map((entry, i) =>
      proxyOf(entry, context, `/gateway/trustedProxies/${i}`),
    ),
  };
}

function tlsOf(tls: NonNullable<ConfigFile['gateway']>['tls'], context: ReachContext): Reach['tls'] {
  const { certPath, keyPath } = tls ?? {};
  if (tls?.enabled !== true) {
    const [unused] = Object.keys(tls ?? {}).filter((key) => key !== 'enabled');
    if (unused !== undefined) {
      context.warnings.push(`gateway.tls.${unused} is not used: gateway.tls.enabled is not true`);
    }
    return null;
  }
  const missing = certPath === undefined ? 'certPath' : 'keyPath';
  if ((certPath === undefined) !== (keyPath === undefined)) {
    throw context.bad('/gateway/tls', `${missing} is missing: a certificate and its key are named together`);
  }
  const whole = (path: string) =>
    path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(dirname(context.path), path);
  return {
    files:
      certPath === undefined || keyPath === undefined ? null : { certPath: whole(certPath), keyPath: whole(keyPath) },
    autoGenerate: tls.autoGenerate ?? true,
  };
}

function proxyOf(entry: string, { canonical, bad }: ReachContext, pointer: string): string {
  const [address = '', bits, ...more] = entry.split('/');
  const shape = 'must be an IP address, or a range such as 10.0.0.0/24';
  if (isIP(address) === 0 || address.includes('%') || more.length > 0) throw bad(pointer, shape);
  const own = canonical(address);
  if (bits === undefined) return own;
  const most = isIP(own) === 4 ? 32 : 128;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > most) throw bad(pointer, `${shape} (0 < bits <= ${most})`);
  if (Number(bits) === 0) throw bad(pointer, 'everybody would be a proxy: name the addresses of your own');
  return `${own}/${Number(bits)}`;
}
