import type { DeviceId, Principal } from '../../src/core/authz/principal.ts';
import { DAY_MS } from '../../src/core/base/instant.ts';
import { LABEL } from './action.ts';
import { deepEqual, equal, FULL_ROOM, scopes, T0, Table, words } from './table.ts';
import type { Transcript } from './transcript-type.ts';

const RIGHT = { secret: 'right', direct: true } as const;
const device = (asked: string | null): Principal => ({
  kind: 'device',
  device: 'device0' as DeviceId,
  role: 'operator',
  asked: asked === null ? null : scopes(asked),
});

/** A1–A8: what a connect is told, and what it leaves. */
export const CONNECTING: readonly Transcript[] = [
  {
    rule: 'A1.1',
    title: 'a session holds what is in closure(asked) and in closure(grant)',
    play(core) {
      const t = new Table(core);
      t.ensure('w p');
      const holds = (asked: string | null, scope: string) =>
        core.decide.holds(device(asked), { self: t.state, secretScopes: [] }, scopes(scope)[0] ?? '', T0) !== undefined;
      equal(holds('a', 'r'), true);
      equal(holds('r', 'w'), false);
      equal(holds('ap', 'ap'), false);
      equal(holds('', 'r'), false);
      equal(
        words(core.decide.heldBy(device('r'), { self: t.state, secretScopes: [] }, T0)),
        'r operator.sessions.read',
      );
      const other = { ...t.state, device: 'device1' as DeviceId };
      equal(core.decide.holds(device(null), { self: other, secretScopes: [] }, 'operator.read', T0), undefined);
    },
  },
  {
    rule: 'A1.2',
    title: 'no scopes asked means the grant, an empty list nothing',
    play(core) {
      const t = new Table(core);
      t.ensure('w p');
      equal(t.connect(null), 'in p w');
      equal(t.connect(''), 'in');
    },
  },
  {
    rule: 'A1.3',
    title: 'reported are the names of ask and grant, and the least that covers the rest',
    play(core) {
      const t = new Table(core);
      t.ensure('r w');
      equal(t.connect('a'), 'in r w');
      equal(t.connect('r'), 'in r');
      t.ensure('a');
      equal(t.connect('r p'), 'in p r');
      deepEqual(core.scope.reported(scopes('w'), scopes('operator.sessions.write r')), [
        'operator.read',
        'operator.sessions.write',
      ]);
      deepEqual(core.scope.reported(['operator.sessions.write'], scopes('r')), ['operator.sessions.read']);
    },
  },
  {
    rule: 'A1.4',
    title: 'the raw set is kept sorted and once, neither expanded nor reduced',
    play(core) {
      const t = new Table(core);
      t.connect('w r r');
      equal(t.asks(), 'r w');
      t.approve(t.role().request?.id);
      equal(t.grant(), 'r w');
      t.ensure('w r<50 r');
      equal(t.grant(), 'r w');
    },
  },
  {
    rule: 'A1.5',
    title: 'only known scopes can be given; the name of an operator scope is no command',
    play(core) {
      const { isKnown } = core.scope;
      deepEqual(
        ['operator.read', 'operator.root', 'camera.snap', ''].map((n) => isKnown('operator', n)),
        [true, false, false, false],
      );
      deepEqual(
        ['camera.snap', 'operator.admin', 'x y', '.a', 'canvas'].map((n) => isKnown('node', n)),
        [true, false, false, false, true],
      );
      const t = new Table(core);
      equal(t.ensure('no.such'), 'beyond_request');
      equal(t.ensure('a', t.owner, 'node'), 'beyond_request');
      equal(t.code('operator.root'), 'beyond_request');
    },
  },
  {
    rule: 'A1.6',
    title: 'closure: admin is everything, write is read, talk and sessions',
    play(core) {
      const { closure, OPERATOR_SCOPES } = core.scope;
      deepEqual(closure(scopes('a')), [...OPERATOR_SCOPES].sort());
      const write = [
        'operator.read',
        'operator.sessions.read',
        'operator.sessions.write',
        'operator.talk',
        'operator.write',
      ];
      deepEqual(closure(scopes('w')), write);
      deepEqual(closure(scopes('r')), ['operator.read', 'operator.sessions.read']);
      deepEqual(closure(['operator.sessions.write']), ['operator.sessions.read', 'operator.sessions.write']);
      deepEqual(closure(scopes('p ap')), scopes('p ap'));
    },
  },
  {
    rule: 'A1.7',
    title: 'nothing crosses roles',
    play(core) {
      const t = new Table(core);
      t.ensure('camera.snap', t.owner, 'node');
      equal(t.connect('r'), 'pairing_required');
      equal(t.grant('operator'), 'none');
      const node: Principal = { kind: 'device', device: 'device0' as DeviceId, role: 'node', asked: null };
      const facts = { self: t.state, secretScopes: [] };
      equal(words(core.decide.heldBy(node, facts, T0)), 'camera.snap');
      const may = (principal: Principal, role: 'operator' | 'node' | 'any') =>
        core.decide.mayCall(principal, facts, { method: 'm', role, scope: 'none' }, T0).ok;
      deepEqual(
        [may(node, 'node'), may(node, 'operator'), may(node, 'any'), may(device(null), 'node')],
        [true, false, true, false],
      );
      equal(core.decide.maySee(node, facts, 'camera.snap', T0), false);
      equal(core.decide.maySee(node, facts, 'none', T0), true);
    },
  },
  {
    rule: 'A2.1',
    title: 'labels never decide',
    play(core) {
      const other = {
        ...LABEL,
        clientId: 'openclaw-control-ui',
        clientMode: 'webchat',
        version: '0',
        name: 'x',
        remote: '8.8.8.8',
      };
      for (const start of ['', 'r', 'none']) {
        const t = new Table(core);
        if (start !== 'none') t.ensure(start);
        const plain = t.step(t.connectCommand('r p'));
        const labelled = t.step(t.connectCommand('r p', { label: other, source: 'y' }));
        equal(labelled.reply.kind, plain.reply.kind);
        deepEqual(labelled.state.roles.operator.grant, plain.state.roles.operator.grant);
        deepEqual(labelled.state.roles.operator.request?.scopes, plain.state.roles.operator.request?.scopes);
      }
    },
  },
  {
    rule: 'A4.1',
    title: 'a key with a grant always connects, whatever it brings and asks',
    play(core) {
      const t = new Table(core);
      t.ensure('');
      const full = FULL_ROOM({ fromSource: 9, total: 99, recent: 9999 });
      equal(t.connect('a', { secret: 'wrong', direct: true, askMode: 'closed', ...full }), 'in');
      equal(t.connect('r', { origin: 'allowed' }), 'in');
    },
  },
  {
    rule: 'A4.2',
    title: 'a wrong credential beside a key is as if absent, and named',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      const code = t.code('r');
      const reply = t.do(t.connectCommand('r', { secret: 'wrong', ...t.with(code) }));
      deepEqual(reply.kind === 'connected' && reply.ignored, ['secret', 'code']);
      const next = t.do(t.connectCommand('p', { secret: 'right', direct: true, ...t.with(t.code('p')) }));
      deepEqual(next.kind === 'connected' && next.ignored, []);
    },
  },
  {
    rule: 'A4.3',
    title: 'what was asked and not held is reported, with the request or the no about it',
    play(core) {
      const t = new Table(core);
      t.ensure('r');
      const one = t.do(t.connectCommand('r p'));
      equal(one.kind === 'connected' && `${words(one.missing)} ${one.request?.id} ${one.rejection}`, 'p r2 null');
      t.reject(t.role().request?.id);
      const two = t.do(t.connectCommand('r p'));
      equal(two.kind === 'connected' && `${words(two.missing)} ${two.request} ${two.rejection}`, 'p null r3');
      const three = t.do(t.connectCommand('r'));
      equal(three.kind === 'connected' && `${words(three.missing)} ${three.request} ${three.rejection}`, ' null null');
    },
  },
  {
    rule: 'A4.4',
    title: 'an origin off the list gets nothing and asks nothing, whatever it holds',
    play(core) {
      const t = new Table(core);
      equal(t.connect('r', { origin: 'foreign', ...RIGHT }), 'origin');
      t.ensure('r');
      equal(t.connect('r', { origin: 'foreign' }), 'origin');
      equal(t.connect('r', { origin: 'foreign', ...t.with(t.code('p')) }), 'origin');
      equal(t.grant(), 'r');
    },
  },
  {
    rule: 'A5.1',
    title: 'the same or a smaller ask joins the open request',
    play(core) {
      const t = new Table(core);
      equal(t.connect('w'), 'pairing_required');
      const { id } = t.role().request ?? {};
      for (const asked of ['w', 'r', '', null]) equal(t.connect(asked), 'pairing_required');
      equal(t.role().request?.id, id);
      t.ensure('p');
      equal(t.connect('r p'), 'in p');
      equal(t.role().request?.id, id);
      equal(t.upgrade('w'), 'same');
    },
  },
  {
    rule: 'A5.2',
    title: 'a larger ask is the union of all that is missing under a new id; the old one is superseded',
    play(core) {
      const t = new Table(core);
      t.connect('r');
      const first = t.role().request?.id;
      t.connect('p');
      equal(t.asks(), 'p r');
      equal(t.outcomes(), 'superseded');
      equal(t.role().request?.id === first, false);
      equal(t.approve(first, null, t.owner, { past: 'superseded' }), 'conflict');
      t.ensure('r');
      t.connect('ap');
      equal(t.asks(), 'ap p');
      const many = (name: string) => Array.from({ length: 20 }, (_, i) => `${name}.c${i + 10}`).join(' ');
      t.connect(many('a'), { role: 'node' });
      t.connect(many('b'), { role: 'node' });
      equal(t.asks('node'), many('b'));
    },
  },
  {
    rule: 'A5.5',
    title: 'a paired device does not ask again for what was rejected, until the ask grows beyond it',
    play(core) {
      const t = new Table(core);
      t.ensure('');
      t.connect('w p');
      t.reject(t.role().request?.id);
      for (const asked of ['w p', 'r', 'p', 'w']) equal(t.connect(asked), 'in');
      equal(t.asks(), 'none');
      t.connect('r ap');
      equal(t.asks(), 'ap r');
      equal(t.refused(), 'p w');
    },
  },
  {
    rule: 'A5.6',
    title: 'a rejected key asks nothing for 24 h; the no is listed under a new id and can be approved by it',
    play(core) {
      const t = new Table(core);
      t.connect('r');
      const asked = t.role().request?.id;
      t.reject(asked);
      equal(t.outcomes(), 'rejected');
      equal(t.refused(), 'r');
      equal(t.role().rejection?.id === asked, false);
      const reply = t.do(t.connectCommand('r p'));
      deepEqual(reply.kind === 'refused' && reply.refusal, {
        code: 'rejected',
        retry: { at: T0 + DAY_MS },
        rejection: t.role().rejection?.id,
      });
      t.at = T0 + DAY_MS - 1;
      equal(t.connect('r'), 'rejected');
      t.at = T0 + DAY_MS;
      equal(t.connect('r'), 'pairing_required');
      t.reject(t.role().request?.id);
      equal(t.approve(t.role().rejection?.id), 'done');
      equal(t.outcomes(), 'approved');
      equal(`${t.grant()} ${t.refused()}`, 'r none');
    },
  },
  {
    rule: 'A5.8',
    title: 'requestUpgrade asks over a no; the no stays listed',
    play(core) {
      const t = new Table(core);
      equal(t.upgrade('r'), 'not_found');
      t.ensure('');
      t.connect('r');
      t.reject(t.role().request?.id);
      equal(t.upgrade('r'), 'done');
      equal(`${t.asks()} ${t.refused()}`, 'r r');
      equal(t.upgrade('r'), 'same');
      t.approve(t.role().request?.id);
      equal(`${t.grant()} ${t.refused()}`, 'r none');
      equal(t.upgrade('r'), 'same');
    },
  },
  {
    rule: 'A5.9',
    title: 'an empty ask asks for the role; approving it makes an empty grant',
    play(core) {
      const t = new Table(core);
      equal(t.connect(null), 'pairing_required');
      equal(t.asks(), '');
      equal(t.approve(t.role().request?.id), 'done');
      equal(t.grant(), '');
      equal(t.connect(null), 'in');
    },
  },
  {
    rule: 'A6.1',
    title: 'a connect that is covered by grant, request or rejection writes nothing',
    play(core) {
      const t = new Table(core);
      const still = (asked: string) => {
        const { state } = t;
        t.connect(asked);
        equal(t.state, state);
        deepEqual(t.did(), []);
      };
      t.connect('r');
      still('r');
      t.ensure('p');
      still('p');
      still('r');
      t.reject(t.role().request?.id);
      still('r');
    },
  },
  {
    rule: 'A6.2',
    title: 'a code that adds nothing is left unused',
    play(core) {
      const t = new Table(core);
      t.ensure('w');
      const bring = t.with(t.code('r'));
      equal(t.connect(null, bring), 'in w');
      deepEqual(t.did(), []);
      t.ensure('r<50');
      equal(t.connect(null, t.with(t.code('r'))), 'in r');
      equal(t.grant(), 'r');
    },
  },
  {
    rule: 'A8.2',
    title: 'only a client that says it can wait is kept waiting',
    play(core) {
      const t = new Table(core);
      equal(t.connect('r'), 'pairing_required');
      equal(t.connect('r', { waits: true }), 'waiting');
    },
  },
];
