import type { Principal, RequestId } from '../../src/core/authz/principal.ts';
import { DAY_MS } from '../../src/core/base/instant.ts';
import { deepEqual, equal, SECRET, scopes, Table } from './table.ts';
import type { Transcript } from './transcript-type.ts';

/** A key that asked `asks`, and nothing else. */
function asking(t: Table, asks: string): RequestId | undefined {
  t.connect(asks);
  return t.role().request?.id;
}

/** A5, A7: what a decision gives, and who may make it. */
export const DECIDING: readonly Transcript[] = [
  {
    rule: 'A5.3',
    title: 'a closed id never acts again, and says what became of it',
    play(core) {
      const t = new Table(core);
      const id = asking(t, 'r');
      equal(t.approve(id), 'done');
      equal(t.approve(id, null, t.owner, { past: 'approved' }), 'conflict');
      equal(t.reject(id, t.owner, 'approved'), 'conflict');
      equal(t.approve(id), 'not_found');
      equal(t.grant(), 'r');
      t.connect('p');
      const second = t.role().request?.id;
      t.reject(second);
      equal(t.approve(second, null, t.owner, { past: 'rejected' }), 'conflict');
      const reply = t.do({
        ...t.common(),
        kind: 'reject',
        decider: t.owner,
        id: second as RequestId,
        past: 'rejected',
      });
      equal(reply.kind === 'refused' && reply.refusal.outcome, 'rejected');
      equal(t.reject(t.role().rejection?.id), 'conflict');
    },
  },
  {
    rule: 'A5.4',
    title: 'whatever grants what a request wanted closes it as approved; so is a no',
    play(core) {
      const t = new Table(core);
      asking(t, 'r');
      t.ensure('w');
      equal(`${t.asks()} ${t.outcomes()}`, 'none approved');
      t.connect('p ap');
      t.reject(t.role().request?.id);
      t.upgrade('p');
      t.approve(t.role().request?.id);
      equal(t.refused(), 'ap');
      equal(t.connect(null, t.with(t.code('ap'))), 'in ap p w');
      equal(`${t.refused()} ${t.outcomes()}`, 'none approved');
      t.narrow('r');
      t.connect('p');
      t.ensure('r ap');
      equal(`${t.asks()} ${t.outcomes()}`, 'p ');
    },
  },
  {
    rule: 'A5.7',
    title: 'what a partial approval leaves out was said no to, beside what was before',
    play(core) {
      const t = new Table(core);
      equal(t.approve(asking(t, 'r p ap'), 'r'), 'done');
      equal(`${t.grant()} no ${t.refused()} asks ${t.asks()}`, 'r no ap p asks none');
      equal(t.role().decided, t.seq);
      equal(t.connect('ap'), 'in');
      equal(t.asks(), 'none');
      const t2 = new Table(core);
      equal(t2.approve(asking(t2, 'w'), 'r'), 'done');
      equal(`${t2.grant()} no ${t2.refused()}`, 'r no w');
      const t3 = new Table(core);
      t3.approve(asking(t3, 'r'));
      equal(t3.role().decided, null);
    },
  },
  {
    rule: 'A5.10',
    title: 'a no is added to the one before, under a new id, for another day',
    play(core) {
      const t = new Table(core);
      t.ensure('');
      t.reject(asking(t, 'r'));
      t.at += 1000;
      t.connect('p');
      t.reject(t.role().request?.id);
      equal(t.refused(), 'p r');
      equal(t.outcomes(), 'rejected superseded');
      equal(t.role().rejection?.until, t.at + DAY_MS);
      const listed = t.role().rejection?.id;
      equal(t.approve(listed, 'p'), 'done');
      equal(`${t.grant()} no ${t.refused()} ${t.outcomes()}`, 'p no r approved');
      equal(t.role().rejection?.id === listed, false);
    },
  },
  {
    rule: 'A7.1',
    title: 'deciding needs operator.pairing',
    play(core) {
      const t = new Table(core);
      const id = asking(t, 'r');
      const weak = t.by('w ap');
      deepEqual([t.approve(id, null, weak), t.reject(id, weak)], ['missing_scope', 'missing_scope']);
      t.ensure('r');
      deepEqual(
        [t.narrow('', weak), t.rotate(null, weak), t.revoke(weak), t.remove(weak), t.rename('x', weak)],
        Array(5).fill('missing_scope'),
      );
    },
  },
  {
    rule: 'A7.2',
    title: 'an approval gives ⊆ closure(asked)',
    play(core) {
      const t = new Table(core);
      const id = asking(t, 'w');
      equal(t.approve(id, 'w p'), 'beyond_request');
      equal(t.approve(id, 'r'), 'done');
    },
  },
  {
    rule: 'A7.3',
    title: 'who approves or rejects must hold all that was asked, ends aside',
    play(core) {
      const t = new Table(core);
      const id = asking(t, 'r ap');
      deepEqual([t.approve(id, 'r', t.by('p r')), t.reject(id, t.by('p r'))], ['not_found', 'not_found']);
      equal(t.reject(id, t.by('p r<9 ap<9')), 'done');
      equal(t.approve(t.role().rejection?.id, null, t.by('p w ap')), 'done');
    },
  },
  {
    rule: 'A7.4',
    title: 'nobody gives for longer than they hold',
    play(core) {
      const t = new Table(core);
      equal(t.approve(asking(t, 'r'), null, t.by('p r<50')), 'done');
      equal(t.grant(), 'r<50');
      const u = new Table(core);
      equal(u.approve(asking(u, 'r'), null, u.by('p r<50'), { until: 20 }), 'done');
      equal(u.grant(), 'r<20');
      const v = new Table(core);
      v.connect('camera.snap', { role: 'node' });
      equal(v.approve(v.role('node').request?.id, null, v.by('a<70')), 'done');
      equal(v.grant('node'), 'camera.snap<70');
      const w = new Table(core);
      equal(w.approve(asking(w, 'r'), null, w.by('p r<50 w<80')), 'done');
      equal(w.grant(), 'r<80');
    },
  },
  {
    rule: 'A7.5',
    title: 'narrowing, rotating, revoking, removing need what could have been given, ends included',
    play(core) {
      const t = new Table(core);
      t.ensure('r ap');
      const low = t.by('p r');
      deepEqual([t.narrow('', low), t.rotate(null, low), t.revoke(low), t.remove(low)], Array(4).fill('not_found'));
      const short = t.by('p r ap<50');
      const reply = t.do({ ...t.common(), kind: 'revoke', role: 'operator', decider: short });
      deepEqual(reply.kind === 'refused' && reply.refusal, {
        code: 'beyond_decider',
        retry: 'never',
        scopes: scopes('ap'),
      });
      equal(t.remove(short), 'beyond_decider');
      equal(t.narrow('r', t.by('p r ap')), 'done');
      equal(t.revoke(t.by('p w')), 'done');
      deepEqual([t.narrow(''), t.rotate(), t.revoke()], Array(3).fill('not_found'));
    },
  },
  {
    rule: 'A7.6',
    title: 'a device may always narrow, rotate, revoke and remove itself',
    play(core) {
      const own = (t: Table) => t.by('', 'device0');
      const t = new Table(core);
      t.ensure('a');
      equal(t.narrow('r', own(t)), 'done');
      equal(t.rotate(null, own(t)), 'done');
      equal(t.revoke(own(t)), 'done');
      t.ensure('a');
      t.connect('camera.snap', { role: 'node' });
      equal(t.remove(own(t)), 'done');
    },
  },
  {
    rule: 'A7.7',
    title: 'roles other than operator need admin',
    play(core) {
      const t = new Table(core);
      t.connect('camera.snap', { role: 'node' });
      const id = t.role('node').request?.id;
      equal(t.approve(id, null, t.by('p w ap')), 'not_found');
      equal(t.approve(id, null, t.by('a')), 'done');
      equal(t.narrow('', t.by('p w'), 'node'), 'not_found');
      const bare = new Table(core);
      bare.connect('', { role: 'node' });
      equal(bare.approve(bare.role('node').request?.id, null, bare.by('p w')), 'not_found');
      const reply = t.do({ ...t.common(), kind: 'narrow', role: 'node', scopes: [], decider: t.by('a<9') });
      deepEqual(reply.kind === 'refused' && reply.refusal, {
        code: 'beyond_decider',
        retry: 'never',
        scopes: scopes('a'),
      });
    },
  },
  {
    rule: 'A7.8',
    title: 'to who could not decide a row is not found; its own says what is lacking',
    play(core) {
      const t = new Table(core);
      t.ensure('p r');
      t.connect('ap');
      const id = t.role().request?.id;
      equal(t.approve(id, null, t.by('p r')), 'not_found');
      const reply = t.do({
        ...t.common(),
        kind: 'approve',
        id: id as RequestId,
        scopes: null,
        until: null,
        past: null,
        decider: t.by('p r', 'device0'),
      });
      deepEqual(reply.kind === 'refused' && reply.refusal, {
        code: 'beyond_decider',
        retry: 'never',
        scopes: scopes('ap'),
      });
      const sees = (by: string, device?: string) =>
        core.decide.maySeeScopes(t.by(by, device), t.state, 'operator', scopes('ap'));
      deepEqual([sees('p r'), sees('p ap<5'), sees('r', 'device0'), sees('ap')], [false, true, true, false]);
    },
  },
  {
    rule: 'A7.10',
    title: 'ensure: exactly these, without a request, over a no; owner or permanent admin only',
    play(core) {
      const t = new Table(core);
      deepEqual(
        [t.ensure('r', t.by('p r')), t.ensure('r', t.by('a<50')), t.ensure('r', t.by('a'))],
        ['missing_scope', 'missing_scope', 'done'],
      );
      t.reject(asking(t, 'ap'));
      equal(t.ensure('p w<70'), 'done');
      equal(`${t.grant()} no ${t.refused()}`, 'p w<70 no none');
      equal(t.outcomes(), 'superseded');
      equal(t.role().decided, t.seq);
      t.revoke();
      equal(t.ensure('r'), 'done');
      equal(t.role().gone, null);
    },
  },
  {
    rule: 'A7.11',
    title: 'ensuring what holds writes nothing, and keeps who gave it',
    play(core) {
      const t = new Table(core);
      t.approve(asking(t, 'r'), null, t.by('p r', 'device5'));
      equal(t.ensure('r'), 'same');
      equal(t.ensure('r p'), 'done');
      deepEqual(
        t.role().grant?.entries.map((e) => e.by.kind),
        ['owner', 'device'],
      );
      equal(t.role().grant?.by.kind, 'device');
    },
  },
  {
    rule: 'A7.12',
    title: 'remove judges each role by its grant, or by what it asks where it has none',
    play(core) {
      const t = new Table(core);
      equal(t.remove(), 'not_found');
      t.connect('r ap');
      equal(t.remove(t.by('p r')), 'not_found');
      equal(t.remove(t.by('p r<5 ap<5')), 'done');
      t.ensure('r');
      t.connect('ap');
      equal(t.remove(t.by('p r')), 'done');
      t.ensure('r');
      t.connect('camera.snap', { role: 'node' });
      equal(t.remove(t.by('p r')), 'not_found');
    },
  },
  {
    rule: 'A7.13',
    title: 'the gateway itself and channel senders decide nothing',
    play(core) {
      const t = new Table(core);
      const id = asking(t, 'r');
      for (const principal of [
        { kind: 'internal', component: 'publisher' },
        { kind: 'sender', channel: 'c', sender: 's', scopes: scopes('a') },
      ] satisfies Principal[]) {
        const by = { principal, held: t.owner.held };
        deepEqual(
          [t.approve(id, null, by), t.reject(id, by), t.ensure('r', by), t.code('r', by)],
          Array(4).fill('missing_scope'),
        );
      }
      t.secret = scopes('p r');
      equal(t.approve(id, null, t.as(SECRET)), 'done');
      deepEqual(t.role().grant?.by, { kind: 'secret' });
    },
  },
  {
    rule: 'A7.16',
    title: 'a session that asked for pairing alone rejects and removes by all it could hold, and gives nothing so',
    play(core) {
      const session = (asked: string): Principal => ({ kind: 'secret', asked: scopes(asked) });
      const t = new Table(core);
      t.secret = scopes('p r w');
      const id = asking(t, 'r');
      equal(t.approve(id, null, t.as(session('p'))), 'not_found');
      // What a decision needs besides, a no needs too: that the session asked to decide at all.
      equal(t.reject(id, t.as(session('r w'), 'reject')), 'missing_scope');
      equal(t.reject(id, t.as(session('p'), 'reject')), 'done');
      equal(t.approve(t.role().rejection?.id), 'done');
      equal(t.narrow('', t.as(session('p'), 'narrow')), 'not_found');
      equal(t.revoke(t.as(session('p'), 'revoke')), 'not_found');
      equal(t.remove(t.as(session('p'), 'remove')), 'done');
      t.ensure('a');
      // All it could hold is not all there is.
      equal(t.remove(t.as(session('p'), 'remove')), 'not_found');
    },
  },
  {
    rule: 'A7.14',
    title: 'narrowing keeps who gave what is left, and for how long',
    play(core) {
      const t = new Table(core);
      t.approve(asking(t, 'r'), null, t.by('p r', 'device5'));
      t.approve(asking(t, 'w'), null, t.by('p w', 'device6'), { until: 60 });
      equal(t.grant(), 'r w<60');
      t.narrow('w');
      equal(t.grant(), 'w<60');
      deepEqual(t.role().grant?.entries[0]?.by, { kind: 'device', device: 'device6' });
      deepEqual(t.role().grant?.by, { kind: 'device', device: 'device5' });
      t.ensure('a<80');
      equal(t.narrow('p'), 'done');
      equal(t.grant(), 'p<80');
    },
  },
  {
    rule: 'A7.15',
    title: 'a paired device is renamed by who could end it, and by itself',
    play(core) {
      const t = new Table(core);
      t.connect('r');
      equal(t.rename('x'), 'not_found');
      t.ensure('ap');
      equal(t.rename('x', t.by('p r')), 'not_found');
      equal(t.rename('x', t.by('', 'device0')), 'done');
      equal(t.rename('x'), 'same');
      t.connect('camera.snap', { role: 'node' });
      equal(t.rename('y'), 'done');
      equal(t.state.name, 'y');
    },
  },
];
