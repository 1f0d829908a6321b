import type { Context } from '../context.ts';

/** `latchkey gateway run`: the gateway in this process until it is told to end. */
export async function gatewayRun(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const { state, host } = context;
  return host.runGateway({
    stateDir: state.path,
    ...(typeof options.port === 'number' ? { port: options.port } : {}),
    ...(typeof options.bind === 'string' ? { bind: options.bind } : {}),
    ...(state.profile === null ? {} : { profile: state.profile }),
    explicitProfile: state.from === '--profile',
  });
}
