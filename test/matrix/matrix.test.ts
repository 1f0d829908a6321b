import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Facts, mayCall, type Need } from '../../src/core/authz/decide.ts';
import type { DeviceId, Principal } from '../../src/core/authz/principal.ts';
import { OPERATOR_SCOPES, type Role, type Scope } from '../../src/core/authz/scope.ts';
import { blankDevice, withRole } from '../../src/core/authz/state.ts';
import { type Method, rowName } from '../../src/core/protocol/method/method.ts';
import { METHODS } from '../../src/core/protocol/registry.ts';

/** Principal × method, as a table for people: a change of policy is a diff that somebody can read. */
const TABLE = join(import.meta.dirname, 'MATRIX.md');
const AT = 1_000;
const DEVICE = 'd'.repeat(64) as DeviceId;

interface Column {
  readonly name: string;
  readonly principal: Principal;
  readonly facts: Facts;
}

function device(name: string, role: Role, scopes: readonly Scope[], asked: readonly Scope[] | null = null): Column {
  const by = { kind: 'owner' } as const;
  const entries = scopes.map((scope) => ({ scope, until: null, by, at: 0 }));
  const self = withRole(blankDevice(DEVICE, 'k'), role, { grant: { entries, by, at: 0 } });
  return { name, principal: { kind: 'device', device: DEVICE, role, asked }, facts: { self, secretScopes: [] } };
}

const plain = (name: string, principal: Principal, secretScopes: readonly Scope[] = OPERATOR_SCOPES): Column => ({
  name,
  principal,
  facts: { self: null, secretScopes },
});

const COLUMNS: readonly Column[] = [
  plain('owner', { kind: 'owner' }),
  ...OPERATOR_SCOPES.map((scope) => device(scope.replace('operator.', ''), 'operator', [scope])),
  device('admin, asks read', 'operator', ['operator.admin'], ['operator.read']),
  device('empty grant', 'operator', []),
  device('node', 'node', ['camera.snap']),
  { ...device('gone', 'operator', []), facts: { self: blankDevice(DEVICE, 'k'), secretScopes: [] } },
  plain('secret', { kind: 'secret', asked: null }),
  plain('secret, grant read', { kind: 'secret', asked: null }, ['operator.read']),
  plain('publisher (internal)', { kind: 'internal', component: 'publisher' }),
  plain('API token, read', { kind: 'token', name: 't', scopes: ['operator.read'], until: null }),
  plain('API token, ended', { kind: 'token', name: 't', scopes: ['operator.read'], until: AT }),
  plain('channel sender', { kind: 'sender', channel: 'c', sender: 's', scopes: [] }),
];

const needOf = ({ name, role, scope }: Method): Need => ({ method: name, role, scope });

function table(): string {
  const head = ['method', 'needs', ...COLUMNS.map((c) => c.name)];
  const rows = METHODS.map((method: Method) => [
    `\`${rowName(method)}\``,
    method.scope === 'none' ? `any ${method.role === 'any' ? 'session' : method.role}` : method.scope,
    ...COLUMNS.map((c) => (mayCall(c.principal, c.facts, needOf(method), AT).ok ? '✓' : '·')),
  ]);
  return [
    '# Who may call what',
    '',
    'Made by `test/matrix`; `UPDATE=1 npm run check` rewrites it. A scope stands for a device whose grant holds just that one.',
    'Rows with `(self)` speak for calls in which a device names itself.',
    '',
    ...[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
    '',
  ].join('\n');
}

test('A1 A12 A21 principal × method is the committed table', () => {
  const now = table();
  if (process.env.UPDATE === '1') writeFileSync(TABLE, now);
  expect(now).toBe(readFileSync(TABLE, 'utf8'));
});

test('A12 an internal principal may call its table and nothing else', () => {
  const publisher = COLUMNS.find((c) => c.name.startsWith('publisher'));
  const allowed = METHODS.filter(
    (m: Method) => publisher && mayCall(publisher.principal, publisher.facts, needOf(m), AT).ok,
  );
  expect(allowed.map((m) => m.name)).toEqual(['health', 'system-presence']);
});

test('A20 A9 a device whose grant is gone may call nothing that needs a scope', () => {
  const gone = COLUMNS.find((c) => c.name === 'gone');
  const scoped = METHODS.filter((m: Method) => m.scope !== 'none');
  expect(scoped.filter((m: Method) => gone && mayCall(gone.principal, gone.facts, needOf(m), AT).ok)).toEqual([]);
});
