import type { DeviceId, Principal, RequestId } from '../../src/core/authz/principal.ts';
import { DAY_MS } from '../../src/core/base/instant.ts';
import { deepEqual, equal, T0, Table, words } from './table.ts';
import type { Transcript } from './transcript-type.ts';

/** A key that asked `asks`, and nothing else. */
function asking(t: Table, asks: string): RequestId | undefined {
  t.connect(asks);
  return t.role().request?.id;
}

/** A8–A10, A17, A20: what approving, narrowing, ending and time leave behind. */
export const ENDING: readonly Transcript[] = [
  {
    rule: 'A8.1',
    title: 'approval widens in place: sessions are told, the request is closed as approved, nothing rotates',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      t.connect('p');
      const { epoch } = t.role();
      equal(t.approve(t.role().request?.id), 'done');
      deepEqual(t.did(), ['approve', 'tell.request.closed', 'tell.grant']);
      equal(t.outcomes(), 'approved');
      equal(`${t.grant()} ${t.role().epoch}`, `p r ${epoch}`);
    },
  },
  {
    rule: 'A9.1',
    title: 'narrowing is what holds next; it never widens',
    play(core) {
      const t = new Table(core);
      t.ensure('w p');
      equal(t.narrow('w ap'), 'beyond_grant');
      equal(t.narrow('r'), 'done');
      equal(`${t.grant()} ${t.role().decided === t.seq}`, 'r true');
      deepEqual(t.did(), ['narrow', 'tell.grant']);
      equal(t.connect('w p'), 'in r');
      equal(t.narrow('r'), 'same');
      equal(t.narrow(''), 'done');
      equal(t.connect(null), 'in');
    },
  },
  {
    rule: 'A9.2',
    title: 'a revoked role keeps nothing: no grant, no request, no no; who asked is told',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      t.connect('p');
      t.reject(t.role().request?.id);
      t.connect('ap');
      equal(t.revoke(), 'done');
      equal(`${t.grant()} ${t.asks()} ${t.refused()}`, 'none none none');
      equal(t.outcomes(), 'ended ended');
      equal(t.did().includes('tell.grant'), true);
      equal(t.connect('r'), 'pairing_required');
    },
  },
  {
    rule: 'A9.3',
    title: 'gone is gone until an explicit decision brings it back, to what is given then',
    play(core) {
      const t = new Table(core);
      t.ensure('a');
      t.revoke();
      deepEqual([t.role().gone, t.role().decided], [t.seq, t.seq]);
      equal(t.connect('r', { secret: 'right', direct: true }), 'pairing_required');
      equal(t.approve(t.role().request?.id), 'done');
      deepEqual([t.grant(), t.role().gone], ['r', null]);
    },
  },
  {
    rule: 'A9.4',
    title: 'remove marks every role, so that none comes back by what a connect proves',
    play(core) {
      const t = new Table(core);
      t.ensure('camera.snap', t.owner, 'node');
      equal(t.remove(), 'done');
      equal(t.role().gone, t.seq);
      equal(t.role('node').gone, t.seq);
      equal(t.connect('r', { secret: 'right', direct: true }), 'pairing_required');
    },
  },
  {
    rule: 'A9.5',
    title: 'the codes that a device made end with its operator grant',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      t.revoke();
      equal(t.did().includes('store.codes.ended'), true);
      t.ensure('r');
      t.remove();
      equal(t.did().includes('store.codes.ended'), true);
      t.ensure('camera.snap', t.owner, 'node');
      t.revoke(t.owner, 'node');
      equal(t.did().includes('store.codes.ended'), false);
    },
  },
  {
    rule: 'A9.6',
    title: 'without a grant for its role a device calls nothing; nor does a token past its end',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      const session: Principal = { kind: 'device', device: t.state.device, role: 'operator', asked: null };
      const need = { method: 'm', role: 'any', scope: 'none' } as const;
      const may = (p: Principal) => core.decide.mayCall(p, { self: t.state, secretScopes: [] }, need, T0).ok;
      equal(may(session), true);
      equal(may({ ...session, device: 'device1' as DeviceId }), false);
      t.revoke();
      equal(may(session), false);
      const token = { kind: 'token', name: 'n', scopes: [] } as const;
      deepEqual([may({ ...token, until: null }), may({ ...token, until: T0 })], [true, false]);
    },
  },
  {
    rule: 'A10.1',
    title: 'rotating raises the epoch and closes nothing',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      equal(t.rotate(), 'done');
      deepEqual(t.did(), ['rotate']);
      deepEqual([t.role().epoch, t.grant(), t.role().decided === t.seq], [1, 'r', false]);
    },
  },
  {
    rule: 'A10.2',
    title: 'revoke and remove raise the epoch, and it is never reused',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      t.revoke();
      t.ensure('r');
      equal(t.role().epoch, 1);
      t.remove();
      t.ensure('r');
      deepEqual([t.role().epoch, t.role('node').epoch], [2, 1]);
    },
  },
  {
    rule: 'A10.3',
    title: 'rotating with scopes narrows as well, never widens',
    play(core) {
      const t = new Table(core);
      t.ensure('w');
      equal(t.rotate('p'), 'beyond_grant');
      equal(t.role().epoch, 0);
      equal(t.rotate('r'), 'done');
      deepEqual([t.grant(), t.role().epoch, t.did()], ['r', 1, ['rotate', 'narrow', 'tell.grant']]);
      equal(t.rotate('r'), 'done');
    },
  },
  {
    rule: 'A17.1',
    title: 'every change is recorded, by whom, and stored before anybody is told',
    play(core) {
      const t = new Table(core);
      t.connect('r');
      deepEqual(t.did(), ['ask', 'tell.request.opened']);
      t.ensure('r<50 p');
      t.at = T0 + 60;
      t.connect('ap');
      deepEqual(t.did(), ['expire', 'ask', 'tell.grant', 'tell.request.opened']);
      const change = t.effects.find((e) => e.kind === 'store.change')?.change;
      deepEqual([change?.by, words(change?.scopes ?? []), change?.device], [null, 'r<50', 'device0' as DeviceId]);
    },
  },
  {
    rule: 'A20.1',
    title: 'an end counts from its instant, written or not',
    play(core) {
      const t = new Table(core);
      t.ensure('r<50 p');
      t.at = T0 + 49;
      equal(t.connect(null), 'in p r');
      t.at = T0 + 50;
      equal(t.connect(null), 'in p');
      equal(t.grant(), 'p r<50');
      equal(
        core.decide.holds(
          { kind: 'device', device: t.state.device, role: 'operator', asked: null },
          { self: t.state, secretScopes: [] },
          'operator.read',
          t.at,
        ),
        undefined,
      );
    },
  },
  {
    rule: 'A20.2',
    title: 'giving for a while never shortens what is held for longer; only narrow and ensure do',
    play(core) {
      const t = new Table(core);
      t.ensure('r<90');
      t.connect('p');
      t.approve(t.role().request?.id, null, t.owner, { until: 50 });
      equal(t.grant(), 'p<50 r<90');
      equal(t.connect(null, t.with(t.code('r p'), t.by('p r<70 p<70').held)), 'in p r');
      equal(t.grant(), 'p r<90');
      equal(t.connect(null, t.with(t.code('r'))), 'in p r');
      equal(t.grant(), 'p r');
      t.ensure('r<10');
      equal(t.grant(), 'r<10');
    },
  },
  {
    rule: 'A20.3',
    title: 'ends are written by the ticker and by mutating commands, never by a read',
    play(core) {
      const t = new Table(core);
      t.ensure('r<50');
      const { state } = t;
      equal(t.tick(), 'same');
      equal(t.state, state);
      t.at = T0 + 50;
      t.connect(null);
      equal(t.state, state);
      t.tick();
      equal(t.grant(), '');
      deepEqual(t.did(), ['expire', 'tell.grant']);
      equal(t.state.revision, state.revision + 1);
      t.at = T0;
      t.ensure('r<50');
      t.at = T0 + 50;
      t.rename('x');
      equal(t.grant(), '');
    },
  },
  {
    rule: 'A20.4',
    title: 'a request and a no that time ended act no more, and are told as expired',
    play(core) {
      const t = new Table(core);
      const id = asking(t, 'r');
      t.at += 600_000;
      equal(t.approve(id), 'not_found');
      equal(t.asks(), 'r');
      t.connect('r');
      equal(t.outcomes(), 'expired');
      t.reject(t.role().request?.id);
      t.at += DAY_MS;
      t.tick();
      equal(`${t.refused()} ${t.outcomes()}`, 'none expired');
    },
  },
];
