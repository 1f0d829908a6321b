import { expect, test } from 'vitest';
import { real } from '../../../test/model/core.ts';
import { T0, Table } from '../../../test/model/table.ts';
import { codeFindings, findings } from './invariant.ts';
import type { CodeId, RequestId } from './principal.ts';
import { type DeviceState, type RoleState, withRole } from './state.ts';

/** A state that has a bit of everything. */
function full(): DeviceState {
  const t = new Table(real);
  t.ensure('r p<50');
  t.connect('ap');
  t.reject(t.role().request?.id);
  t.connect('ap w');
  t.connect('camera.snap', { role: 'node' });
  return t.state;
}

const codes = (state: DeviceState, at = T0, seq = 9) => findings(state, at, seq).map((f) => `${f.code} ${f.role}`);

test('A1-A20: what commands leave has no findings', () => {
  expect(codes(full())).toEqual([]);
  const t = new Table(real);
  t.ensure('a');
  t.remove();
  expect(codes(t.state)).toEqual([]);
});

const whole = full();
const { grant, request, rejection } = whole.roles.operator;
if (grant === null || request === null || rejection === null) throw new Error('the sample is not full');
const [entry] = grant.entries;
if (entry === undefined) throw new Error('the sample has no entry');

const broken: readonly [code: string, change: Partial<RoleState>][] = [
  ['A1.4', { grant: { ...grant, entries: [...grant.entries].reverse() } }],
  ['A1.4', { grant: { ...grant, entries: [entry, entry] } }],
  ['A1.5', { grant: { ...grant, entries: [{ ...entry, scope: 'operator.root' }] } }],
  ['A20.1', { grant: { ...grant, entries: [{ ...entry, until: Number.NaN }] } }],
  ['A5.4', { request: { ...request, scopes: ['operator.read'] } }],
  ['A5.3', { request: { ...request, id: rejection.id } }],
  ['A15.5', { request: { ...request, expiresAt: request.openedAt } }],
  ['A15.5', { request: { ...request, expiresAt: request.openedAt + 8 * 86_400_000 } }],
  ['A5.6', { rejection: { ...rejection, until: rejection.at + 2 * 86_400_000 } }],
  ['A5.6', { decided: null }],
  ['A9.3', { gone: 1, epoch: 1 }],
  ['A9.3', { grant: null, request: null, gone: 8, decided: 2, epoch: 1 }],
  ['A9.3', { decided: 99 }],
  ['A10.2', { grant: null, request: null, gone: 1, decided: 5, epoch: 0 }],
  ['A10.2', { epoch: -1 }],
  ['A10.2', { epoch: 0.5 }],
];

test.each(broken)('rule: broken state is found as %s', (code, change) => {
  expect(codes(withRole(whole, 'operator', change))).toContain(code === 'A5.3' ? 'A5.3 null' : `${code} operator`);
});

test('A14: a code that lives too long, or is from the future, is found', () => {
  const t = new Table(real);
  const code = t.code('r');
  if (typeof code === 'string') throw new Error(code);
  expect(codeFindings(code, 1)).toEqual([]);
  expect(codeFindings(code, 0).map((f) => f.code)).toEqual(['A14.5']);
  const long = { ...code, id: 'x' as CodeId, expiresAt: code.expiresAt + 1, scopes: ['operator.root'] };
  expect(codeFindings(long, 1).map((f) => f.code)).toEqual(['A1.5', 'A14.1']);
});

test('rule: a finding names device, role and what is wrong', () => {
  const [finding] = findings(
    withRole(whole, 'operator', { request: { ...request, id: 'x' as RequestId, scopes: ['b', 'a'] } }),
    T0,
    9,
  );
  expect(finding).toEqual({
    code: 'A1.4',
    device: whole.device,
    role: 'operator',
    text: 'the scopes of the request are not a sorted set: b a',
  });
});
