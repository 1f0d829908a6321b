import { EXIT, Failure } from '../../system/failure.ts';
import { nearest, shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { isRecord, recordOf } from '../value.ts';
import { changed, viewOf } from './config.ts';

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
  return changed(context, whole.join('.'), whole, model, tools);
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
