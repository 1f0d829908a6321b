// Clients in the modes of OpenClaw's other programs, what each of them shows, and what the rules make of it. What a
// client says of itself stands apart from what it proves: the rules read the second alone (A2).
import type { Outcome } from './outcome.ts';

/** What a client says of itself: labels, for people. */
export interface Labels {
  readonly id: string;
  readonly mode: string;
  readonly displayName?: string;
  readonly version: string;
  readonly platform: string;
  readonly deviceFamily?: string;
}

/** What a client shows, and from where. */
export interface Proof {
  readonly role: 'operator' | 'node';
  /** In short: `read` for `operator.read`; of a node its commands, as they are. */
  readonly asks: readonly string[];
  /** `new`: a key that nobody knows; `read`: one that holds operator.read; `node`: one that is approved as a node. */
  readonly key: 'none' | 'new' | 'read' | 'node';
  /** Of the gateway's own shared secret, and the field of `auth` that it stands in. */
  readonly secret: 'token' | 'password' | 'wrong token' | 'wrong password' | 'none';
  /** `own`: the gateway's own page; `allowed`: one that the configuration names; `foreign`: any other. */
  readonly origin: 'none' | 'own' | 'allowed' | 'foreign';
}

export interface Row {
  readonly name: string;
  readonly labels: Labels;
  readonly proof: Proof;
  readonly expected: Outcome;
}

/** What OpenClaw's clients ask that ask for all they know. */
const ALL = ['admin', 'read', 'write', 'approvals', 'pairing'];
const SYSTEM: readonly string[] = ['system.run', 'system.which'];

const DIRECT = { role: 'operator', secret: 'token', origin: 'none' } as const;
const KEYLESS = { ...DIRECT, key: 'none' } as const;
const NEW = { ...DIRECT, key: 'new' } as const;

const of = (id: string, mode: string, more: Partial<Labels> = {}): Labels => ({
  id,
  mode,
  version: '2026.9.6',
  platform: 'linux',
  deviceFamily: 'Linux',
  ...more,
});

const CLI = of('cli', 'cli');
const PROBE = of('cli', 'probe', { version: 'dev' });
const BACKEND = of('gateway-client', 'backend', { displayName: 'gateway:health' });
const UI = of('openclaw-control-ui', 'webchat', { version: 'control-ui', platform: 'web' });
const NODE = of('node-host', 'node', { displayName: 'node host' });
const TUI = of('openclaw-tui', 'ui', { displayName: 'openclaw-tui' });
const OLD_TUI = of('gateway-client', 'ui', { displayName: 'openclaw-tui', version: '2026.3.13' });
const IOS = of('openclaw-ios', 'ui', { displayName: 'phone', version: '1.4', platform: 'ios', deviceFamily: 'iPhone' });
const ANDROID = of('openclaw-android', 'ui', { version: '1.4', platform: 'android', deviceFamily: 'Android' });
const MACOS = of('openclaw-macos', 'ui', { version: '1.4', platform: 'macos', deviceFamily: 'Mac' });
const FINGERPRINT = of('fingerprint', 'probe');
const TEST = of('test', 'test', { version: '0' });
const UNKNOWN = of('nobody-has-heard-of-it', 'a mode of its own', { platform: 'plan9', deviceFamily: 'Terminal' });

const row = (name: string, labels: Labels, proof: Proof, expected: Outcome): Row => ({ name, labels, proof, expected });

