// D3.28: where it listens, and with which secrets it won't.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, latchkey, newStateDir, removeStateDir } from '../../gateway.ts';
import { isLinux, listeners } from '../../process.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import type { Target } from '../target.ts';

const WEAK: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['short', { token: 'aB3dE5' }],
  ['a placeholder', { token: 'changeme' }],
  ['the word undefined', { token: 'undefined' }],
  ['blanks', { token: ' '.repeat(40) }],
  ['a password of a word', { mode: 'password', token: undefined, password: 'hunter2hunter' }],
];
const NO_ADDRESS = ['public', '*', '0', '0.0.0.0:80', '0x0', '00.0.0.0', '::ffff', ''];

async function refused(auth: Readonly<Record<string, unknown>>, bind: string): Promise<CommandResult> {
  const stateDir = newStateDir({ gateway: { auth } });
  try {
    const home = join(stateDir, '..');
    const args = ['gateway', 'run', '--port', '0', '--state-dir', stateDir, '--bind', bind];
    const result = await latchkey(args, { home, timeoutMs: 10_000 });
    assert(!existsSync(join(stateDir, 'run', 'gateway.json')), `it ran with bind ${bind}`);
    return result;
  } finally {
    removeStateDir(stateDir);
  }
}

async function binds(target: Target): Promise<string> {
  for (const [name, auth] of WEAK) {
    const { code, stderr } = await refused(auth, 'lan');
    equal(code, 78, `beyond loopback with a secret that is ${name}`);
    matches(stderr, /refusing to listen/, name);
  }
  for (const mode of ['none', 'trusted-proxy'])
    for (const bind of target.quick ? ['lan'] : ['loopback', 'lan'])
      equal((await refused({ mode }, bind)).code, 78, `auth mode ${mode} with bind ${bind}`);
  for (const bind of target.quick ? NO_ADDRESS.slice(0, 3) : NO_ADDRESS) {
    const { code } = await refused({}, bind);
    assert(code === 2 || code === 78, `bind ${JSON.stringify(bind)} ended with ${code}`);
  }
  if (isLinux) {
    const near = await target.spawn();
    const port = near.port.toString(16).toUpperCase().padStart(4, '0');
    const loopback = [`0100007F:${port}`, `00000000000000000000000001000000:${port}`];
    const all = listeners(near.pid);
    assert(all.includes(`0100007F:${port}`), `not at 127.0.0.1: ${all}`);
    equal(
      all.filter((address) => !loopback.includes(address)),
      [],
      'addresses beyond loopback',
    );
  }
  return `${WEAK.length} secrets, ${NO_ADDRESS.length} addresses that are none`;
}

export const BIND_CHECKS: readonly Check[] = [
  {
    id: 'D3.28',
    title: 'beyond loopback it starts with no weak secret and no absent one; the kernel says where it listens',
    quick: true,
    needs: ['second process'],
    run: binds,
  },
];
