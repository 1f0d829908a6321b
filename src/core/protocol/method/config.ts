import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { ADMIN, READ } from './scope.ts';
import { IdempotencyKey, Instant } from './shape.ts';

/** Why the file is not what is in force. */
const ConfigProblem = Type.Object({
  at: Instant,
  what: Type.String(),
  why: Type.String(),
  run: Type.String(),
});

const Keys = Type.Array(Type.String());

export const configGet = {
  name: 'config.get',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({}),
  output: Type.Object({
    path: Type.String(),
    exists: Type.Boolean(),
    /** The file's values as JSON, secrets replaced; its comments may hold secrets, and stay where they are. */
    raw: Type.Union([Type.String(), Type.Null()]),
    parsed: Type.Unknown(),
    /** What 2.19 and 9.6 call the parsed file with what it refers to put in. */
    resolved: Type.Unknown(),
    /** 9.6's names: what the file says, and what is in force until the next start. */
    sourceConfig: Type.Unknown(),
    runtimeConfig: Type.Unknown(),
    configRevisionHash: Type.String(),
    /** Whether the file could be in force. */
    valid: Type.Boolean(),
    config: Type.Unknown(),
    /** Of the file; a later write names it. */
    hash: Type.String(),
    issues: Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
    warnings: Type.Array(Type.Unknown()),
    legacyIssues: Type.Array(Type.Unknown()),
    // ---- Latchkey's own
    /** Keys whose values wait for a restart. */
    pending: Keys,
    problem: Type.Union([ConfigProblem, Type.Null()]),
  }),
  errors: [],
  summary: 'The configuration, without any secret value.',
} as const satisfies Method;

const Change = {
  /** `hash` of the answer of config.get that the change was made for: another file is a conflict. */
  baseHash: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  idempotencyKey: IdempotencyKey,
};

const Changed = Type.Object({
  ok: Type.Literal(true),
  path: Type.String(),
  /** As it stands in the file now, without any secret value. */
  config: Type.Unknown(),
  hash: Type.String(),
  // ---- Latchkey's own
  /** The text is another one than before. */
  changed: Type.Boolean(),
  /** Keys that changed and apply already. */
  live: Keys,
  /** Keys that changed and apply with the next start. */
  restart: Keys,
  /** Keys that changed and don't count, now or with the next start: the gateway's command line says otherwise. */
  beaten: Keys,
  /** All keys that wait for a restart, from earlier changes too. */
  pending: Keys,
  warnings: Type.Array(Type.String()),
});

export const configSet = {
  name: 'config.set',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    /** The whole file, JSON5. Without comments its values are edited into the file, whose own comments stay. */
    raw: Type.String({ maxLength: 524_288 }),
    ...Change,
  }),
  output: Changed,
  errors: ['conflict', 'config_invalid'],
  summary: 'Replaces the configuration: checked before it is written, secrets sent back as they were shown stay.',
} as const satisfies Method;

export const configPatch = {
  name: 'config.patch',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    /** A merge patch, JSON5: null takes a key out, lists are replaced whole. */
    raw: Type.String({ maxLength: 524_288 }),
    ...Change,
  }),
  output: Changed,
  errors: ['conflict', 'config_invalid'],
  summary: 'Changes single keys of the configuration and leaves the rest of the file as it is, comments included.',
} as const satisfies Method;

export const configSchema = {
  name: 'config.schema',
  scope: READ,
  role: 'operator',
  input: Type.Object({}),
  output: Type.Object({
    schema: Type.Unknown(),
    uiHints: Type.Record(Type.String(), Type.Unknown()),
    version: Type.String(),
    generatedAt: Type.String(),
  }),
  errors: [],
  summary: 'The JSON Schema of the configuration.',
} as const satisfies Method;

const ReloadKind = Type.Enum(['restart', 'hot', 'none']);
const Hint = Type.Object({
  label: Type.String(),
  help: Type.Optional(Type.String()),
  sensitive: Type.Optional(Type.Boolean()),
});

export const configSchemaLookup = {
  name: 'config.schema.lookup',
  scope: READ,
  role: 'operator',
  input: Type.Object({
    /** `gateway.auth`; a list's items by number. */
    path: Type.String({ minLength: 1, maxLength: 1_024 }),
  }),
  output: Type.Object({
    path: Type.String(),
    schema: Type.Unknown(),
    /** When a change applies: `hot`, at once. */
    reloadKind: ReloadKind,
    hint: Hint,
    hintPath: Type.String(),
    children: Type.Array(
      Type.Object({
        key: Type.String(),
        path: Type.String(),
        type: Type.Optional(Type.String()),
        required: Type.Boolean(),
        hasChildren: Type.Boolean(),
        reloadKind: ReloadKind,
        hint: Hint,
        hintPath: Type.String(),
      }),
    ),
  }),
  errors: ['not_found'],
  summary: 'What the schema says of one key, and when a change of it applies.',
} as const satisfies Method;
