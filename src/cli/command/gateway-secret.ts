import { EXIT, Failure } from '../../system/failure.ts';
import { identityPath, readGatewayIdentity } from '../../system/identity.ts';
import { type Context, print } from '../context.ts';
import { callGateway } from '../reach.ts';
import { aimOf } from '../remote-target.ts';
import { renderRotated } from './rotated.ts';

/** `latchkey gateway secret show`: the secret alone on standard output. Reads files only; works with no gateway running. */
export async function secretShow(context: Context): Promise<number> {
  const target = await aimOf(context);
  if (target !== null) {
    throw new Failure(EXIT.usage, {
      what: "gateway secret show prints this host's own secret",
      why: `${target.from} names another gateway, whose secret is not here`,
      run: "on the gateway's host: latchkey gateway secret show",
    });
  }
  const { configPath, loadConfig, secretOf } = await import('../../config/load.ts');
  const { path: stateDir } = context.state;
  const { exists } = context;
  const file = configPath(stateDir, context.host.env, context.state.from === '--profile');
  const loaded = loadConfig({ path: file, profile: context.state.profile });
  const named = (await secretOf(loaded, context.host.env)).secret;
  const generated = named === null && exists ? (readGatewayIdentity(stateDir)?.secret ?? null) : null;
  const secret = named?.value ?? generated;
  if (secret === null) {
    throw new Failure(EXIT.failed, {
      what: 'there is no shared secret yet',
      why: `${loaded.path} names none, and ${identityPath(stateDir)} holds none: it is made at the first start`,
      run: `${context.command} gateway run`,
    });
  }
  const from = named?.from ?? identityPath(stateDir);
  print(context, { secret, from, mode: loaded.config.gateway.auth.mode }, () => `${secret}\n`);
  return EXIT.ok;
}

/** `latchkey gateway secret rotate [--also-revoke]`. The new secret is not printed: `secret show` does. */
export async function secretRotate(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const payload = await callGateway(
    context,
    'gateway.secret.rotate',
    options.alsoRevoke === true ? { alsoRevoke: true } : {},
  );
  print(context, payload, () => renderRotated(context, payload));
  return EXIT.ok;
}
