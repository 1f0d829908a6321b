import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Facts, mayCall, maySee, type Need } from '../../src/core/authz/decide.ts';
import type { DeviceId, Principal } from '../../src/core/authz/principal.ts';
import { OPERATOR_SCOPES, type Role, type Scope } from '../../src/core/authz/scope.ts';
import { blankDevice, withRole } from '../../src/core/authz/state.ts';
import { EVENTS } from '../../src/core/protocol/event.ts';
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

/** A row with `self` speaks for a device that names itself: for no other principal is it ever the one. */
function cell({ principal, facts }: Column, method: Method): string {
  if (method.self === true && principal.kind !== 'device') return '';
  return mayCall(principal, facts, needOf(method), AT).ok ? '✓' : '·';
}

const needOf = ({ name, role, scope }: Method): Need => ({ method: name, role, scope });

function lines([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function table(): string {
  const head = ['method', 'needs', ...COLUMNS.map((c) => c.name)];
  const rows = METHODS.map((method: Method) => [
    `\`${rowName(method)}\``,
    method.scope === 'none' ? `any ${method.role === 'any' ? 'session' : method.role}` : method.scope,
    ...COLUMNS.map((column) => cell(column, method)),
  ]);
  const events = Object.entries(EVENTS).map(([name, scope]) => [
    `\`${name}\``,
    scope === 'none' ? 'any session' : scope,
    ...COLUMNS.map((c) => (maySee(c.principal, c.facts, scope, AT) ? '✓' : '·')),
  ]);
  return [
    '# Who may call what',
    '',
    'Made by `test/matrix`; `npm run matrix` rewrites it (so does `UPDATE=1`). A scope stands for a device whose grant holds',
    'just that one. Rows with `(self)` speak for calls in which a device names itself; elsewhere the plain row does.',
    '',
    ...lines([head, ...rows]),
    '',
    '# Who is sent what',
    '',
    ...lines([['event', ...head.slice(1)], ...events]),
    '',
  ].join('\n');
}

test('A1 A12 A21 principal × method is the committed table', async () => {
  const now = table();
  if (process.env.UPDATE === '1') writeFileSync(TABLE, now);
  await expect(now).toMatchFileSnapshot(TABLE);
});

test('A12 an internal principal may call its table and nothing else', () => {
  const publisher = COLUMNS.find((c) => c.name.startsWith('publisher'));
  const allowed = METHODS.filter(
    (m: Method) => publisher && mayCall(publisher.principal, publisher.facts, needOf(m), AT).ok,
  );
  expect(allowed.map((m) => m.name)).toEqual(['health', 'system-presence']);
});

test('A9 A21 a device whose grant is gone, and a token past its end, may call nothing', () => {
  const over = COLUMNS.filter((c) => c.name === 'gone' || c.name.endsWith('ended'));
  expect(over).toHaveLength(2);
  expect(over.flatMap((c) => METHODS.filter((m: Method) => mayCall(c.principal, c.facts, needOf(m), AT).ok))).toEqual(
    [],
  );
});

test('A7 what decides about others needs a scope, whoever calls', () => {
  const open = METHODS.filter((m: Method) => m.scope === 'none' && m.self !== true).map((m) => m.name);
  // decision.explain decides nothing, and tells each caller of its own rows and those that it could decide.
  expect(open.sort()).toEqual([
    'decision.explain',
    'device.scopes.requestUpgrade',
    'device.scopes.waitUpgrade',
    'health',
  ]);
});