export const ROWS: readonly Row[] = [
  // Without a device block: the secret is a principal, on a direct socket (A13).
  row('cli/cli without a device, right token', CLI, { ...KEYLESS, asks: ALL }, 'session of the secret'),
  row(
    'cli/cli without a device, the secret as a password',
    CLI,
    { ...KEYLESS, asks: ['read'], secret: 'password' },
    'session of the secret',
  ),
  row(
    'cli/cli without a device, wrong token',
    CLI,
    { ...KEYLESS, asks: ['read'], secret: 'wrong token' },
    'refused, AUTH_TOKEN_MISMATCH',
  ),
  row(
    'cli/cli without a device, wrong password',
    CLI,
    { ...KEYLESS, asks: ['read'], secret: 'wrong password' },
    'refused, AUTH_TOKEN_MISMATCH',
  ),
  row(
    'cli/cli without a device, no token',
    CLI,
    { ...KEYLESS, asks: ['read'], secret: 'none' },
    'refused, DEVICE_IDENTITY_REQUIRED',
  ),
  row('cli/cli without a device, asks nothing', CLI, { ...KEYLESS, asks: [] }, 'session of the secret'),
  row('cli/probe without a device', PROBE, { ...KEYLESS, asks: ['read'] }, 'session of the secret'),
  row('gateway-client/backend without a device', BACKEND, { ...KEYLESS, asks: ['read'] }, 'session of the secret'),
  row('openclaw-tui/ui without a device', TUI, { ...KEYLESS, asks: ALL }, 'session of the secret'),
  // With a key that nobody decided about: the secret pairs it, with all that it is worth (A13).
  row('cli/cli with a new key', CLI, { ...NEW, asks: ['pairing'] }, 'paired by the secret'),
  row('cli/probe with a new key', PROBE, { ...NEW, asks: ['read'] }, 'paired by the secret'),
  row('gateway-client/backend with a new key', BACKEND, { ...NEW, asks: ['read'] }, 'paired by the secret'),
  row('openclaw-tui/ui with a new key', TUI, { ...NEW, asks: ALL }, 'paired by the secret'),
  row('gateway-client/ui with a new key', OLD_TUI, { ...NEW, asks: ['admin'] }, 'paired by the secret'),
  row('fingerprint with a new key', FINGERPRINT, { ...NEW, asks: ['read'] }, 'paired by the secret'),
  row('test/test with a new key', TEST, { ...NEW, asks: ['read'] }, 'paired by the secret'),
  row('an unknown client with a new key', UNKNOWN, { ...NEW, asks: ['read'] }, 'paired by the secret'),
  row(
    'openclaw-macos with a new key, the secret as a password',
    MACOS,
    { ...NEW, asks: ALL, secret: 'password' },
    'paired by the secret',
  ),
  row(
    'cli/cli with a new key, wrong token',
    CLI,
    { ...NEW, asks: ['read'], secret: 'wrong token' },
    'refused, AUTH_TOKEN_MISMATCH',
  ),
  // Without the secret a key may ask (A15).
  row(
    'cli/cli with a new key, no token',
    CLI,
    { ...NEW, asks: ['read'], secret: 'none' },
    'pending, PAIRING_REQUIRED not-paired',
  ),
  row(
    'openclaw-ios with a new key, no token',
    IOS,
    { ...NEW, asks: ['read', 'write'], secret: 'none' },
    'pending, PAIRING_REQUIRED not-paired',
  ),
  row(
    'openclaw-android with a new key, no token',
    ANDROID,
    { ...NEW, asks: ['read', 'write'], secret: 'none' },
    'pending, PAIRING_REQUIRED not-paired',
  ),
  row('openclaw-ios with a new key, right token on loopback', IOS, { ...NEW, asks: ['read'] }, 'paired by the secret'),
  // A granted key connects, whatever it brings and asks (A4).
  row(
    'cli/cli with a key that holds read, no token',
    CLI,
    { ...NEW, key: 'read', asks: ['read'], secret: 'none' },
    'connected by its grant',
  ),
  row(
    'cli/cli with a key that holds read, wrong token',
    CLI,
    { ...NEW, key: 'read', asks: ['read'], secret: 'wrong token' },
    'connected by its grant',
  ),
  row(
    'openclaw-tui/ui with a key that holds read',
    TUI,
    { ...NEW, key: 'read', asks: ALL },
    'connected by its grant, the rest is asked',
  ),
  row(
    'openclaw-ios with a key that holds read, no token',
    IOS,
    { ...NEW, key: 'read', asks: ['read', 'write'], secret: 'none' },
    'connected by its grant, the rest is asked',
  ),
  // A page speaks for somebody else: the secret in it neither opens nor pairs, and an unknown page gets nothing.
  row(
    'Control UI without a device, own Origin',
    UI,
    { ...KEYLESS, asks: ALL, origin: 'own' },
    'refused, DEVICE_IDENTITY_REQUIRED',
  ),
  row(
    'Control UI without a device, allowed Origin',
    UI,
    { ...KEYLESS, asks: ALL, origin: 'allowed' },
    'refused, DEVICE_IDENTITY_REQUIRED',
  ),
  row(
    'Control UI without a device, foreign Origin',
    UI,
    { ...KEYLESS, asks: ALL, origin: 'foreign' },
    'refused, CONTROL_UI_ORIGIN_NOT_ALLOWED',
  ),
  row(
    'Control UI with a new key, own Origin',
    UI,
    { ...NEW, asks: ALL, origin: 'own' },
    'pending, PAIRING_REQUIRED not-paired',
  ),
  row(
    'Control UI with a new key, allowed Origin',
    UI,
    { ...NEW, asks: ALL, origin: 'allowed' },
    'pending, PAIRING_REQUIRED not-paired',
  ),
  row(
    'Control UI with a new key, foreign Origin',
    UI,
    { ...NEW, asks: ALL, origin: 'foreign' },
    'refused, CONTROL_UI_ORIGIN_NOT_ALLOWED',
  ),
  row('Control UI with a new key, no Origin', UI, { ...NEW, asks: ALL }, 'paired by the secret'),
  row(
    'Control UI with a key that holds read, own Origin',
    UI,
    { ...NEW, key: 'read', asks: ALL, origin: 'own', secret: 'none' },
    'connected by its grant, the rest is asked',
  ),
  row(
    'Control UI with a key that holds read, foreign Origin',
    UI,
    { ...NEW, key: 'read', asks: ['read'], origin: 'foreign', secret: 'none' },
    'refused, CONTROL_UI_ORIGIN_NOT_ALLOWED',
  ),
  // The secret pairs operators alone (A13); a node is approved, and then is a node.
  row(
    'node-host/node, first connect',
    NODE,
    { ...NEW, role: 'node', asks: SYSTEM },
    'pending, PAIRING_REQUIRED not-paired',
  ),
  row(
    'node-host/node, without a device',
    NODE,
    { ...KEYLESS, role: 'node', asks: SYSTEM },
    'refused, DEVICE_IDENTITY_REQUIRED',
  ),
  row(
    'node-host/node, after an admin approved it',
    NODE,
    { ...NEW, role: 'node', key: 'node', asks: SYSTEM, secret: 'none' },
    'connected as a node',
  ),
  row(
    'node-host as an operator, its key approved as a node',
    NODE,
    { ...NEW, key: 'node', asks: ['read'], secret: 'none' },
    'pending, PAIRING_REQUIRED role-upgrade',
  ),
];

/** Every combination of labels that a row has, each once. */
export const LABELS: readonly Labels[] = [
  ...new Map(ROWS.map(({ labels }) => [JSON.stringify(labels), labels])).values(),
];
