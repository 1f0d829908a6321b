import type { Group } from '../command.ts';
import { port } from '../option.ts';

const secret: Group = {
  name: 'secret',
  summary: 'the shared secret',
  commands: [
    {
      name: 'show',
      summary: 'print the shared secret, and nothing else',
      example: { line: 'latchkey gateway secret show', exit: 0, field: 'mode', value: 'token' },
      calls: [],
      load: async () => (await import('../command/gateway-secret.ts')).secretShow,
    },
    {
      name: 'rotate',
      summary: 'make a new shared secret; sessions of the old one end, paired devices do not notice',
      example: { line: 'latchkey gateway secret rotate', exit: 0, field: 'closedSessions' },
      calls: ['gateway.secret.rotate'],
      offline: true,
      options: (c) =>
        c.option('--also-revoke', 'also end the grants of devices that it paired, or that its sessions gave something'),
      load: async () => (await import('../command/gateway-secret.ts')).secretRotate,
    },
  ],
};

export const gateway: Group = {
  name: 'gateway',
  summary: 'the gateway itself',
  commands: [
    {
      name: 'run',
      summary: 'run the gateway in the foreground',
      // A state directory has one gateway: beside the one that runs, this one says so.
      example: { line: 'latchkey gateway run --port 0', exit: 78, field: 'error.exitCode', value: 78 },
      calls: [],
      options: (c) =>
        c
          .option('--port <port>', 'listen here instead of gateway.port', port)
          .option('--bind <bind>', 'loopback, lan, tailnet, or an IP address, instead of gateway.bind'),
      load: async () => (await import('../command/gateway-run.ts')).gatewayRun,
    },
    {
      name: 'probe',
      summary: 'whether the owner socket and the port answer, and as whom',
      example: { line: 'latchkey gateway probe', exit: 0, field: 'tcp.state', value: 'ok' },
      calls: ['health', 'status'],
      load: async () => (await import('../command/gateway-probe.ts')).gatewayProbe,
    },
    {
      name: 'call <method>',
      summary: 'call one method and print its answer',
      example: { line: 'latchkey gateway call health', exit: 0, field: 'ok', value: true },
      calls: [],
      options: (c) => c.option('--params <json>', 'the params, as a JSON object'),
      load: async () => (await import('../command/gateway-call.ts')).gatewayCall,
    },
  ],
  groups: [secret],
};
