import { giverOf } from '../../core/authz/principal.ts';
import { type Role, type Scope, scopeSet } from '../../core/authz/scope.ts';
import type { CodeState } from '../../core/authz/state.ts';
import { PROFILES, USUAL } from '../../core/protocol/method/code.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { dialable, isOwnHost, qrDataUrl, type Reach, setupText } from '../setup.ts';
import { byOf } from '../tidings.ts';
import { type Context, Denied, WrongParams } from './handler.ts';

/** A14: the code is in this one answer and nowhere else. */
export async function makeCode(
  c: Context,
  input: MethodInput<'device.code.create'>,
): Promise<MethodOutput<'device.code.create'>> {
  const role = input.role ?? (c.principal.kind === 'device' ? c.principal.role : 'operator');
  const reach = reachOf(c, input.publicUrl);
  const { code, state } = await made(c, role, input.scopes ?? (role === 'operator' ? USUAL : []));
  return { code, role, scopes: state.scopes, expiresAtMs: state.expiresAt, ...placeOf(c, code, reach) };
}

export async function setupCode(
  c: Context,
  input: MethodInput<'device.pair.setupCode'>,
): Promise<MethodOutput<'device.pair.setupCode'>> {
  const reach = reachOf(c, input.publicUrl);
  const [url = ''] = reach.urls;
  // Who reads along could use it first: then it opens no door that decides about others.
  const isInClear = !url.startsWith('wss:') && !isOwnHost(url);
  const profile = PROFILES[input.bootstrapProfile ?? (isInClear ? 'limited' : 'full')];
  const { code, state } = await made(c, profile.role, profile.scopes);
  const place = placeOf(c, code, reach);
  const qr = input.includeQr === false ? null : await qrDataUrl(place.setupCode);
  return {
    ...place,
    ...(qr === null ? {} : { qrDataUrl: qr }),
    auth: c.services.facts().authMode,
    access: profile.access,
    ...(isInClear && input.bootstrapProfile === undefined ? { accessDowngraded: true } : {}),
    role: profile.role,
    scopes: state.scopes,
    expiresAtMs: state.expiresAt,
  };
}

async function made(
  c: Context,
  role: Role,
  scopes: readonly Scope[],
): Promise<{ readonly code: string; readonly state: CodeState }> {
  const code = c.services.freshCode();
  const { authority, keys } = c.services;
  const state = await authority.makeCode(c.principal, keys.codeId(code), role, scopeSet(scopes));
  if (!state.ok) throw new Denied(state.error, 'scopes');
  c.services.note('setup code made', { by: byOf(giverOf(c.principal)), role, scopes: state.value.scopes });
  return { code, state: state.value };
}

function reachOf(c: Context, publicUrl: string | undefined): Reach {
  const own = c.services.reach();
  if (publicUrl === undefined) {
    if (own.urls.length > 0) return own;
    throw new WrongParams('at /publicUrl: the port is not known before the gateway runs: name the address');
  }
  const url = dialable(publicUrl);
  if (url === null) throw new WrongParams('at /publicUrl: must be an address such as wss://gateway.example:18789');
  // Behind another name stands perhaps another certificate, a proxy's: only the gateway's own is pinned.
  const { tlsFingerprint } = own.urls.includes(url) ? own : { tlsFingerprint: null };
  return { urls: [url], source: 'publicUrl', beyondHost: !isOwnHost(url), tlsFingerprint };
}

function placeOf(c: Context, code: string, reach: Reach) {
  const { urls, source, beyondHost, tlsFingerprint } = reach;
  const [gatewayUrl = ''] = urls;
  const { gatewayKey } = c.services.keys;
  return {
    setupCode: setupText({ urls, bootstrapToken: code, gatewayKey, tlsFingerprint }),
    gatewayUrl,
    ...(urls.length > 1 ? { gatewayUrls: urls } : {}),
    urlSource: source,
    beyondHost,
    encrypted: gatewayUrl.startsWith('wss:'),
  };
}
