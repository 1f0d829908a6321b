import type { EditRefused } from '../../config/edit.ts';
import { EXIT, Failure, isFailure } from '../../system/failure.ts';
import { makeStateDir } from '../../system/state-dir.ts';
import { escapeText, shellWord } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { withGateway, withOwnGateway } from '../reach.ts';
import { aimOf } from '../remote-target.ts';
import { isDown } from '../unanswered.ts';
import { isRecord, recordOf, textOf, textsOf } from '../value.ts';
import { checkItem, listAt } from './config-list.ts';

type Row = Readonly<Record<string, unknown>>;
type Tools = typeof import('../../config/direct.ts');

/** Loaded on use: it reads and writes JSON5 and knows every key. */
const tools = (): Promise<Tools> => import('../../config/direct.ts');

/** The file that the configuration is read from where no gateway says which. */
function loadOf(context: Context, { configPath }: Tools): { readonly path: string; readonly profile: string | null } {
  const { path, from, profile } = context.state;
  return { path: configPath(path, context.host.env, from === '--profile'), profile: profile ?? null };
}

/**
 * `work` with the gateway, or `down` with the file where none runs. The configuration is this host's unless `--url` names
 * another gateway outright: what it says of a remote one must not stand between its owner and itself.
 */
async function either<T>(
  context: Context,
  work: Parameters<typeof withGateway<T>>[1],
  down: () => Promise<T> | T,
): Promise<T> {
  try {
    return await (context.globals.url === undefined ? withOwnGateway : withGateway)(context, work);
  } catch (error) {
    if (!isDown(error)) throw error;
    return down();
  }
}

/** As it stands in the file, without secrets. */
export async function viewOf(context: Context, t: Tools): Promise<Row> {
  return either<Row>(
    context,
    async (call) => ({ running: true, ...recordOf(await call('config.get')) }),
    () => ({ running: false, pending: [], ...t.readConfig(loadOf(context, t)) }),
  );
}

function pathOf(context: Context, text: string, t: Tools) {
  const path = t.parsePath(text);
  if (path !== null) return path;
  throw new Failure(EXIT.usage, {
    what: `'${text}' can't be a key`,
    why: 'keys stand with dots between: gateway.auth.mode, gateway.allowedHosts[0]',
    run: `${context.command} config schema`,
  });
}

// ---- reading ----------------------------------------------------------------------------------------------------------

/** `latchkey config get [PATH]`: a value as it stands in the file; of a secret, where it is and not what it is. */
export async function configGet(context: Context, [name]: readonly string[]): Promise<number> {
  const t = await tools();
  const path = name === undefined ? null : pathOf(context, name, t);
  const view = await viewOf(context, t);
  const file = textOf(view.path) ?? '';
  if (path === null) {
    print(context, { file, value: view.config }, () => `${JSON.stringify(view.config, null, 2)}\n`);
    return EXIT.ok;
  }
  const key = path.join('.');
  const value = t.valueAt(view.config, path);
  if (value === undefined) checkItem(context, path, view.config, null, t);
  if (value === undefined) throw notSet(context, path, file, t);
  const isHidden = t.isSecret(path) && value === t.REDACTED;
  const shown = isHidden ? null : value;
  const text = typeof shown === 'string' ? escapeText(shown) : JSON.stringify(shown, null, 2);
  print(context, { file, key, value: shown, ...(t.isSecret(path) ? { secret: true } : {}) }, () =>
    isHidden ? `a secret, in ${escapeText(file)} (not shown)\n` : `${text}\n`,
  );
  return EXIT.ok;
}

function notSet(context: Context, path: readonly string[], file: string, t: Tools): Failure {
  const key = path.join('.');
  if (t.lookupSchema(path) === null) return noSuchKey(context, path, 'get', t);
  if (t.isSecret(path) && path[1] === 'auth') {
    const why = `${file} doesn't name it: a generated one is in the identity of the gateway, if none is named at all`;
    return new Failure(EXIT.failed, { what: `${key} is not set`, why, run: `${context.command} gateway secret show` });
  }
  const value = t.defaultOf(path, context.state.profile);
  const why = `${file} doesn't name it: its default applies${value === undefined ? '' : `, ${JSON.stringify(value)}`}`;
  return new Failure(EXIT.failed, { what: `${key} is not set`, why, run: `latchkey config schema ${shellWord(key)}` });
}

function noSuchKey(context: Context, path: readonly string[], verb: 'get' | 'unset' | 'schema', t: Tools): Failure {
  const near = t.nearestPath(path);
  const command = verb === 'schema' ? 'latchkey' : context.command;
  return new Failure(EXIT.failed, {
    what: `${path.join('.')} is no key of the configuration`,
    why: near === null ? 'there is no such key' : `there is no such key; did you mean '${near}'?`,
    run: near === null ? 'latchkey config schema' : `${command} config ${verb} ${shellWord(near)}`,
  });
}

