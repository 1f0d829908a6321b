import { HANDSHAKE_MS } from '../core/protocol/limit.ts';
import type { Path } from './edit.ts';
import { defaultPort } from './load.ts';

const MINUTE_MS = 60_000;

/** What holds where the file says nothing; a key that isn't here has no value of its own then. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  'gateway.mode': 'local',
  'gateway.bind': 'loopback',
  'gateway.handshakeTimeoutMs': HANDSHAKE_MS,
  'gateway.allowedHosts': [],
  'gateway.tls.enabled': false,
  'gateway.tls.autoGenerate': true,
  'gateway.trustedProxies': [],
  'gateway.pairing.ask': 'open',
  'gateway.auth.mode': 'token',
  'gateway.auth.sharedSecretFrom': [],
  'gateway.auth.rateLimit.maxAttempts': 10,
  'gateway.auth.rateLimit.windowMs': MINUTE_MS,
  'gateway.auth.rateLimit.lockoutMs': MINUTE_MS / 2,
  'gateway.controlUi.allowedOrigins': [],
  'discovery.mdns.mode': 'minimal',
  'session.maintenance.mode': 'enforce',
  'session.maintenance.pruneAfter': false,
  'session.maintenance.resetArchiveRetention': '30d',
  'session.maintenance.runRetention': '30d',
  'session.maintenance.maxEntries': false,
  'session.maintenance.maxDiskBytes': false,
  'session.maintenance.maxTranscriptRows': false,
  'session.maintenance.maxTranscriptBytes': false,
  'session.maintenance.maxAttachmentBytes': false,
  'logging.level': 'info',
  'logging.consoleStyle': 'auto',
  'logging.maxFileBytes': 8 * 1024 * 1024,
};

/** The default of one key; `undefined`: it has none, or its default is that of another key. */
export function defaultOf(path: Path, profile: string | null): unknown {
  const key = path.join('.');
  if (key === 'gateway.port') return defaultPort(profile);
  return Object.hasOwn(DEFAULTS, key) ? DEFAULTS[key] : undefined;
}

export const KEYS_WITH_DEFAULT: readonly string[] = ['gateway.port', ...Object.keys(DEFAULTS)];
