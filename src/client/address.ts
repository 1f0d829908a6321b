import { err, ok, type Result } from '../core/base/result.ts';

/** Where a gateway is dialed. Platform-free. */
export interface Address {
  /** Under which it is remembered: scheme, host and port, and a path where there is one. */
  readonly key: string;
  /** What is dialed. */
  readonly url: string;
  /** The `Host` that is sent, and signed (A18). */
  readonly host: string;
  readonly secure: boolean;
  /** Nobody beyond this host is on the way: a parsed address of loopback, or exactly `localhost`; never a prefix. */
  readonly loopback: boolean;
}

/** `wss://gateway.example:18789`, `ws://127.0.0.1:18789`; the error says what is wrong with it, without the text. */
export function parseAddress(text: string): Result<Address, string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) return err('it is no URL such as wss://gateway.example:18789');
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') return err('a gateway is dialed by wss:// or ws://');
  if (url.username !== '' || url.password !== '') return err('a name or password in a URL is not sent');
  if (url.search !== '' || url.hash !== '') return err('nothing may follow its path: a secret there would be logged');
  const path = url.pathname === '/' ? '' : url.pathname;
  const key = `${url.protocol}//${url.host}${path}`;
  return ok({
    key,
    url: key,
    host: url.host,
    secure: url.protocol === 'wss:',
    // The URL standard has parsed and rewritten whatever is a number: what looks like an address here is one.
    loopback: url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname),
  });
}

/** The address with the client's nonce (A18). */
export function withNonce(address: Address, lk: string): string {
  const path = address.url.slice(address.url.indexOf('//') + 2).includes('/') ? '' : '/';
  return `${address.url}${path}?lk=${lk}`;
}
