import { hostname } from 'node:os';
import type { Config } from '../config/load.ts';
import {
  type CertificatePlace,
  certificateWarning,
  LiveCertificate,
  openCertificate,
  readCertificate,
} from '../system/certificate.ts';
import { systemClock as clock } from '../system/clock.ts';
import type { House } from './house.ts';
import { reachOf } from './reach.ts';

/**
 * The certificate that the port speaks with, following its files; `null`: no TLS. `renewed` is told of each next one.
 * @throws Failure 78 or 77
 */
export async function openTls(
  { stateDir, loaded, log }: House,
  renewed: (fingerprint: string) => void,
): Promise<LiveCertificate | null> {
  const { tls } = loaded.config.gateway;
  if (tls === null) return null;
  const place: CertificatePlace = { stateDir, files: tls.files };
  const names = namesOf(loaded.config);
  const isNew = readCertificate(place) === null;
  const certificate = await openCertificate({ ...place, names, autoGenerate: tls.autoGenerate }, clock);
  if (isNew) log.info('tls certificate made', { fingerprint: certificate.fingerprint, names });
  const warning = certificateWarning(certificate, clock.now());
  if (warning !== null) log.warn(warning);
  return new LiveCertificate(certificate, place, clock, (event, why) => {
    if (event === 'renewed') {
      renewed(why);
      log.info('tls certificate renewed', { fingerprint: why });
    } else log.warn('tls certificate not renewed: the files can not be used, and the last good one stays', { why });
  });
}

/**
 * What setup codes pin: the fingerprint of a certificate that vouches for itself; `null`: an authority does, or there is
 * none yet; `undefined`: no TLS.
 */
export function pinOf({ stateDir, loaded }: House, live: LiveCertificate | null): string | null | undefined {
  const { tls } = loaded.config.gateway;
  if (tls === null) return undefined;
  const certificate = live?.current ?? readCertificate({ stateDir, files: tls.files });
  return certificate?.selfIssued === true ? certificate.fingerprint : null;
}

/** What this host is dialed by, as far as it tells others: who reaches the port reads it. */
function namesOf({ gateway }: Config): readonly string[] {
  const host = hostname().toLowerCase();
  const { urls } = reachOf({ addresses: gateway.bind.addresses, port: 1, bind: gateway.bind.spec, fingerprint: null });
  const addresses = urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ''));
  const isName = (name: string) => /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name);
  const allowed = gateway.allowedHosts.map((name) => name.replace(/:\d{1,5}$/, ''));
  const names = [host, host.includes('.') ? host : `${host}.local`, ...allowed].filter(isName);
  return [...new Set(['localhost', ...names, '127.0.0.1', '::1', ...addresses])];
}
