// The raw limit of a device-signed handshake: the upgrade, one Ed25519 verification with a key that was imported once,
// one JSON answer of equal bytes. No challenge, no limits, no identity, no decision.
import { createPublicKey, verify } from 'node:crypto';
import { input, listen } from './listen.ts';

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const { payload, publicKey = '' } = input();
const der = Buffer.concat([SPKI_PREFIX, Buffer.from(publicKey, 'base64url')]);
const key = createPublicKey({ key: der, format: 'der', type: 'spki' });

listen((ws) => {
  ws.on('error', () => {});
  ws.on('message', (data) => {
    const { id, params } = JSON.parse(String(data));
    const { client, device } = params;
    const text = `v3|${device.id}|${client.id}|${client.mode}|${params.role}|${params.scopes.join(',')}|${device.signedAt}||${device.nonce}|${client.platform}|${client.deviceFamily.toLowerCase()}`;
    const isGenuine = verify(null, Buffer.from(text), key, Buffer.from(device.signature, 'base64url'));
    ws.send(JSON.stringify({ type: 'res', id, ok: isGenuine, payload }));
  });
});
