import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { ADMIN, READ } from './scope.ts';
import { Instant } from './shape.ts';

const Text = Type.Union([Type.String(), Type.Null()]);

/** A model, as OpenClaw's clients of v3 and v4 read it: v3's know the fields up to `input`. */
const ModelRow = Type.Object({
  /** As its provider calls it: `provider/id` is its whole name. */
  id: Type.String(),
  name: Type.String(),
  provider: Type.String(),
  /** Absent: unknown, as everything else that is. */
  contextWindow: Type.Optional(Type.Integer()),
  reasoning: Type.Optional(Type.Boolean()),
  input: Type.Optional(Type.Array(Type.String())),
  local: Type.Boolean(),
  tags: Type.Array(Type.String()),
  /** There is what it needs to be asked: a key, where it needs one. Whether the key works, a probe tells. */
  available: Type.Boolean(),
  /** Latchkey's own. `false`: only its name was asked for; nobody declared or listed it. */
  listed: Type.Optional(Type.Boolean()),
  /** Latchkey's own. */
  maxTokens: Type.Optional(Type.Integer()),
  /** US dollars for a million tokens. */
  cost: Type.Optional(Type.Object({ input: Type.Number(), output: Type.Number() })),
  /** With `includeDetails`. */
  thinkingLevels: Type.Optional(Type.Array(Type.Object({ id: Type.String(), label: Type.String() }))),
  thinkingDefault: Type.Optional(Type.String()),
});

/** What a server was asked for its models and failed of: `auth`, `network`, `idle`, … */
const Unlisted = { failure: Type.String(), why: Type.String() };

export const modelsList = {
  name: 'models.list',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({ includeDetails: Type.Optional(Type.Boolean()) }),
  output: Type.Object({
    models: Type.Array(ModelRow),
    /** With `includeDetails`: 9.6's TUI shows it. */
    accountSelection: Type.Optional(Type.Object({ kind: Type.String(), label: Type.String() })),
    /** Latchkey's own: providers that were asked for their models and gave none; absent: there is none such. */
    unlisted: Type.Optional(Type.Array(Type.Object({ provider: Type.String(), ...Unlisted }))),
  }),
  errors: [],
  summary:
    'The models that can be asked: of the providers that are set up, of servers on this host, and the built-in one.',
} as const satisfies Method;

const ProviderRow = Type.Object({
  name: Type.String(),
  kind: Type.String(),
  /** Empty: the built-in one is nowhere. */
  baseUrl: Type.String(),
  local: Type.Boolean(),
  /** What made it known: `configuration`, `named` (by a model's name), `environment`, `found`, `built-in`. */
  from: Type.String(),
  /**
   * Where the key is, never the key. `state`: `present`, `missing`, `unneeded`, `unresolved` (it can't be had now: `why`), or
   * `unread` (a program or a keyring has it, which is asked with the first call).
   */
  key: Type.Object({ state: Type.String(), from: Text, why: Text }),
  models: Type.Integer(),
  /** They are those that the configuration declares; absent: those that it lists, or that are known of its vendor. */
  declared: Type.Optional(Type.Boolean()),
  /** It was asked for its models now; absent: it gave them, has no list, or was not asked. */
  unlisted: Type.Optional(Type.Object(Unlisted)),
  /**
   * Its model that would be thought with, if it were named: the server was found on this host, and nobody can tell that it
   * is the gateway's own user's. Absent: it needs no naming, or has no model.
   */
  unnamed: Type.Optional(Type.String()),
});

export const modelsStatus = {
  name: 'models.status',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({}),
  output: Type.Object({
    /** `provider/model`: what agents think with, and why it is this one. */
    model: Type.String(),
    why: Type.String(),
    fallbacks: Type.Array(Type.String()),
    budget: Type.Object({
      tokensPerDay: Type.Union([Type.Integer(), Type.Null()]),
      usdPerDay: Type.Union([Type.Number(), Type.Null()]),
    }),
    /** What each agent with a bound has spent of it today. The default agent, which pays for probes, comes first. */
    spent: Type.Array(
      Type.Object({
        agentId: Type.String(),
        tokens: Type.Integer(),
        /** US dollars, of what has a known price. */
        usd: Type.Number(),
        tokensPerDay: Type.Union([Type.Integer(), Type.Null()]),
        usdPerDay: Type.Union([Type.Number(), Type.Null()]),
        /** The keys of the configuration that say so: its own, or the default. */
        tokensKey: Text,
        usdKey: Text,
      }),
    ),
    /** When the day ends, and in which zone (IANA) it is counted. */
    dayEndsAt: Instant,
    zone: Type.String(),
    aliases: Type.Record(Type.String(), Type.String()),
    providers: Type.Array(ProviderRow),
    /** Names of models that lead nowhere, or that their server does not list; each in one sentence. */
    problems: Type.Array(Type.String()),
    /** What is likely not meant: a model that isn't declared beside others, a wish to think that its model doesn't have. */
    warnings: Type.Array(Type.String()),
  }),
  errors: [],
  summary: 'Which model agents think with and why, which providers are set up, and where their keys come from.',
} as const satisfies Method;

/**
 * It spends the owner's money: so it is not for who may merely talk to an agent. What it takes counts to the day of the
 * default agent, and is bounded by it.
 */
export const modelsProbe = {
  name: 'models.probe',
  scope: ADMIN,
  role: 'operator',
  input: Type.Object({
    /** This one alone; absent: those that agents think with, and one of each other provider that has what it needs. */
    provider: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    /** For each call; 20,000 when absent. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 120_000 })),
  }),
  output: Type.Object({
    probes: Type.Array(
      Type.Object({
        model: Type.String(),
        ok: Type.Boolean(),
        durationMs: Type.Integer(),
        tokens: Type.Union([Type.Integer(), Type.Null()]),
        /** `auth`, `quota`, `rate_limit`, `budget` (it was not called), …; `null`: none. */
        failure: Text,
        why: Text,
      }),
    ),
  }),
  errors: ['not_found', 'probed_often'],
  summary: 'Calls one model of each provider with a few tokens: whether keys work and models answer.',
} as const satisfies Method;