/** `latchkey config file`: which file it is. */
export async function configFile(context: Context): Promise<number> {
  const t = await tools();
  const view = await either<Row>(
    context,
    async (call) => recordOf(await call('config.get')),
    async () => {
      const { path } = loadOf(context, t);
      return { path, exists: process.getBuiltinModule('node:fs').existsSync(path) };
    },
  );
  const { path, exists } = view;
  print(context, { path, exists }, () => `${escapeText(textOf(path) ?? '')}\n`);
  return EXIT.ok;
}

/** `latchkey config schema [PATH]`: the JSON Schema of the file, or what it says of one key. */
export async function configSchema(context: Context, [name]: readonly string[]): Promise<number> {
  const t = await tools();
  const path = name === undefined ? null : pathOf(context, name, t);
  const document = path === null ? t.jsonSchema() : withDefault(context, path, t);
  if (document === null) throw noSuchKey(context, path ?? [], 'schema', t);
  context.output.out(`${JSON.stringify(document, null, 2)}\n`);
  return EXIT.ok;
}

function withDefault(context: Context, path: readonly string[], t: Tools) {
  const found = t.lookupSchema(path);
  const value = t.defaultOf(path, context.state.profile);
  return found === null || value === undefined ? found : { ...found, default: value };
}

/** `latchkey config validate`: exit 0 when the file could be in force, 78 with line, key and why when not. */
export async function configValidate(context: Context): Promise<number> {
  const t = await tools();
  const view = await viewOf(context, t);
  const problem = recordOf(view.problem);
  if (view.valid !== true) {
    const isElsewhere = (await aimOf(context)) !== null;
    throw new Failure(EXIT.configuration, {
      what: textOf(problem.what) ?? `${textOf(view.path)} can't be in force`,
      why: textOf(problem.why) ?? 'the gateway refuses it',
      // A16: what a gateway elsewhere would have run here is not repeated.
      run: (isElsewhere ? null : textOf(problem.run)) ?? `${context.command} config schema`,
    });
  }
  const { path, running } = view;
  const pending = textsOf(view.pending);
  const warnings = warningsOf(view.warnings);
  print(context, { valid: true, path, running, pending, warnings }, () => {
    const lines = [
      `${escapeText(textOf(path) ?? '')} is good`,
      ...warnings.map((line) => `  warning  ${escapeText(line)}`),
      ...(pending.length > 0 ? [`  waits for the next start: ${pending.join(', ')}`] : []),
    ];
    return `${lines.join('\n')}\n`;
  });
  return EXIT.ok;
}

function warningsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((row) => (typeof row === 'string' ? row : (textOf(recordOf(row).message) ?? [])));
}

// ---- changing ---------------------------------------------------------------------------------------------------------

/**
 * `latchkey config set PATH VALUE`: VALUE is JSON5, else a plain text; `-` reads it from standard input, so that a secret
 * is in no list of arguments.
 */
export async function configSet(context: Context, [name = '', given = '']: readonly string[]): Promise<number> {
  const t = await tools();
  const path = pathOf(context, name, t);
  const text = given === '-' ? await standardInput() : given;
  const value = t.typedValue(text, path);
  if (value === null) {
    throw new Failure(EXIT.usage, {
      what: `${name} can't be null`,
      why: 'a key that is not to count is taken out',
      run: `${context.command} config unset ${shellWord(name)}`,
    });
  }
  const secrets = secretsIn(path, value, t);
  if (listAt(path, t) !== null) {
    const shown = given === '-' || secrets.length > 0 ? null : given;
    checkItem(context, path, (await viewOf(context, t)).config, shown, t);
  }
  const secret = given === '-' ? undefined : secrets[0];
  if (secret !== undefined) {
    context.output.err(
      `latchkey: other users of this host could read the secret in the list of arguments; better: ${context.command} config set ${shellWord(secret.join('.'))} -\n`,
    );
  }
  return changed(context, name, path, value, t);
}

/** Where a value holds a secret itself, not where one is. */
function secretsIn(path: readonly string[], value: unknown, t: Tools): readonly (readonly string[])[] {
  if (t.isSecret(path)) return typeof value === 'string' ? [path] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => secretsIn([...path, key], inner, t));
}

/** `latchkey config unset PATH`: takes a key out; its default applies. */
export async function configUnset(context: Context, [name = '']: readonly string[]): Promise<number> {
  const t = await tools();
  const path = pathOf(context, name, t);
  // A key that nobody knows may stand in the file all the same: then taking it out is what mends it.
  if (t.lookupSchema(path) === null) {
    const view = await viewOf(context, t).catch(() => null);
    const isThere = view === null || t.valueAt(view.config, path) !== undefined;
    if (!isThere) checkItem(context, path, view.config, null, t);
    if (!isThere) throw noSuchKey(context, path, 'unset', t);
  }
  return changed(context, name, path, undefined, t);
}

/** One key of a provider of models that is not set up yet: what it needs is set in one. `null`: it is something else. */
async function providerWhole(context: Context, path: readonly string[], t: Tools): Promise<string | null> {
  const [first, second, name] = path;
  if (first !== 'models' || second !== 'providers' || name === undefined || path.length < 4) return null;
  const view = await viewOf(context, t).catch(() => null);
  if (view === null || t.isWellKnown(name) || t.valueAt(view.config, [first, second, name]) !== undefined) return null;
  const whole = `'{kind: "openai-compatible", baseUrl: "https://host/v1"}'`;
  return `with its own address: ${context.command} config set ${shellWord(`models.providers.${name}`)} ${whole}`;
}

