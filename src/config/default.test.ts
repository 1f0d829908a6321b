import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DAY_MS } from '../core/base/instant.ts';
import { KEYS } from './apply.ts';
import { defaultOf, KEYS_WITH_DEFAULT } from './default.ts';
import { loadConfig } from './load.ts';

/** The keys of what is kept, and what the configuration in force calls them. */
const RETAINED = {
  pruneAfter: 'idleMs',
  resetArchiveRetention: 'resetsMs',
  runRetention: 'runsMs',
  maxEntries: 'entries',
  maxDiskBytes: 'bytes',
  maxTranscriptRows: 'rows',
  maxTranscriptBytes: 'rowBytes',
  maxAttachmentBytes: 'attachmentBytes',
} as const;

const NOWHERE = join(import.meta.dirname, 'no-such-file.json');

test('rule: a default that is shown is the one in force without a file', () => {
  const { gateway, discovery, logging, session } = loadConfig({ path: NOWHERE, profile: null }).config;
  const { maintenance } = session;
  const said = (name: keyof typeof maintenance) => {
    const value = maintenance[name];
    return typeof value === 'number' ? `${value / DAY_MS}d` : (value ?? false);
  };
  const inForce: Record<string, unknown> = {
    'gateway.bind': gateway.bind.addresses.every((a) => a === '127.0.0.1' || a === '::1') ? 'loopback' : null,
    'gateway.tls.enabled': gateway.tls !== null,
    'gateway.auth.rateLimit.lockoutMs': gateway.auth.rateLimit.maxDelayMs,
    'discovery.mdns.mode': discovery.mdns,
    'session.maintenance.mode': maintenance.mode,
    ...Object.fromEntries(Object.entries(RETAINED).map(([key, name]) => [`session.maintenance.${key}`, said(name)])),
    // Only looked at where TLS is on.
    'gateway.tls.autoGenerate': true,
  };
  for (const key of KEYS_WITH_DEFAULT) {
    expect(Object.keys(KEYS), key).toContain(key);
    const found = key
      .split('.')
      .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], { gateway, logging });
    expect(defaultOf(key.split('.'), null), key).toEqual(key in inForce ? inForce[key] : found);
  }
  expect(defaultOf(['gateway', 'port'], 'work')).toBe(
    loadConfig({ path: NOWHERE, profile: 'work' }).config.gateway.port,
  );
});
