import type { RemoteError } from '../client/client.ts';
import { shellWord } from '../system/text.ts';

/**
 * What to do about a refusal of a gateway that proved no key: no Latchkey, most likely an OpenClaw. Told from its codes
 * and from what it was shown, never from its texts, which differ from release to release; 2026.2.19 sends no codes.
 */
export interface Foreign {
  readonly url: string;
  /** The id under which this host is known there. */
  readonly deviceId: string;
  /** Where the credential that was given came from, for people; `null`: none was. */
  readonly shown: string | null;
  /** It was shown what is remembered of an earlier hello. */
  readonly remembered: boolean;
}

export interface Advice {
  /** What is the matter, as far as this side can tell; `null`: the gateway's own words are all there is. */
  readonly about: string | null;
  readonly run: string;
}

const THERE = "on the gateway's host: ";
/** Its own `config get` blanks the secret from 2026.3 on. */
const SHOW_TOKEN = 'grep token ~/.openclaw/openclaw.json';
const SHOW_PASSWORD = 'grep password ~/.openclaw/openclaw.json';

/** Its token or password was shown, and is another one. */
export const isOpenClawMismatch = ({ error }: RemoteError): boolean =>
  /^AUTH_(TOKEN|PASSWORD)_MISMATCH$/.test(String(error.details?.code));

/** What to run where a gateway without a key lets nobody in before a person has approved it (A19: by the device). */
export const approveThere = (deviceId: string): string =>
  `${THERE}openclaw devices list --json   (approve what device ${deviceId} asks, nothing else)`;

export function adviceOf(refused: RemoteError, method: string, foreign: Foreign): Advice {
  const { error } = refused;
  if (error.code === 'NOT_PAIRED') return { about: null, run: approveThere(foreign.deviceId) };
  if (method === 'connect' && isAboutCredential(refused)) return ofCredential(refused, foreign);
  const look = method.startsWith('device.') ? 'openclaw devices list' : 'openclaw gateway status';
  return { about: null, run: `${THERE}${look}` };
}

/** By its code; where it sends none, most of what refuses a connect is about the credential. */
function isAboutCredential({ error }: RemoteError): boolean {
  const { code } = error.details ?? {};
  if (typeof code !== 'string') return error.code === 'INVALID_REQUEST';
  return /^AUTH_/.test(code) && code !== 'AUTH_RATE_LIMITED';
}

function ofCredential(refused: RemoteError, { url, shown, remembered }: Foreign): Advice {
  const code = String(refused.error.details?.code ?? '');
  const kind = /PASSWORD/.test(code) ? 'password' : 'token';
  const show = kind === 'password' ? SHOW_PASSWORD : SHOW_TOKEN;
  const perhaps = code === '' ? 'perhaps ' : '';
  if (shown !== null) {
    const about = isOpenClawMismatch(refused) || code === '' ? `${perhaps}${shown} is not this gateway's` : null;
    return { about, run: `${THERE}${show}   (then give that one by ${shown})` };
  }
  const about = remembered
    ? `${perhaps}what this host remembers of it is no longer accepted: rotated, narrowed, revoked or removed there`
    : null;
  const ask = `latchkey --url ${shellWord(url)} --${kind} - status`;
  return { about, run: `${ask}   (it asks for the gateway's ${kind}; on the gateway's host: ${show})` };
}