/** By name: the parts of the program are shipped apart. */
function isRefusedEdit(error: unknown): error is EditRefused {
  return error instanceof Error && error.name === 'EditRefused';
}

/** A value that is refused: what the key takes is said by its schema, on this host too. */
async function accepted<T>(context: Context, path: readonly string[], t: Tools, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isRefusedEdit(error)) {
      const run = `${context.command} config get ${shellWord(t.spelledPath(error.path))}`.replace(/ ''$/, '');
      const what = `${t.spelledPath(path)} can't be set`;
      throw new Failure(EXIT.configuration, { what, why: `${t.spelledPath(error.path)}: ${error.why}`, run });
    }
    if (!isFailure(error)) throw error;
    const { what, why, exitCode, cause } = error;
    const refusal = isRecord(cause) ? cause.refusal : null;
    if (refusal === 'config_beyond') {
      throw new Failure(exitCode, { what, why, run: "on the gateway's host: latchkey config file" }, { cause });
    }
    const isValue = refusal === 'config_invalid' || isFailure(cause);
    if (!isValue || exitCode !== EXIT.configuration) throw error;
    const known = path.map((_, i) => path.slice(0, path.length - i)).find((part) => t.lookupSchema(part) !== null);
    const key = known === undefined ? (t.nearestPath(path) ?? '') : known.join('.');
    const run =
      (await providerWhole(context, path, t)) ?? `latchkey config schema ${shellWord(key)}`.replace(/ ''$/, '');
    throw new Failure(exitCode, { what, why, run });
  }
}

/** Sets one key of the configuration, or takes it out (`undefined`), and says when it applies. */
export async function changed(
  context: Context,
  name: string,
  path: readonly string[],
  value: unknown,
  t: Tools,
): Promise<number> {
  const work = either<Row>(
    context,
    async (call) => {
      const patch = await patchOf(() => call('config.get'), path, value, t);
      return { running: true, ...recordOf(await call('config.patch', patch)) };
    },
    async () => {
      const load = loadOf(context, t);
      makeStateDir(context.state.path);
      if (!context.exists) context.output.err(`latchkey: made ${shellWord(context.state.path)}: there was none\n`);
      const wait = (delayMs: number) => new Promise<void>((done) => void context.host.clock.after(delayMs, done));
      const written = await t.changeConfig(load, wait, path, value);
      const { warnings } = written.loaded;
      return { running: false, path: load.path, changed: written.changed, live: [], restart: written.keys, warnings };
    },
  );
  const answer = await accepted(context, path, t, work);
  const { running } = answer;
  const file = escapeText(textOf(answer.path) ?? '');
  const [live, restart, pending] = [textsOf(answer.live), textsOf(answer.restart), textsOf(answer.pending)];
  const beaten = textsOf(answer.beaten);
  const warnings = warningsOf(answer.warnings);
  const document = {
    ok: true,
    file,
    key: name,
    changed: answer.changed === true,
    running,
    live,
    restart,
    beaten,
    pending,
    warnings,
  };
  print(context, document, () => {
    const verb = value === undefined ? 'taken out of' : 'set in';
    const same = value === undefined ? `${escapeText(name)} is not set in ${file}` : `${file} says so already`;
    const what = answer.changed === true ? `${escapeText(name)} is ${verb} ${file}` : same;
    const when =
      answer.changed !== true
        ? []
        : running !== true
          ? ['  no gateway runs; it applies with the next start']
          : restart.length > 0
            ? [`  applies with the next start of the gateway: ${restart.join(', ')}`]
            : beaten.length > 0
              ? [`  does not count as long as the gateway's command line says otherwise: ${beaten.join(', ')}`]
              : ['  applies now'];
    return `${[what, ...when, ...warnings.map((line) => `  warning  ${escapeText(line)}`)].join('\n')}\n`;
  });
  return EXIT.ok;
}

/** The params of `config.patch`. What a patch can't say by itself is made of what stands there, and of nothing else. */
async function patchOf(
  get: () => Promise<unknown>,
  path: readonly string[],
  value: unknown,
  t: Tools,
): Promise<Readonly<Record<string, unknown>>> {
  const isPlain = typeof value !== 'object' && path.every((part) => !/^\d+$/.test(part));
  if (isPlain || (Array.isArray(value) && path.every((part) => !/^\d+$/.test(part)))) {
    const raw = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value === undefined ? null : value);
    return { raw: JSON.stringify(raw) };
  }
  const view = recordOf(await get());
  const patch = t.patchBetween(view.config, t.withValue(view.config, path, value));
  return { raw: JSON.stringify(patch), baseHash: view.hash };
}

/** All of it, without the line's end. */
async function standardInput(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const part of process.stdin) text += part;
  return text.replace(/\r?\n$/, '');
}
