import { Command, InvalidArgumentError } from 'commander';
import { type Context, contextOf, type Globals, type Host } from './context.ts';
import { parseDuration } from './duration.ts';

/** What a command's body gives back: what the process exits with. */
type Body = (context: Context, args: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<number>;

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly options?: (command: Command) => Command;
  /** The module of the body: loaded when the command is run, not before. */
  readonly load: () => Promise<Body>;
}

const duration = (text: string): number => {
  const size = parseDuration(text);
  if (size === null)
    throw new InvalidArgumentError('A duration is a whole number and a unit: 500ms, 30s, 10m, 12h, 7d.');
  return size;
};

const port = (text: string): number => {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (number < 0 || number > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return number;
};

const names = (text: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  ...text.split(',').filter((name) => name !== ''),
];

const scopes = (command: Command, what: string) => command.option('--scope <scope>', what, names);
const device = (command: Command) =>
  command.option('--device <device>', 'the device, where it is not the first argument');
const role = (command: Command) => command.option('--role <role>', 'operator or node', 'operator');

const GATEWAY: readonly Entry[] = [
  {
    name: 'run',
    summary: 'run the gateway in the foreground',
    options: (c) =>
      c
        .option('--port <port>', 'listen here instead of gateway.port', port)
        .option('--bind <bind>', 'loopback, lan, tailnet, or an IP address, instead of gateway.bind'),
    load: async () => (await import('./command/gateway-run.ts')).gatewayRun,
  },
  {
    name: 'probe',
    summary: 'whether the owner socket and the port answer, and as whom',
    load: async () => (await import('./command/gateway-probe.ts')).gatewayProbe,
  },
  {
    name: 'call <method>',
    summary: 'call one method as the owner and print its answer',
    options: (c) => c.option('--params <json>', 'the params, as a JSON object'),
    load: async () => (await import('./command/gateway-call.ts')).gatewayCall,
  },
];

const SECRET: readonly Entry[] = [
  {
    name: 'show',
    summary: 'print the shared secret, and nothing else',
    load: async () => (await import('./command/gateway-secret.ts')).secretShow,
  },
  {
    name: 'rotate',
    summary: 'make a new shared secret; sessions of the old one end, paired devices do not notice',
    options: (c) =>
      c.option('--also-revoke', 'also end the grants of devices that it paired, or that its sessions gave something'),
    load: async () => (await import('./command/gateway-secret.ts')).secretRotate,
  },
];

const decisions = () => import('./command/devices.ts');

const DEVICES: readonly Entry[] = [
  {
    name: 'list',
    summary: 'who asks, who was rejected, who is paired',
    load: async () => (await import('./command/devices-list.ts')).devicesList,
  },
  {
    name: 'approve [request]',
    summary: 'give a device what it asks; without a request: show them and how to',
    options: (c) =>
      scopes(c, 'give only this (repeatable)').option('--for <duration>', 'until then only: 30m, 12h, 7d', duration),
    load: async () => (await import('./command/devices-approve.ts')).approve,
  },
  {
    name: 'reject <request>',
    summary: 'say no; for a day it stays listed and is not asked again',
    load: async () => (await decisions()).reject,
  },
  {
    name: 'narrow [device]',
    summary: 'leave a device these scopes only; its sessions are narrowed at once',
    options: (c) =>
      scopes(role(device(c)), 'what stays (repeatable)').option('--none', 'nothing stays; it is still paired'),
    load: async () => (await decisions()).narrow,
  },
  {
    name: 'rotate [device]',
    summary: "make a device's token a new one; this is no revocation",
    options: (c) => scopes(role(device(c)), 'narrow to this as well (repeatable)'),
    load: async () => (await decisions()).rotate,
  },
  {
    name: 'revoke [device]',
    summary: "end a device's grant in one role and close its sessions",
    options: (c) => role(device(c)).option('--rotate-secret', 'also make a new shared secret'),
    load: async () => (await decisions()).revoke,
  },
  {
    name: 'remove [device]',
    summary: 'end all of its grants and close its sessions',
    options: (c) =>
      device(c)
        .option('--with-all', 'also the devices that it approved')
        .option('--rotate-secret', 'also make a new shared secret'),
    load: async () => (await decisions()).remove,
  },
  {
    name: 'rename [device] [name]',
    summary: 'give a device a name of your own; without a name: the one that it claims',
    options: (c) => device(c).option('--name <name>', 'the name, where it is not the second argument'),
    load: async () => (await decisions()).rename,
  },
  {
    name: 'ensure',
    summary: 'declare what a key holds, exactly, as often as wanted',
    options: (c) =>
      scopes(
        role(c.requiredOption('--key <key>', "the device's public key, 43 characters of base64url")),
        'what it holds (repeatable)',
      )
        .option('--none', 'no scope; it is paired all the same')
        .option('--name <name>', 'the name under which it is listed')
        .option('--for <duration>', 'until then only: 30m, 12h, 7d', duration),
    load: async () => (await decisions()).ensure,
  },
];

const TOP: readonly Entry[] = [
  {
    name: 'status',
    summary: 'one screen: the gateway, your access, devices and open requests',
    load: async () => (await import('./command/status.ts')).status,
  },
  {
    name: 'health',
    summary: 'whether the gateway works',
    load: async () => (await import('./command/status.ts')).health,
  },
];

/** The command line. `done` is told what the process exits with. */
export function buildProgram(host: Host, done: (code: number) => void): Command {
  const program = new Command('latchkey')
    .description('Self-hosted gateway for personal AI agents.')
    .usage('COMMAND [options]')
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .version(host.version, '-V, --version', 'print the version')
    .option('--profile <name>', 'state in ~/.latchkey-NAME')
    .option('--state-dir <dir>', 'state in DIR')
    .option('--json', 'one JSON document on standard output')
    .option('--no-color', 'no colours')
    .option('--timeout <duration>', 'how long to wait for an answer: 500ms, 10s', duration)
    .option('-v, --verbose', 'say more, on standard error');
  const add = (parent: Command, entries: readonly Entry[]) => {
    for (const entry of entries) {
      const command = parent.command(entry.name).description(entry.summary).showHelpAfterError(false);
      (entry.options?.(command) ?? command).action(async () => {
        const context = contextOf(program.opts<Globals>(), host);
        const body = await entry.load();
        done(await body(context, command.args, command.opts()));
      });
    }
  };
  add(program, TOP);
  const devices = program.command('devices').description('pairing: who may do what');
  add(devices, DEVICES);
  const gateway = program.command('gateway').description('the gateway itself');
  add(gateway, GATEWAY);
  add(gateway.command('secret').description('the shared secret'), SECRET);
  return program;
}
