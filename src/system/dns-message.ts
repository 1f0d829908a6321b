/**
 * As much of DNS messages (RFC 1035) as it takes to ask for a service by multicast and to read the answers. Whoever is
 * on the network writes those: every length and every pointer is checked, and the work for one message is bounded.
 */

export const TYPE = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33 } as const;

export interface Question {
  readonly name: string;
  readonly type: number;
}

/** A name is its labels joined by dots; dots and backslashes inside of a label are escaped with a backslash. */
export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly name: string; readonly address: string }
  | { readonly type: 'PTR'; readonly name: string; readonly target: string }
  | { readonly type: 'SRV'; readonly name: string; readonly target: string; readonly port: number }
  | { readonly type: 'TXT'; readonly name: string; readonly texts: readonly string[] };

const RECORDS_MAX = 256;
const TEXTS_MAX = 64;
const NAME_MAX_BYTES = 255;
const INTERNET = 1;
/** The top bit of a class: an answer to the asker alone is welcome, or caches are to be flushed. */
const TOP_BIT = 0x8000;

/** A query whose sender takes answers sent to it alone (RFC 6762 §5.4). */
export function encodeQuery(questions: readonly Question[]): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(questions.length, 4);
  const parts = questions.flatMap(({ name, type }) => {
    const tail = Buffer.alloc(4);
    tail.writeUInt16BE(type, 0);
    tail.writeUInt16BE(INTERNET | TOP_BIT, 2);
    return [encodeName(name), tail];
  });
  return Buffer.concat([head, ...parts]);
}

function encodeName(name: string): Buffer {
  const labels = labelsOf(name).map((label) => {
    const bytes = Buffer.from(label, 'utf8');
    if (bytes.length === 0 || bytes.length > 63) throw new Error('a label has 1 to 63 bytes');
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}

/** The labels of a name, as they are. */
export function labelsOf(name: string): readonly string[] {
  return (name.match(/(?:\\.|[^.\\])+/gs) ?? []).map((label) => label.replace(/\\(.)/gs, '$1'));
}

/** Every record of a response that is read here; `null` for a query, and for what is no DNS message. */
export function decodeResponse(bytes: Buffer): readonly DnsRecord[] | null {
  if (bytes.length < 12 || (bytes.readUInt8(2) & 0x80) === 0) return null;
  try {
    const reader = new Reader(bytes);
    const count = (at: number) => bytes.readUInt16BE(at);
    for (let i = Math.min(count(4), RECORDS_MAX); i > 0; i -= 1) {
      reader.name();
      reader.skip(4);
    }
    const records: DnsRecord[] = [];
    for (let i = Math.min(count(6) + count(8) + count(10), RECORDS_MAX); i > 0; i -= 1) {
      const record = reader.record();
      if (record !== null) records.push(record);
    }
    return records;
  } catch (error) {
    if ((error as Error).name === 'RangeError') return null;
    throw error;
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 12;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(size: number): void {
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError('it breaks off');
  }

  #uint16(): number {
    const value = this.#bytes.readUInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  /** @throws RangeError where it breaks off, is too long, or points anywhere but back */
  name(): string {
    const labels: string[] = [];
    let size = 0;
    let at = this.#at;
    let end: number | null = null;
    for (;;) {
      const length = this.#bytes.readUInt8(at);
      if (length === 0) break;
      if ((length & 0xc0) === 0xc0) {
        const target = this.#bytes.readUInt16BE(at) & 0x3fff;
        end ??= at + 2;
        // Only ever back, so no ring of pointers can be walked.
        if (target >= at) throw new RangeError('a pointer forward');
        at = target;
        continue;
      }
      if (length > 63 || at + 1 + length > this.#bytes.length) throw new RangeError('a label that is too long');
      size += length + 1;
      if (size > NAME_MAX_BYTES) throw new RangeError('a name that is too long');
      labels.push(this.#bytes.toString('utf8', at + 1, at + 1 + length).replace(/[.\\]/g, '\\$&'));
      at += 1 + length;
    }
    this.#at = end ?? at + 1;
    return labels.join('.');
  }

  record(): DnsRecord | null {
    const name = this.name();
    const type = this.#uint16();
    const isInternet = (this.#uint16() & ~TOP_BIT) === INTERNET;
    this.skip(4);
    const size = this.#uint16();
    const from = this.#at;
    this.skip(size);
    const end = this.#at;
    if (!isInternet) return null;
    this.#at = from;
    const record = this.#data(name, type, from, end);
    this.#at = end;
    return record;
  }

  #data(name: string, type: number, from: number, end: number): DnsRecord | null {
    const data = this.#bytes.subarray(from, end);
    switch (type) {
      case TYPE.A:
        return data.length === 4 ? { type: 'A', name, address: [...data].join('.') } : null;
      case TYPE.AAAA:
        return data.length === 16 ? { type: 'AAAA', name, address: sixOf(data) } : null;
      case TYPE.PTR:
        return { type: 'PTR', name, target: this.name() };
      case TYPE.SRV: {
        if (data.length < 7) return null;
        const port = data.readUInt16BE(4);
        this.#at = from + 6;
        return { type: 'SRV', name, target: this.name(), port };
      }
      case TYPE.TXT:
        return { type: 'TXT', name, texts: textsOf(data) };
      default:
        return null;
    }
  }
}

function sixOf(data: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => data.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function textsOf(data: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < data.length && texts.length < TEXTS_MAX; ) {
    const size = data.readUInt8(at);
    texts.push(data.toString('utf8', at + 1, Math.min(at + 1 + size, data.length)));
    at += 1 + size;
  }
  return texts;
}
