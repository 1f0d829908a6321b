import { EXIT, Failure } from '../../system/failure.ts';
import { escapeText, nearest, shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { withGateway, withOwnGateway } from '../reach.ts';
import { isDown } from '../unanswered.ts';
import { isRecord, recordOf, recordsOf, textOf } from '../value.ts';
import { changed, viewOf } from './config.ts';
import { isKeyless } from './models-status.ts';

type Row = Readonly<Record<string, unknown>>;
type Variables = Readonly<Record<string, readonly string[]>>;

/** Providers that need nothing but their name. */
const WELL_KNOWN = ['openai', 'anthropic', 'google', 'openrouter', 'ollama', 'lmstudio', 'llamacpp', 'offline'];

/** `latchkey models set MODEL`: writes agents.defaults.model; where it has fallbacks, its primary. */
export async function modelsSet(context: Context, [model = '']: readonly string[]): Promise<number> {
  const tools = await import('../../config/direct.ts');
  const config = recordOf((await viewOf(context, tools)).config);
  checkName(context, model, recordOf(config.models));
  const path = ['agents', 'defaults', 'model'];
  const now = tools.valueAt(config, path);
  const whole = isRecord(now) ? [...path, 'primary'] : path;
  const exit = await changed(context, whole.join('.'), whole, model, tools);
  await warnOfKey(context, model, recordOf(config.models), tools.VARIABLES);
  return exit;
}

/** The choice is written all the same: the key may come later. What it was refused for is seen at the first message else. */
async function warnOfKey(context: Context, model: string, models: Row, variables: Variables): Promise<void> {
  const full = textOf(recordOf(models.aliases)[model]) ?? model;
  const provider = full.slice(0, full.indexOf('/'));
  const why = await keylessBecause(context, provider, recordOf(recordOf(models.providers)[provider]), variables);
  if (why === null || !/^[a-z0-9][a-z0-9_-]{0,63}$/.test(provider)) return;
  const run = `${context.command} config set models.providers.${provider}.apiKey -`;
  context.output.err(`latchkey: '${provider}' can't be asked yet\n  why: ${escapeText(why)}\n  run: ${run}\n`);
}

/** `null`: it has its key, needs none, or nobody can tell. */
async function keylessBecause(
  context: Context,
  provider: string,
  declared: Row,
  variables: Variables,
): Promise<string | null> {
  const names = variables[provider] ?? [];
  const missing = `it has no key, in models.providers.${provider}.apiKey${names.length === 0 ? '' : ` or in ${names.join(' or ')} of the gateway's environment`}`;
  try {
    const status = await (context.globals.url === undefined ? withOwnGateway : withGateway)(context, (call) =>
      call('models.status'),
    );
    const row = recordsOf(recordOf(status).providers).find(({ name }) => name === provider);
    if (row === undefined || !isKeyless(row)) return null;
    return textOf(recordOf(row.key).why) ?? missing;
  } catch (error) {
    if (!isDown(error)) return null;
    // No gateway runs: what its environment will hold is likely what this one holds.
    const has =
      declared.apiKey !== undefined || declared.headers !== undefined || names.some((name) => context.host.env[name]);
    return has || names.length === 0 ? null : missing;
  }
}

/** @throws Failure for a name that leads nowhere */
function checkName(context: Context, model: string, models: Readonly<Record<string, unknown>>): void {
  const aliases = Object.keys(recordOf(models.aliases));
  if (aliases.includes(model)) return;
  const providers = [...new Set([...WELL_KNOWN, ...Object.keys(recordOf(models.providers))])];
  const slash = model.indexOf('/');
  if (slash > 0 && slash < model.length - 1) {
    const provider = model.slice(0, slash);
    if (providers.includes(provider)) return;
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
  const near = nearest(model, aliases);
  throw new Failure(EXIT.usage, {
    what: `'${model}' is no model`,
    why: near === null ? 'a model is PROVIDER/MODEL, or one of models.aliases' : `did you mean '${near}'?`,
    run: `${context.command} models list`,
  });
}
