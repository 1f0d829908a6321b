/** A14: the text that takes a new device to this gateway, and nothing of it to anybody else. */

/** Where the gateway can be dialed, as it knows itself. */
export interface Reach {
  /** The first is the best; empty: not known before it runs. */
  readonly urls: readonly string[];
  /** What named them, for people: `gateway.bind=lan`. */
  readonly source: string;
  /** Devices on other hosts can dial them. */
  readonly beyondHost: boolean;
  /** Lower-case hex SHA-256 of the certificate, where no authority vouches for it. */
  readonly tlsFingerprint: string | null;
}

/** What is in a setup code: OpenClaw's `{url, urls?, bootstrapToken}`, and what a client pins (A18). */
export interface Setup {
  readonly urls: readonly string[];
  /** 128 random bits, base64url. */
  readonly bootstrapToken: string;
  /** base64url of the gateway's raw key. */
  readonly gatewayKey: string;
  readonly tlsFingerprint: string | null;
}

export function setupText({ urls, bootstrapToken, gatewayKey, tlsFingerprint }: Setup): string {
  const value = {
    url: urls[0],
    ...(urls.length > 1 ? { urls } : {}),
    bootstrapToken,
    gatewayKey,
    ...(tlsFingerprint === null ? {} : { tlsFingerprint }),
  };
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** An address that somebody named, as clients dial it; `null` for what is none. */
export function dialable(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  const scheme = { 'ws:': 'ws:', 'http:': 'ws:', 'wss:': 'wss:', 'https:': 'wss:' }[url?.protocol ?? ''];
  if (url === null || scheme === undefined) return null;
  // Whatever stands there would be dialed by somebody else: no name, no secret, nothing but the place.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return null;
  return `${scheme}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
}

/** Nobody beyond this host is on the way. */
export function isOwnHost(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** What a QR code may weigh in OpenClaw's own schema. */
const DATA_URL_MAX = 16_384;
/** Pixels of one module, and modules of white around all of them. */
const SCALE = 4;
const BORDER = 4;

/** The text as a QR code in a PNG data URL; `null` where it is too long for one. */
export async function qrDataUrl(text: string): Promise<string | null> {
  const { qrSquares } = await import('../system/qr.ts');
  const rows = qrSquares(text, BORDER);
  if (rows === null) return null;
  const url = `data:image/png;base64,${png(rows, SCALE).toString('base64')}`;
  return url.length > DATA_URL_MAX ? null : url;
}

/** Black (true) and white as a PNG of one bit a pixel (ISO/IEC 15948). */
export function png(rows: readonly (readonly boolean[])[], scale: number): Buffer {
  const { crc32, deflateSync } = process.getBuiltinModule('node:zlib');
  const size = rows.length * scale;
  const stride = 1 + Math.ceil(size / 8);
  const pixels = Buffer.alloc(stride * size);
  for (let y = 0; y < size; y += 1) {
    const row = rows[Math.floor(y / scale)] ?? [];
    for (let x = 0; x < size; x += 1) {
      // A bit that is set is white.
      if (row[Math.floor(x / scale)] === true) continue;
      const at = y * stride + 1 + (x >> 3);
      pixels[at] = (pixels[at] ?? 0) | (0x80 >> (x & 7));
    }
  }
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const around = Buffer.alloc(8);
    around.writeUInt32BE(data.length, 0);
    around.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([around.subarray(0, 4), body, around.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  // One bit, greyscale.
  head[8] = 1;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
