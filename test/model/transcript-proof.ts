import type { DeviceId, Principal, RequestId } from '../../src/core/authz/principal.ts';
import { blankDevice } from '../../src/core/authz/state.ts';
import { DAY_MS, MINUTE_MS } from '../../src/core/base/instant.ts';
import { deepEqual, equal, FULL_ROOM, held, OWNER, SECRET, scopes, T0, Table, words } from './table.ts';
import type { Transcript } from './transcript-type.ts';

const RIGHT = { secret: 'right', direct: true } as const;
const _device = (asked: string | null): Principal => ({
  kind: 'device',
  device: 'device0' as DeviceId,
  role: 'operator',
  asked: asked === null ? null : scopes(asked),
});

/** A11–A15, A21: other principals, the secret, codes, and the room for who asks. */
export const PROVING: readonly Transcript[] = [
  {
    rule: 'A11.1',
    title: 'the owner holds every operator scope and is no node',
    play(core) {
      const facts = { self: null, secretScopes: [] };
      deepEqual(words(core.decide.heldBy(OWNER, facts, T0)), words(core.scope.OPERATOR_SCOPES));
      const may = (role: 'operator' | 'node' | 'any') =>
        core.decide.mayCall(OWNER, facts, { method: 'm', role, scope: role === 'node' ? 'none' : 'operator.admin' }, T0)
          .ok;
      deepEqual([may('operator'), may('any'), may('node')], [true, true, false]);
    },
  },
  {
    rule: 'A12.1',
    title: 'a component calls what its table names, with the scopes that it has, and decides nothing',
    play(core) {
      const publisher: Principal = { kind: 'internal', component: 'publisher' };
      const facts = { self: null, secretScopes: scopes('a') };
      const may = (method: string, scope: string) =>
        core.decide.mayCall(publisher, facts, { method, role: 'operator', scope }, T0);
      deepEqual(may('health', 'operator.read'), { ok: true, value: null });
      deepEqual(may('device.pair.list', 'operator.read'), { ok: false, error: { code: 'component' } });
      deepEqual(may('health', 'operator.write'), {
        ok: false,
        error: { code: 'missing_scope', scope: 'operator.write' },
      });
    },
  },
  {
    rule: 'A13.1',
    title: 'the secret pairs a key about which nobody decided, with its whole grant',
    play(core) {
      const t = new Table(core);
      t.secret = scopes('r p');
      t.connect('ap');
      equal(t.connect('r', RIGHT), 'in r');
      equal(t.grant(), 'p r');
      equal(t.asks(), 'ap');
      deepEqual(t.role().grant?.by, { kind: 'pairing' });
      equal(t.connect('p', { askMode: 'closed' }), 'in p');
    },
  },
  {
    rule: 'A13.2',
    title: 'the secret pairs on a direct socket only, and only operators; elsewhere it lets a key ask',
    play(core) {
      const t = new Table(core);
      equal(t.connect('r', { secret: 'right', askMode: 'secret' }), 'pairing_required');
      equal(t.connect('camera.snap', { role: 'node', ...RIGHT }), 'pairing_required');
      equal(`${t.grant()} ${t.grant('node')}`, 'none none');
    },
  },
  {
    rule: 'A13.3',
    title: 'after any no to the key the secret pairs no more, when the no is no longer listed either',
    play(core) {
      const t = new Table(core);
      t.connect('r');
      t.reject(t.role().request?.id);
      equal(t.connect('r', RIGHT), 'rejected');
      t.at += DAY_MS;
      equal(t.connect('r', RIGHT), 'pairing_required');
      const u = new Table(core);
      u.ensure('camera.snap', u.owner, 'node');
      u.revoke(u.owner, 'node');
      equal(u.connect('r', RIGHT), 'pairing_required');
      const v = new Table(core);
      v.connect('r', RIGHT);
      v.revoke();
      equal(v.connect('r', RIGHT), 'pairing_required');
    },
  },
  {
    rule: 'A13.4',
    title: 'to a device with a grant the secret adds nothing',
    play(core) {
      const t = new Table(core);
      t.connect(null, RIGHT);
      t.secret = scopes('a');
      t.narrow('r');
      equal(t.connect('p', RIGHT), 'in');
      equal(`${t.grant()} asks ${t.asks()}`, 'r asks p');
    },
  },
  {
    rule: 'A13.5',
    title: 'a wrong secret with a key without a grant is a mismatch, and asks nothing',
    play(core) {
      const t = new Table(core);
      equal(t.connect('r', { secret: 'wrong', direct: true, waits: true }), 'secret_mismatch');
      equal(t.asks(), 'none');
      t.connect('r');
      equal(t.connect('r', { secret: 'wrong' }), 'secret_mismatch');
    },
  },
  {
    rule: 'A13.6',
    title: 'without a key the right secret opens operator sessions on a direct socket, and nothing else',
    play(core) {
      const bring = { origin: 'none', secret: 'right', direct: true, role: 'operator' } as const;
      const told = (more: object) => {
        const verdict = core.decide.decideKeyless({ ...bring, ...more });
        return verdict.ok ? 'in' : verdict.error.code;
      };
      deepEqual(
        [{}, { origin: 'foreign' }, { secret: 'wrong' }, { secret: 'none' }, { direct: false }, { role: 'node' }].map(
          told,
        ),
        ['in', 'origin', 'secret_mismatch', 'identity_required', 'identity_required', 'identity_required'],
      );
    },
  },
  {
    rule: 'A13.7',
    title: "a session of the secret holds closure(asked) ∩ closure(the secret's grant), read live",
    play(core) {
      const holds = (asked: string | null, grant: string, scope: string) =>
        core.decide.holds(
          { kind: 'secret', asked: asked === null ? null : scopes(asked) },
          { self: null, secretScopes: scopes(grant) },
          scopes(scope)[0] ?? '',
          T0,
        );
      deepEqual(
        [holds(null, 'a', 'r'), holds('r', 'a', 'p'), holds('a', 'r', 'p'), holds('a', 'r', 'r')],
        [null, undefined, undefined, null],
      );
      equal(core.decide.heldBy(SECRET, { self: null, secretScopes: [] }, T0).length, 0);
    },
  },
  {
    rule: 'A14.1',
    title: 'a code is over after ten minutes',
    play(core) {
      const t = new Table(core);
      const code = t.code('r');
      t.at = T0 + 10 * MINUTE_MS;
      equal(t.connect('r', t.with(code)), 'pairing_required');
      t.at -= 1;
      equal(t.connect('r', t.with(code)), 'in r');
    },
  },
  {
    rule: 'A14.2',
    title: 'a code is used once, in the transaction of the pairing; a used or ended one is as none',
    play(core) {
      const t = new Table(core);
      const code = t.code('r');
      if (typeof code === 'string') return equal(code, 'a code');
      equal(t.connect('r', t.with(code)), 'in r');
      deepEqual(t.did(), ['redeem', 'store.code.used', 'tell.grant']);
      const other = new Table(core, 'device1');
      equal(other.connect('r', other.with({ ...code, usedBy: t.state.device })), 'pairing_required');
      equal(other.connect('r', other.with({ ...code, ended: true })), 'pairing_required');
    },
  },
  {
    rule: 'A14.3',
    title: 'a code gives exactly its scopes, in its role; a wider ask is a request for the rest',
    play(core) {
      const t = new Table(core);
      const code = t.code('r p');
      equal(t.connect('camera.snap', { role: 'node', ...t.with(code) }), 'pairing_required');
      equal(t.connect('r ap', t.with(code)), 'in r');
      equal(`${t.grant()} asks ${t.asks()}`, 'p r asks ap');
    },
  },
  {
    rule: 'A14.4',
    title: "a code is contained when made and when used, by its maker's grant and its ends",
    play(core) {
      const t = new Table(core);
      equal(t.code('ap', t.by('p r')), 'beyond_decider');
      equal(t.code('r', t.by('r')), 'missing_scope');
      equal(t.code('camera.snap', t.by('p r'), 'node'), 'beyond_decider');
      const code = t.code('r', t.by('p r'));
      equal(t.connect('r', t.with(code, t.by('r').held)), 'pairing_required');
      equal(t.connect('r', t.with(code, t.by('p').held)), 'pairing_required');
      equal(t.connect('r', t.with(code, t.by('p r<90').held)), 'in r');
      equal(t.grant(), 'r<90');
    },
  },
  {
    rule: 'A14.5',
    title: 'a code that is older than a no to the device, in whatever role, is nothing; a newer one brings it back',
    play(core) {
      const t = new Table(core);
      const old = t.code('r');
      t.ensure('p');
      equal(t.connect('r', t.with(old)), 'in');
      t.revoke();
      equal(t.connect('r', t.with(old)), 'pairing_required');
      equal(t.connect('r', t.with(t.code('r'))), 'in r');
      equal(t.role().gone, null);
      const u = new Table(core);
      const before = u.code('r');
      u.ensure('camera.snap', u.owner, 'node');
      equal(u.connect('r', u.with(before)), 'pairing_required');
    },
  },
  {
    rule: 'A14.6',
    title: 'a granted device gains a code’s scopes, and beside a secret the code counts',
    play(core) {
      const t = new Table(core);
      t.secret = scopes('a');
      equal(t.connect('r', { ...RIGHT, ...t.with(t.code('r')) }), 'in r');
      equal(t.grant(), 'r');
      equal(t.connect(null, { secret: 'wrong', ...t.with(t.code('p')) }), 'in p r');
      const giver = t.role().grant?.entries[0]?.by;
      equal(giver?.kind === 'code' && giver.maker.kind, 'owner');
    },
  },
  {
    rule: 'A15.1',
    title: 'who may ask is a setting; joining an open request needs none',
    play(core) {
      const t = new Table(core);
      equal(t.connect('r', { askMode: 'closed' }), 'ask_closed');
      equal(t.connect('r', { askMode: 'closed', secret: 'right' }), 'ask_closed');
      equal(t.connect('r', { askMode: 'secret' }), 'ask_needs_secret');
      equal(t.connect('r', { askMode: 'secret', secret: 'right' }), 'pairing_required');
      equal(t.connect('r', { askMode: 'closed' }), 'pairing_required');
    },
  },
  {
    rule: 'A15.2',
    title: 'a fourth ask from a source replaces its oldest without a socket, else is refused with a time',
    play(core) {
      const t = new Table(core);
      equal(t.connect('r', FULL_ROOM({ fromSource: 3 })), 'ask_full');
      const oldest = { device: 'device7' as DeviceId, role: 'operator', id: 'old' as RequestId } as const;
      equal(t.connect('r', FULL_ROOM({ fromSource: 2, total: 2 })), 'pairing_required');
      const u = new Table(core);
      equal(u.connect('r', FULL_ROOM({ fromSource: 3, total: 3, oldest })), 'pairing_required');
      deepEqual(u.did(), ['store.evict', 'ask', 'tell.request.opened']);
      const reply = new Table(core).do(t.connectCommand('r', FULL_ROOM({ fromSource: 3, freeAt: T0 + 99_000 })));
      deepEqual(reply.kind === 'refused' && reply.refusal.retry, { at: T0 + 99_000 });
      equal(u.connect('r p', FULL_ROOM({ fromSource: 3, total: 40 })), 'pairing_required');
      const v = new Table(core);
      v.connect('camera.snap', { role: 'node' });
      const own = {
        device: v.state.device,
        role: 'node',
        id: v.role('node').request?.id ?? ('' as RequestId),
      } as const;
      equal(v.connect('r', FULL_ROOM({ fromSource: 3, total: 3, oldest: own })), 'pairing_required');
      equal(`${v.asks('node')} ${v.asks()} ${v.outcomes()}`, 'none r replaced');
    },
  },
  {
    rule: 'A15.3',
    title: 'forty in all, and ten more with the secret',
    play(core) {
      const told = (total: number, more: object = {}) =>
        new Table(core).connect('r', { ...FULL_ROOM({ total }), ...more });
      deepEqual(
        [told(39), told(40), told(49, { secret: 'right' }), told(50, { secret: 'right' })],
        ['pairing_required', 'ask_full', 'pairing_required', 'ask_full'],
      );
      const oldest = { device: 'device7' as DeviceId, role: 'operator', id: 'old' as RequestId } as const;
      deepEqual(
        [40, 41].map((total) => new Table(core).connect('r', FULL_ROOM({ fromSource: 3, total, oldest }))),
        ['pairing_required', 'ask_full'],
      );
    },
  },
  {
    rule: 'A15.4',
    title: 'a thousand new asks in ten minutes, and no more',
    play(core) {
      deepEqual(
        [999, 1000].map((recent) => new Table(core).connect('r', FULL_ROOM({ recent }))),
        ['pairing_required', 'ask_full'],
      );
    },
  },
  {
    rule: 'A15.5',
    title: 'a request lives ten minutes without a grant and seven days with one',
    play(core) {
      const t = new Table(core);
      t.connect('r');
      equal(t.role().request?.expiresAt, T0 + 10 * MINUTE_MS);
      t.ensure('');
      t.connect('p');
      equal(t.role().request?.expiresAt, T0 + 7 * DAY_MS);
    },
  },
  {
    rule: 'A15.6',
    title: 'only a request of a key without a grant is ended to make room',
    play(core) {
      const evict = (t: Table, id: RequestId | undefined) =>
        t.told(t.do({ ...t.common(), kind: 'evict', role: 'operator', id: id ?? ('?' as RequestId) }));
      const t = new Table(core);
      t.connect('r');
      equal(evict(t, 'other' as RequestId), 'same');
      equal(evict(t, t.role().request?.id), 'done');
      equal(`${t.asks()} ${t.outcomes()}`, 'none replaced');
      t.ensure('');
      t.connect('r');
      equal(evict(t, t.role().request?.id), 'same');
    },
  },
  {
    rule: 'A21.1',
    title: 'an API token holds its scopes until its end, a sender those of his name; neither outgrows them',
    play(core) {
      const facts = { self: blankDevice('d' as DeviceId, ''), secretScopes: scopes('a') };
      const token: Principal = { kind: 'token', name: 'n', scopes: scopes('w'), until: T0 + 5 };
      const sender: Principal = { kind: 'sender', channel: 'c', sender: 's', scopes: scopes('r') };
      const holds = (p: Principal, scope: string, at = T0) => core.decide.holds(p, facts, scopes(scope)[0] ?? '', at);
      deepEqual([holds(token, 'r'), holds(token, 'p'), holds(token, 'r', T0 + 5)], [T0 + 5, undefined, undefined]);
      deepEqual([holds(sender, 'r'), holds(sender, 'w')], [null, undefined]);
      deepEqual(held('r<5')[0]?.until, T0 + 5);
    },
  },
];
