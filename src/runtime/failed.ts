import type { Giver } from '../core/authz/principal.ts';
import { SECOND_MS } from '../core/base/instant.ts';
import type { RunEnd } from '../core/conversation/run.ts';
import type { SessionKey } from '../core/conversation/session.ts';
import { FAILURES, type FailureKind, type ModelFailure } from './model/failure.ts';

export type Failed = Extract<RunEnd, { readonly kind: 'error' }>;

/** Keys that a shell takes as they are. */
const PLAIN = /^[a-z0-9:_@.+-]+$/;

const tail = (key: SessionKey) => `latchkey sessions tail${PLAIN.test(key) ? ` ${key}` : ''}`;
const reset = (key: SessionKey) => (PLAIN.test(key) ? `latchkey sessions reset ${key}` : 'latchkey sessions list');
const probe = () => 'latchkey models status --probe';
const models = () => 'latchkey models list';
/** Of a provider, as the configuration takes it. */
const PROVIDER = /^([a-z0-9][a-z0-9_-]{0,63})\//;
const setKey = (_key: SessionKey, model: string) => {
  const [, provider] = PROVIDER.exec(model) ?? [];
  return provider === undefined ? probe() : `latchkey config set models.providers.${provider}.apiKey -`;
};

/** What a person runs about each failure of a model: a kind that is missing here does not compile. */
const REMEDIES: Readonly<Record<FailureKind, (key: SessionKey, model: string) => string>> = {
  auth: setKey,
  quota: probe,
  rate_limit: probe,
  overloaded: probe,
  server: probe,
  network: probe,
  idle: probe,
  truncated: probe,
  malformed: probe,
  setup: probe,
  not_found: models,
  bad_request: tail,
  context: reset,
  aborted: tail,
  // Where the bound is set; it is another one tomorrow.
  budget: () => 'latchkey config get agents',
};

export function modelFailed(key: SessionKey, { kind, model, why, remedy }: ModelFailure): Failed {
  const text = `${model}: ${FAILURES[kind].what}: ${why}`;
  return { kind: 'error', code: kind, text, remedy: remedy ?? REMEDIES[kind](key, model) };
}

/** It worked for longer than whoever asked for it allowed. @param timeoutMs what that was */
export function timedOut(key: SessionKey, timeoutMs: number): Failed {
  const text = `it was not done in ${timeoutMs / SECOND_MS} s, which is what it was given; what it had said is kept`;
  return { kind: 'error', code: 'timeout', text, remedy: tail(key) };
}

export function filtered(key: SessionKey): Failed {
  return { kind: 'error', code: 'filter', text: 'the provider would not let the model say it', remedy: tail(key) };
}

export function stepless(key: SessionKey, steps: number): Failed {
  const text = `it called tools in ${steps} steps, and came to no answer`;
  return { kind: 'error', code: 'steps', text, remedy: tail(key) };
}

export function agentless(agent: string): Failed {
  const text = `there is no agent '${agent}'`;
  return { kind: 'error', code: 'unknown_agent', text, remedy: 'latchkey agents list' };
}

export function modelless(model: string): Failed {
  return { kind: 'error', code: 'unknown_model', text: `there is no model '${model}'`, remedy: models() };
}

/** A12: when its turn came, its giver was revoked, removed or narrowed, or had come to its end. Who that is stays unsaid (A7). */
export function notAllowed(giver: Giver): Failed {
  const text = 'whoever said it may not talk to agents any more, so it was not said to the agent';
  const remedy =
    giver.kind === 'secret' ? 'latchkey config get gateway.auth.sharedSecretScopes' : 'latchkey devices list';
  return { kind: 'error', code: 'not_allowed', text, remedy };
}

export function broken(): Failed {
  const text = 'the gateway failed; its log says more';
  return { kind: 'error', code: 'internal', text, remedy: 'latchkey logs' };
}

export function conversationless(): Failed {
  const text = 'its conversation is gone';
  return { kind: 'error', code: 'internal', text, remedy: 'latchkey sessions list' };
}
