import { EXIT, Failure } from '../../system/failure.ts';
import { claimText, escapeText, nearest, shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { failureLines } from '../margin.ts';
import { withGateway, withOwnGateway } from '../reach.ts';
import { remedyText } from '../remedy.ts';
import { isDown } from '../unanswered.ts';
import { isRecord, recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import { changed, viewOf } from './config.ts';
import { isKeyless, isProviderName, isShut, listRemedy, setKey, setModel } from './models-remedy.ts';

type Row = Readonly<Record<string, unknown>>;
type Variables = Readonly<Record<string, readonly string[]>>;

/** Providers that need nothing but their name. */
const WELL_KNOWN = ['openai', 'anthropic', 'google', 'openrouter', 'ollama', 'lmstudio', 'llamacpp', 'offline'];

interface Named {
  /** As it was typed: perhaps an alias. */
  readonly model: string;
  /** `provider/model` */
  readonly full: string;
  readonly provider: string;
}

/** What a gateway says of models; `null`: none runs, or it doesn't say. */
interface Told {
  readonly status: Row;
  readonly rows: readonly Row[];
}

/** `latchkey models set MODEL`: writes agents.defaults.model; where it has fallbacks, its primary. */
export async function modelsSet(context: Context, [model = '']: readonly string[]): Promise<number> {
  const tools = await import('../../config/direct.ts');
  const config = recordOf((await viewOf(context, tools)).config);
  const models = recordOf(config.models);
  const named = await namedBy(context, model, models);
  const path = ['agents', 'defaults', 'model'];
  const now = tools.valueAt(config, path);
  const whole = isRecord(now) ? [...path, 'primary'] : path;
  const exit = await changed(context, whole.join('.'), whole, model, tools);
  const told = await toldBy(context);
  sayWho(context, named, told);
  const declared = recordOf(recordOf(models.providers)[named.provider]);
  const warning =
    told === 'down'
      ? (keylessHere(context, named, declared, tools.VARIABLES) ?? unlisted(context, named, declaredIn(models)))
      : told && warningOf(context, named, told, tools.VARIABLES);
  if (warning !== null)
    context.output.err(`${failureLines(warning.what, warning.why, context.output)}${remedyText(warning.run)}\n`);
  return exit;
}

async function toldBy(context: Context): Promise<Told | 'down' | null> {
  try {
    return await (context.globals.url === undefined ? withOwnGateway : withGateway)(context, async (call) => ({
      status: recordOf(await call('models.status')),
      rows: recordsOf(recordOf(await call('models.list')).models),
    }));
  } catch (error) {
    return isDown(error) ? 'down' : null;
  }
}

/** What agents think with from now on, by its name. */
function sayWho(context: Context, { full }: Named, told: Told | 'down' | null): void {
  if (context.globals.json === true) return;
  const status = told === 'down' || told === null ? {} : told.status;
  const others = textsOf(status.fallbacks);
  const then = others.length === 0 ? '' : `; ${claimText(others.join(', '))} would stand in for it`;
  context.output.out(`agents think with ${claimText(textOf(status.model) ?? full)}${then}\n`);
}

// ---- what is to be known of the choice ----------------------------------------------------------------------------------

interface Warning {
  readonly what: string;
  readonly why: string;
  readonly run: string;
}

/** The choice is written all the same: the key, the server or the model may come later. It is seen at the first message else. */
function warningOf(context: Context, named: Named, { status, rows }: Told, variables: Variables): Warning | null {
  const { provider } = named;
  const row = recordsOf(status.providers).find(({ name }) => name === provider);
  if (row === undefined || !isProviderName(provider)) return null;
  const what = `'${provider}' can't be asked yet`;
  if (isKeyless(row)) {
    const why = textOf(recordOf(row.key).why) ?? missing(provider, variables);
    return { what, why, run: setKey(context, provider) };
  }
  if (isShut(row)) {
    const { failure, why } = recordOf(row.unlisted);
    const refused = failure === 'auth' ? 'its key is refused, or is missing: ' : '';
    return { what, why: `${refused}${textOf(why) ?? '?'}`, run: listRemedy(context, provider, textOf(failure)) };
  }
  return unlisted(context, named, rows);
}

/** Its provider has a list, and it is not in it. */
function unlisted(context: Context, { full, provider }: Named, rows: readonly Row[]): Warning | null {
  const own = rows.filter((row) => row.provider === provider);
  const ids = own.flatMap((row) => (row.listed === false ? [] : (textOf(row.id) ?? [])));
  const id = full.slice(provider.length + 1);
  if (ids.length === 0 || ids.includes(id) || ids.includes(`${id}:latest`)) return null;
  const near = nearest(id, ids);
  const whole = near === null ? null : `${provider}/${near}`;
  return {
    what: `no list of models has '${claimText(full)}'`,
    why: `${whole === null ? '' : `did you mean '${claimText(whole)}'? `}A list may be incomplete, so the choice is written all the same`,
    run: whole === null ? `${context.command} models list --provider ${provider}` : setModel(context, whole),
  };
}

/** A provider may be called as a thing that every object has. */
function variablesOf(provider: string, variables: Variables): readonly string[] {
  return Object.hasOwn(variables, provider) ? (variables[provider] ?? []) : [];
}

function missing(provider: string, variables: Variables): string {
  const names = variablesOf(provider, variables);
  const others = names.length === 0 ? '' : ` or in ${names.join(' or ')} of the gateway's environment`;
  return `it has no key, in models.providers.${provider}.apiKey${others}`;
}

/** No gateway runs: what its environment will hold is likely what this one holds. */
function keylessHere(context: Context, { provider }: Named, declared: Row, variables: Variables): Warning | null {
  const names = variablesOf(provider, variables);
  const has =
    declared.apiKey !== undefined || declared.headers !== undefined || names.some((name) => context.host.env[name]);
  if (has || names.length === 0) return null;
  return {
    what: `'${provider}' can't be asked yet`,
    why: missing(provider, variables),
    run: setKey(context, provider),
  };
}

// ---- names --------------------------------------------------------------------------------------------------------------

/** @throws Failure for a name that leads nowhere */
async function namedBy(context: Context, model: string, models: Row): Promise<Named> {
  const aliases = recordOf(models.aliases);
  const full = Object.hasOwn(aliases, model) ? (textOf(aliases[model]) ?? model) : model;
  const slash = full.indexOf('/');
  if (slash <= 0 || slash === full.length - 1) throw await noModel(context, model, models);
  const provider = full.slice(0, slash);
  const providers = [...new Set([...WELL_KNOWN, ...Object.keys(recordOf(models.providers))])];
  if (full !== model || providers.includes(provider)) return { model, full, provider };
  const near = nearest(provider, providers);
  throw new Failure(EXIT.failed, {
    what: `no provider '${provider}' is set up`,
    why: near === null ? 'models.providers does not name it' : `did you mean '${near}'?`,
    run:
      near === null
        ? `${context.command} models status`
        : `${context.command} models set ${shellWord(near + model.slice(slash))}`,
  });
}

/** A word without a provider: the one that has such a model is meant. */
async function noModel(context: Context, model: string, models: Row): Promise<Failure> {
  const told = await toldBy(context);
  const rows = told === 'down' || told === null ? declaredIn(models) : told.rows;
  const names = rows.flatMap(({ provider, id }) => {
    const [left, right] = [textOf(provider), textOf(id)];
    return left === null || right === null || !isProviderName(left) ? [] : [{ id: right, full: `${left}/${right}` }];
  });
  const [one, ...more] = names.filter(({ id }) => id === model);
  const aliases = Object.keys(recordOf(models.aliases));
  const word = nearest(model, [...aliases, ...names.map(({ id }) => id)]);
  const [likely, ...others] = names.filter(({ id }) => id === word);
  const near = more.length > 0 ? null : (one?.full ?? (others.length > 0 ? null : (likely?.full ?? word)));
  const several = [one, ...more].flatMap((name) => name?.full ?? []).join(', ');
  return new Failure(EXIT.usage, {
    what: `'${model}' is no model`,
    why:
      more.length > 0
        ? `several providers have one: ${claimText(several)}`
        : near === null
          ? 'a model is PROVIDER/MODEL, or one of models.aliases'
          : `did you mean '${claimText(near)}'?`,
    run: near === null ? `${context.command} models list` : meant(context, near, aliases),
  });
}

function meant(context: Context, name: string, aliases: readonly string[]): string {
  return aliases.includes(name)
    ? `${context.command} models set ${shellWord(escapeText(name))}`
    : setModel(context, name);
}

function declaredIn(models: Row): readonly Row[] {
  return Object.entries(recordOf(models.providers)).flatMap(([provider, declared]) =>
    recordsOf(recordOf(declared).models).map(({ id }) => ({ provider, id })),
  );
}
