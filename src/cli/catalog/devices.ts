import { READ } from '../../core/protocol/method/scope.ts';
import type { Group } from '../command.ts';
import { address, device, duration, role, scopes } from '../option.ts';

const decisions = () => import('../command/devices.ts');

export const devices: Group = {
  name: 'devices',
  summary: 'pairing: who may do what',
  commands: [
    {
      name: 'list',
      summary: 'who asks, who was rejected, who is paired',
      example: { line: 'latchkey devices list', exit: 0, field: 'pending.0.requestId' },
      calls: ['device.pair.list'],
      offline: true,
      load: async () => (await import('../command/devices-list.ts')).devicesList,
    },
    {
      name: 'approve [request]',
      summary: 'give a device what it asks; without a request: show them and how to',
      example: {
        line: 'latchkey devices approve REQUEST --scope operator.read --for 12h',
        exit: 0,
        field: 'given.0.scope',
        value: READ,
      },
      calls: ['device.pair.list', 'device.pair.approve'],
      offline: true,
      options: (c) =>
        scopes(c, 'give only this (repeatable)').option('--for <duration>', 'until then only: 30m, 12h, 7d', duration),
      load: async () => (await import('../command/devices-approve.ts')).approve,
    },
    {
      name: 'reject <request>',
      summary: 'say no; for a day it stays listed and is not asked again',
      example: { line: 'latchkey devices reject REQUEST', exit: 0, field: 'requestId' },
      calls: ['device.pair.list', 'device.pair.reject'],
      offline: true,
      load: async () => (await decisions()).reject,
    },
    {
      name: 'narrow [device]',
      summary: 'leave a device these scopes only; its sessions are narrowed at once',
      example: {
        line: 'latchkey devices narrow DEVICE --scope operator.read',
        exit: 0,
        field: 'scopes.0',
        value: READ,
      },
      calls: ['device.pair.list', 'device.grant.narrow'],
      offline: true,
      options: (c) =>
        scopes(role(device(c)), 'what stays (repeatable)').option('--none', 'nothing stays; it is still paired'),
      load: async () => (await decisions()).narrow,
    },
    {
      name: 'rotate [device]',
      summary: "make a device's token a new one; this is no revocation",
      example: { line: 'latchkey devices rotate DEVICE', exit: 0, field: 'rotatedAtMs' },
      calls: ['device.pair.list', 'device.token.rotate'],
      offline: true,
      options: (c) => scopes(role(device(c)), 'narrow to this as well (repeatable)'),
      load: async () => (await decisions()).rotate,
    },
    {
      name: 'revoke [device]',
      summary: "end a device's grant in one role and close its sessions",
      example: { line: 'latchkey devices revoke DEVICE', exit: 0, field: 'role', value: 'operator' },
      calls: ['device.pair.list', 'device.token.revoke'],
      callsWith: { rotateSecret: ['gateway.secret.rotate'] },
      offline: true,
      options: (c) => role(device(c)).option('--rotate-secret', 'also make a new shared secret'),
      load: async () => (await decisions()).revoke,
    },
    {
      name: 'remove [device]',
      summary: 'end all of its grants and close its sessions',
      example: { line: 'latchkey devices remove DEVICE', exit: 0, field: 'deviceId' },
      calls: ['device.pair.list', 'device.pair.remove'],
      callsWith: { rotateSecret: ['gateway.secret.rotate'] },
      offline: true,
      options: (c) =>
        device(c)
          .option('--with-all', 'also the devices that it approved')
          .option('--rotate-secret', 'also make a new shared secret'),
      load: async () => (await decisions()).remove,
    },
    {
      name: 'rename [device] [name]',
      summary: 'give a device a name of your own; without a name: the one that it claims',
      example: { line: 'latchkey devices rename DEVICE kitchen', exit: 0, field: 'label', value: 'kitchen' },
      calls: ['device.pair.list', 'device.pair.rename'],
      offline: true,
      options: (c) => device(c).option('--name <name>', 'the name, where it is not the second argument'),
      load: async () => (await decisions()).rename,
    },
    {
      name: 'ensure',
      summary: 'declare what a key holds, exactly, as often as wanted',
      example: {
        line: 'latchkey devices ensure --key KEY --role operator --scope operator.read',
        exit: 0,
        field: 'changed',
        value: true,
      },
      calls: ['device.pair.ensure'],
      offline: true,
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
    {
      name: 'code',
      summary: 'make a setup code: it pairs one new device, once, within ten minutes',
      example: {
        line: 'latchkey devices code --scope operator.read --public-url wss://gateway.example',
        exit: 0,
        field: 'gatewayUrl',
        value: 'wss://gateway.example',
      },
      calls: ['device.code.create'],
      offline: true,
      options: (c) =>
        scopes(role(c), 'what it gives, exactly (repeatable); otherwise read, write and approvals')
          .option('--none', 'no scope; the device is paired all the same')
          .option('--public-url <url>', 'the address at which the new device reaches this gateway', address)
          .option('--no-qr', 'the text alone'),
      load: async () => (await import('../command/devices-code.ts')).devicesCode,
    },
  ],
};
