import { type Address, parseAddress } from '../../client/address.ts';
import { challengeOf, type Distrust, provenKey } from '../../client/challenge.ts';
import { Client } from '../../client/client.ts';
import { type GatewayRecord, NO_RECORD, readRecord } from '../../client/node/credentials.ts';
import { nodeCrypto } from '../../client/node/crypto.ts';
import { type DialFailed, openWebSocket } from '../../client/node/websocket.ts';
import { EXIT, Failure } from '../../system/failure.ts';
import { newNonce } from '../../system/random.ts';
import { type Context, print } from '../context.ts';
import { renderEnd } from '../duration.ts';
import { inWords } from '../reason.ts';
import { otherScheme } from '../remedy.ts';
import { badAddress } from '../remote-credential.ts';
import type { RemoteTarget } from '../remote-target.ts';
import { trustCommand } from '../remote-text.ts';
import { type Door, renderDoor } from './gateway-probe.ts';

/**
 * `latchkey --url URL gateway probe`: the way there, its certificate, and whether it proves the key that is known of it
 * (A18). It goes no further: a `connect` of a key without a grant would leave a request open, so whether this device is
 * let in is only told as far as this host remembers it. Sends no credential, waits for nobody, writes nothing (A6).
 */
export async function probeElsewhere(context: Context, target: RemoteTarget): Promise<number> {
  if (target.url === null) {
    throw new Failure(EXIT.usage, {
      what: 'a setup code is not probed',
      why: 'to look at it would tell nothing of the gateway, and to show it would use it up',
      run: 'latchkey --url wss://HOST:PORT gateway probe',
    });
  }
  const address = parseAddress(target.url);
  if (!address.ok) throw badAddress(target.from, address.error);
  const record = context.exists ? readRecord(context.state.path, address.value.key) : NO_RECORD;
  const tcp = await look(context, target, address.value, record);
  const device = deviceText(context, record);
  const [ok, busy] = [tcp.state === 'ok', tcp.state === 'busy'];
  print(
    context,
    { ok, busy, url: address.value.key, tcp, device },
    () => `${renderDoor(context, tcp)}this device: ${device}\n`,
  );
  return ok ? EXIT.ok : busy ? EXIT.later : EXIT.failed;
}

async function look(context: Context, target: RemoteTarget, address: Address, record: GatewayRecord): Promise<Door> {
  const { clock } = context.host;
  const { timeoutMs } = context;
  const after = (delayMs: number, run: () => void) => clock.after(delayMs, run);
  const beganMs = clock.monotonicMs();
  const where = address.key;
  const lk = newNonce();
  try {
    const tlsFingerprint = target.tlsFingerprint ?? record.tlsFingerprint;
    const { insecure } = target;
    const transport = await openWebSocket({ address, lk, tlsFingerprint, insecure, timeoutMs, after });
    const client = new Client(transport, after);
    try {
      const challenge = await challengeOf(client, after, timeoutMs);
      const tookMs = Math.round(clock.monotonicMs() - beganMs);
      const key = await provenKey(challenge, { lk, host: address.host, pin: record.gatewayKey }, nodeCrypto);
      return { where, state: 'ok', tookMs, ...known(context, where, key, record.gatewayKey) };
    } finally {
      client.close();
    }
  } catch (error) {
    const found = failed(context, address, error);
    return { where, tookMs: null, ...found, detail: inWords(found.detail) };
  }
}

function known(context: Context, url: string, key: string | null, pin: string | null): Pick<Door, 'detail' | 'run'> {
  if (key === null) return { detail: 'sends its challenge and proves no key: no Latchkey, perhaps an OpenClaw' };
  if (pin !== null) return { detail: 'sends its challenge and proves the key that is known of it' };
  const note = `(once you compared it with what the gateway's host shows)`;
  return {
    detail: `sends its challenge and proves the key ${key}; nothing is known of it yet`,
    run: `${trustCommand(context, url, `--key ${key}`)}   ${note}`,
  };
}

/** By name, not by class: bundles have classes of their own. */
function failed(context: Context, address: Address, error: unknown): Pick<Door, 'state' | 'detail' | 'run'> {
  if (!(error instanceof Error)) throw error;
  const there = "on the gateway's host: latchkey gateway probe";
  switch (error.name) {
    case 'NoAnswer':
      return { state: 'busy', detail: 'it accepted the connection and said nothing', run: there };
    case 'ConnectionLost':
      return { state: 'foreign', detail: `it ended the connection: ${error.message}`, run: there };
    case 'Distrust': {
      const { kind, offered } = error as Distrust;
      const note = "(only if the gateway's host shows this key)";
      const run =
        kind === 'changed-key' ? `${trustCommand(context, address.key, `--key ${offered}`)}   ${note}` : there;
      return { state: 'foreign', detail: error.message, run };
    }
    case 'DialFailed':
      return undialed(context, address, error as DialFailed);
    default:
      throw error;
  }
}

function undialed(context: Context, address: Address, error: DialFailed): Pick<Door, 'state' | 'detail' | 'run'> {
  const { kind, message, fingerprint, status } = error;
  const there = "on the gateway's host: latchkey gateway probe";
  switch (kind) {
    case 'unreachable':
      return { state: 'down', detail: message, run: there };
    case 'silent':
      return { state: 'busy', detail: message, run: there };
    case 'certificate':
    case 'changed-certificate': {
      const note = "(only if the gateway's host shows this one)";
      const run = `${trustCommand(context, address.key, `--tls-fingerprint ${fingerprint}`)}   ${note}`;
      return { state: 'foreign', detail: message, run };
    }
    case 'insecure':
      return { state: 'foreign', detail: message, run: `${otherScheme(context, address.key)}   (or add --insecure)` };
    default:
      return {
        state: 'foreign',
        detail: message,
        run: status === null || status === 400 ? otherScheme(context, address.key) : there,
      };
  }
}

/** What this host remembers; only a connect would tell whether it is so still. */
function deviceText(context: Context, { deviceToken, asking }: GatewayRecord): string {
  const now = context.host.clock.now();
  if (deviceToken !== null)
    return `was let in as ${deviceToken.role} the last time; whether it is still is not asked here`;
  if (asking !== null && asking.expiresAtMs > now)
    return `asks to be let in, until ${renderEnd(asking.expiresAtMs, now)}`;
  return 'was never let in, as far as this host knows; any other command asks for it';
}
