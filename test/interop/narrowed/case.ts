// What an owner did to a device that held all, and with which command its person meets it.
import type { ReleaseName } from '../release.ts';
import type { Scene } from './scene.ts';

export interface Case {
  /** Of its committed text. */
  readonly name: string;
  readonly row: string;
  readonly args: readonly string[];
  /** Only these; absent: all. */
  readonly releases?: readonly ReleaseName[];
  bring(scene: Scene): Promise<void>;
  /** What the person does with what the remedy printed. */
  follow?(scene: Scene, printed: string): Promise<void>;
  /** Where the program shows no word of a gateway in this case. */
  isSilent(release: ReleaseName): boolean;
  /** What it does instead. */
  readonly silent: string;
}

const SPEAKS = { isSilent: () => false, silent: '' };
const LIST = ['devices', 'list'];
const PRESENCE = ['system', 'presence'];
const STATUS = ['status'];

export const CASES: readonly Case[] = [
  {
    name: 'read-devices-list',
    row: 'narrowed to read: devices list',
    args: LIST,
    bring: async (scene) => {
      await scene.owner('devices', 'narrow', scene.device, '--scope', 'operator.read');
    },
    ...SPEAKS,
  },
  {
    name: 'pairing-system-presence',
    row: 'narrowed to pairing: system presence',
    args: PRESENCE,
    bring: async (scene) => {
      await scene.owner('devices', 'narrow', scene.device, '--scope', 'operator.pairing');
    },
    ...SPEAKS,
  },
  {
    name: 'pairing-status',
    row: 'narrowed to pairing: status',
    args: STATUS,
    // The others' status goes by the secret, or calls a gateway reachable that answers nothing.
    releases: ['2026.2.19'],
    bring: async (scene) => {
      await scene.owner('devices', 'narrow', scene.device, '--scope', 'operator.pairing');
    },
    ...SPEAKS,
  },
  {
    name: 'revoked-status',
    row: 'revoked: status',
    args: STATUS,
    bring: async (scene) => {
      await scene.owner('devices', 'revoke', scene.device);
    },
    ...SPEAKS,
  },
  {
    name: 'rejected-status',
    row: 'revoked, asked again and rejected: status',
    args: STATUS,
    bring: async (scene) => {
      await scene.owner('devices', 'revoke', scene.device);
      await scene.run(STATUS);
      await scene.owner('devices', 'reject', await scene.request());
    },
    ...SPEAKS,
  },
  {
    name: 'revoked-devices-list',
    row: 'revoked: devices list',
    args: LIST,
    bring: async (scene) => {
      await scene.owner('devices', 'revoke', scene.device);
    },
    isSilent: (release) => release === '2026.9.6',
    silent: 'prints words of its own and the id of the request, no word of the gateway',
  },
  {
    name: 'wrong-secret-devices-list',
    row: 'a new home with a wrong secret: devices list',
    args: LIST,
    bring: async (scene) => scene.newcomer('not-the-secret'),
    follow: async (scene, printed) => scene.secret(printed),
    ...SPEAKS,
  },
];
