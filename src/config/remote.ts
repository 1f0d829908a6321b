import type { Failure } from '../system/failure.ts';
import type { ConfigFile } from './schema.ts';

/** `gateway.remote`: the gateway that commands on this host go to with `gateway.mode: "remote"`; its secrets aside. */
export interface Remote {
  readonly url: string | null;
  /** Lower-case hex SHA-256 of its certificate; `null`: an authority vouches for it. */
  readonly tlsFingerprint: string | null;
}

/** @throws Failure 78 naming the key */
export function remoteOf(
  { remote }: NonNullable<ConfigFile['gateway']>,
  bad: (pointer: string, why: string) => Failure,
): Remote {
  const { url = null, tlsFingerprint = null } = remote ?? {};
  const parsed = url !== null && URL.canParse(url) ? new URL(url) : null;
  if (url !== null && (parsed === null || !/^wss?:$/.test(parsed.protocol))) {
    throw bad('/gateway/remote/url', 'must be a URL such as wss://gateway.example.org:18789');
  }
  // Also an empty name: what stands there is shown to whoever may read.
  const hasName = url !== null && /^\w+:[/\\]*[^/\\?#]*@/.test(url.trim());
  if (parsed !== null && (parsed.search !== '' || parsed.hash !== '' || hasName)) {
    throw bad('/gateway/remote/url', 'must end with host, port and path: a secret goes into gateway.remote.token');
  }
  const hex =
    tlsFingerprint
      ?.replace(/^sha256[:/]/i, '')
      .replaceAll(':', '')
      .toLowerCase() ?? null;
  if (hex !== null && !/^[0-9a-f]{64}$/.test(hex)) {
    throw bad('/gateway/remote/tlsFingerprint', "must be the SHA-256 of the gateway's certificate: 64 hex digits");
  }
  return { url, tlsFingerprint: hex };
}
