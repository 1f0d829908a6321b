// Looks for secrets in everything that was written, printed or heard.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Peer } from '../partner/peer.ts';

/** How a secret may look where somebody wrote it down: as it is, in a URL, encoded. */
function spellings(secret: string): readonly Buffer[] {
  const bytes = Buffer.from(secret);
  const decoded = /^[A-Za-z0-9_-]{22,}$/.test(secret) ? [Buffer.from(secret, 'base64url')] : [];
  const texts = [
    secret,
    encodeURIComponent(secret),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    ...decoded.flatMap((raw) => [raw.toString('hex'), raw.toString('base64').replace(/=+$/, '')]),
  ];
  return [...new Set(texts)].map((text) => Buffer.from(text)).concat(decoded.filter((raw) => raw.length >= 16));
}

/** Places by name: what is there. */
export type Places = Readonly<Record<string, Buffer>>;

/** `canary name: place` for each place in which a secret is found. */
export function found(secrets: Readonly<Record<string, string>>, places: Places): readonly string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    Object.entries(places).flatMap(([place, content]) =>
      spellings(secret).some((spelling) => content.includes(spelling)) ? [`${name}: ${place}`] : [],
    ),
  );
}

export function files(root: string): Places {
  const all = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    all.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(root, path), readFileSync(path)];
    }),
  );
}

export const heard = (peers: Readonly<Record<string, Peer>>): Places =>
  Object.fromEntries(
    Object.entries(peers).map(([name, peer]) => [`heard by ${name}`, Buffer.from(peer.received.join('\n'))]),
  );
