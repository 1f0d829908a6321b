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
      here: true,
      options: (c) =>
        c
          .option('--port <port>', 'listen here instead of gateway.port', port)
          .option('--bind <bind>', 'loopback, lan, tailnet, or an IP address, instead of gateway.bind'),
      load: async () => (await import('../command/gateway-run.ts')).gatewayRun,
    },
    {
      name: 'status',
      summary: 'the gateway of this host: process, listener, configuration, and who else is there',
      example: { line: 'latchkey gateway status', exit: 0, field: 'listener.state', value: 'ok' },
      calls: ['health', 'status'],
      load: async () => (await import('../command/gateway-status.ts')).gatewayStatus,
    },
    {
      name: 'probe',
      summary:
        'whether the gateway answers, and as whom; of another one (--url): is it reachable, and the one that is known. It asks for nothing and waits for nobody',
      example: { line: 'latchkey gateway probe', exit: 0, field: 'tcp.state', value: 'ok' },
      calls: [],
      load: async () => (await import('../command/gateway-probe.ts')).gatewayProbe,
    },
    {
      name: 'discover',
      summary: 'gateways of the local network that announce themselves; what they say is a claim',
      example: {
        line: 'latchkey gateway discover --interface 127.0.0.1 --timeout 200ms',
        exit: 0,
        field: 'asked.0',
        value: '127.0.0.1',
      },
      calls: [],
      here: true,
      stateless: true,
      options: (c) => c.option('--interface <address>', "ask from this address of this host's alone"),
      load: async () => (await import('../command/gateway-discover.ts')).gatewayDiscover,
    },
    {
      name: 'trust',
      summary: 'what this host knows another gateway by (--url): show it, or take over what you have compared',
      example: {
        line: 'latchkey gateway trust --url wss://gateway.example --key KEY',
        exit: 0,
        field: 'url',
        value: 'wss://gateway.example',
      },
      calls: [],
      options: (c) =>
        c
          .option('--key <key>', "the gateway's key, 43 characters of base64url")
          .option('--tls-fingerprint <hex>', 'the SHA-256 of its certificate')
          .option('--forget', 'know nothing of it any more'),
      load: async () => (await import('../command/gateway-trust.ts')).gatewayTrust,
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
