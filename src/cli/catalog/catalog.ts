import type { Group } from '../command.ts';
import { devices } from './devices.ts';
import { gateway } from './gateway.ts';

/** Every command there is. The program, its help, completion, and the test of the examples are made from it. */
export const CATALOG: Group = {
  name: 'latchkey',
  summary: 'Self-hosted gateway for personal AI agents.',
  commands: [
    {
      name: 'status',
      summary: 'one screen: the gateway, your access, devices and open requests',
      example: { line: 'latchkey status', exit: 0, field: 'running', value: true },
      calls: ['status', 'device.pair.list'],
      load: async () => (await import('../command/status.ts')).status,
    },
    {
      name: 'health',
      summary: 'whether the gateway works',
      example: { line: 'latchkey health', exit: 0, field: 'ok', value: true },
      calls: ['health'],
      load: async () => (await import('../command/status.ts')).health,
    },
  ],
  groups: [devices, gateway],
};
