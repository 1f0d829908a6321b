import { ADMIN, APPROVALS, PAIRING, READ, type Scope, TALK, WRITE } from '../../src/core/authz/scope.ts';
import type { Knock } from './history.ts';
import type { Race } from './play.ts';
import type { Hand, Person, Stage, Voice } from './stage.ts';

/** `ensure` names its device by the key, and takes no other name. */
function named(method: string, { deviceId, ...params }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return method === 'device.pair.ensure' ? params : { deviceId, ...params };
}

const ASKS: readonly (readonly Scope[])[] = [[READ], [WRITE], [READ, APPROVALS], [READ, WRITE, TALK]];
const DECIDERS: readonly (readonly Scope[])[] = [[ADMIN], [PAIRING, WRITE, APPROVALS], [PAIRING, READ], [ADMIN, READ]];

/** Somebody who may decide: the owner, an admin, or one who holds less. */
async function decider(stage: Stage, name: string): Promise<Voice> {
  if (stage.random.chance(0.3)) return stage.owner();
  return stage.granted(name, stage.random.pick(DECIDERS));
}

/** A stranger's request, or a paired device's for more; its socket waits, or went away. */
async function request(stage: Stage, person: Person): Promise<string> {
  if (stage.random.chance(0.3)) await stage.house.ensure(person.device, person.key, [READ]);
  const asked = stage.random.pick([[WRITE], [READ, APPROVALS], [WRITE, APPROVALS]]);
  return stage.asks(person, asked, { waits: stage.random.chance(0.5) });
}

/** All of what was asked, or a part. */
function approval(stage: Stage, requestId: string): Record<string, unknown> {
  const part = stage.random.chance(0.25) ? { scopes: stage.random.some([WRITE, APPROVALS, READ], 0.5) } : {};
  return { requestId, ...part };
}

/** The same call again, by the same caller, under the same key: its answer was lost. */
function keyed(stage: Stage, params: Record<string, unknown>): Record<string, unknown> {
  return stage.random.chance(0.2) ? { ...params, idempotencyKey: `again ${stage.prefix}` } : params;
}

const knock = (stage: Stage): Partial<Knock> => ({
  asked: stage.random.chance(0.3) ? null : stage.random.pick(ASKS),
  waits: stage.random.chance(0.5),
});

const approveApprove: Race = {
  name: 'approve‖approve',
  rules: 'A5 A7 A17',
  set: async (stage) => {
    const { random } = stage;
    const deciders = [await decider(stage, 'A'), await decider(stage, 'B')];
    if (random.chance(0.3)) deciders.push(random.pick(deciders));
    const requestId = await request(stage, stage.person('D'));
    return deciders.map((voice, i) =>
      stage.hand(`decider ${i + 1}`, (hand) =>
        hand.call(voice, 'device.pair.approve', keyed(stage, approval(stage, requestId))),
      ),
    );
  },
};

const approveReject: Race = {
  name: 'approve‖reject',
  rules: 'A5 A7 A17',
  set: async (stage) => {
    const { random } = stage;
    const [a, b] = [await decider(stage, 'A'), await decider(stage, 'B')];
    const d = stage.person('D');
    const requestId = await request(stage, d);
    const hands = [
      stage.hand('approver', (hand) => hand.call(a, 'device.pair.approve', approval(stage, requestId))),
      stage.hand('rejecter', (hand) => hand.call(b, 'device.pair.reject', { requestId })),
    ];
    if (random.chance(0.4)) hands.push(stage.hand('device', (hand) => hand.connect(d, knock(stage))));
    return hands;
  },
};

const approveRevoke: Race = {
  name: 'approve‖revoke of the approver',
  rules: 'A7 A9',
  set: async (stage) => {
    const { random } = stage;
    const a = await stage.granted('A', random.pick(DECIDERS));
    const b = await decider(stage, 'B');
    const d = stage.person('D');
    const requestId = await request(stage, d);
    const deviceId = a.device;
    const [method, more] = random.pick([
      ['device.token.revoke', { role: 'operator' }],
      ['device.pair.remove', {}],
      ['device.grant.narrow', { role: 'operator', scopes: [READ] }],
      // These two are committed together with what came before them.
      ['device.token.rotate', { role: 'operator', scopes: [READ] }],
      ['device.pair.ensure', { role: 'operator', scopes: [READ], publicKey: a.key }],
    ] as const);
    const hands = [
      stage.hand('approver', (hand) => hand.call(a, 'device.pair.approve', approval(stage, requestId))),
      stage.hand('revoker', (hand) =>
        hand.call(random.chance(0.15) ? a : b, method, named(method, { deviceId, ...more })),
      ),
    ];
    if (random.chance(0.3)) hands.push(stage.hand('device', (hand) => hand.connect(d, knock(stage))));
    return hands;
  },
};

const rotateConnect: Race = {
  name: 'rotate‖connect',
  rules: 'A4 A10',
  set: async (stage) => {
    const { random } = stage;
    const d = await stage.granted(
      'D',
      random.pick([
        [READ, WRITE],
        [PAIRING, READ],
        [READ, APPROVALS],
      ]),
    );
    const b = await decider(stage, 'B');
    const scopes = random.chance(0.4) ? { scopes: [READ] } : {};
    const token = random.chance(0.7) ? 'x'.repeat(43) : null;
    const hands = [
      stage.hand('rotator', (hand) =>
        hand.call(random.chance(0.4) ? d : b, 'device.token.rotate', {
          deviceId: d.device,
          role: 'operator',
          ...scopes,
        }),
      ),
      stage.hand('device', async (hand) => {
        await hand.connect(d, { ...knock(stage), token });
        if (random.chance(0.3)) await hand.connect(d, knock(stage));
      }),
    ];
    return hands;
  },
};

const redeemRedeem: Race = {
  name: 'redeem‖redeem',
  rules: 'A14',
  set: async (stage) => {
    const { random } = stage;
    const isOwners = random.chance(0.4);
    const m = isOwners ? null : await stage.granted('M', random.pick([[ADMIN], [PAIRING, WRITE]]));
    const code = await stage.code(m?.as ?? { kind: 'owner' }, random.pick([[READ], [WRITE], [READ, WRITE]]));
    const d = stage.person('D');
    const e = random.chance(0.7) ? stage.person('E') : d;
    if (random.chance(0.3)) await stage.house.ensure(e.device, e.key, [READ]);
    const hands = [d, e].map((person, i) =>
      stage.hand(`device ${i + 1}`, (hand) => hand.connect(person, { ...knock(stage), code })),
    );
    if (m !== null && random.chance(0.4)) {
      const [method, more] = random.pick([
        ['device.token.revoke', {}],
        ['device.grant.narrow', { scopes: [PAIRING] }],
        ['device.token.rotate', { scopes: [PAIRING] }],
        ['device.pair.ensure', { scopes: [READ], publicKey: m.key }],
      ] as const);
      const owner = stage.owner();
      hands.push(
        stage.hand('owner', (hand) =>
          hand.call(owner, method, named(method, { deviceId: m.device, role: 'operator', ...more })),
        ),
      );
    }
    return hands;
  },
};

const removeReconnect: Race = {
  name: 'remove‖reconnect',
  rules: 'A4 A9 A13',
  set: async (stage) => {
    const { random } = stage;
    const b = await decider(stage, 'B');
    const isHere = random.chance(0.4);
    const d = stage.person('D', isHere ? 'direct' : 'elsewhere');
    const isPaired = random.chance(0.7);
    if (isPaired) await stage.house.ensure(d.device, d.key, random.pick([[READ], [READ, WRITE]]));
    const old = isPaired && random.chance(0.7) ? await stage.session(d) : null;
    const secret = isHere && random.chance(0.7) ? 'right' : 'none';
    return [
      stage.hand('remover', (hand) =>
        random.chance(0.7)
          ? hand.call(b, 'device.pair.remove', { deviceId: d.device })
          : hand.call(b, 'device.token.revoke', { deviceId: d.device, role: 'operator' }),
      ),
      stage.hand('device', async (hand) => {
        if (random.chance(0.5)) old?.line.hangUp();
        const { voice, reply } = await hand.connect(d, { ...knock(stage), secret });
        if (reply?.kind === 'connected' && random.chance(0.5))
          await hand.call(voice, 'device.scopes.requestUpgrade', { scopes: [APPROVALS] });
        else if (random.chance(0.3)) await hand.connect(d, { ...knock(stage), secret });
      }),
    ];
  },
};

/** The six that an owner meets first. */
export const NAMED: readonly Race[] = [
  approveApprove,
  approveReject,
  approveRevoke,
  rotateConnect,
  redeemRedeem,
  removeReconnect,
];

const rotateRotate: Race = {
  name: 'rotate‖rotate',
  rules: 'A10',
  set: async (stage) => {
    const { random } = stage;
    const d = await stage.granted(
      'D',
      random.pick([
        [PAIRING, READ, WRITE],
        [READ, WRITE],
      ]),
    );
    const others = [await decider(stage, 'B'), d, ...(random.chance(0.5) ? [await stage.session(d)] : [])];
    return others.map((voice, i) =>
      stage.hand(`rotator ${i + 1}`, (hand) => {
        const scopes = random.chance(0.3) ? { scopes: random.pick([[READ], [WRITE], []]) } : {};
        return hand.call(
          voice,
          'device.token.rotate',
          keyed(stage, { deviceId: d.device, role: 'operator', ...scopes }),
        );
      }),
    );
  },
};

const rotateRevoke: Race = {
  name: 'rotate‖revoke',
  rules: 'A9 A10',
  set: async (stage) => {
    const { random } = stage;
    const d = await stage.granted('D', [READ, WRITE]);
    const [a, b] = [await decider(stage, 'A'), await decider(stage, 'B')];
    const about = { deviceId: d.device, role: 'operator' };
    const hands = [
      stage.hand('rotator', (hand) => hand.call(random.chance(0.5) ? d : a, 'device.token.rotate', about)),
      stage.hand('revoker', (hand) => hand.call(random.chance(0.2) ? d : b, 'device.token.revoke', about)),
    ];
    if (random.chance(0.4)) hands.push(stage.hand('device', (hand) => hand.connect(d, knock(stage))));
    return hands;
  },
};

const twoAdmins: Race = {
  name: 'two admins and a device',
  rules: 'A5 A7 A9',
  set: async (stage) => {
    const { random } = stage;
    const a = await stage.granted('A', [ADMIN]);
    const b = await stage.granted('B', random.pick(DECIDERS));
    const d = stage.person('D');
    const requestId = await request(stage, d);
    const some = (voice: Voice, other: Person) => async (hand: Hand) => {
      const about = random.pick([other, d]);
      switch (random.pick(['approve', 'reject', 'narrow', 'revoke', 'ensure'] as const)) {
        case 'approve':
          return hand.call(voice, 'device.pair.approve', approval(stage, requestId));
        case 'reject':
          return hand.call(voice, 'device.pair.reject', { requestId });
        case 'narrow':
          return hand.call(voice, 'device.grant.narrow', { deviceId: about.device, role: 'operator', scopes: [READ] });
        case 'revoke':
          return hand.call(voice, 'device.token.revoke', { deviceId: about.device, role: 'operator' });
        case 'ensure':
          return hand.call(voice, 'device.pair.ensure', {
            publicKey: about.key,
            role: 'operator',
            scopes: [READ, WRITE],
          });
      }
    };
    const twice = (voice: Voice, other: Person) => async (hand: Hand) => {
      await some(voice, other)(hand);
      if (random.chance(0.5)) await some(voice, other)(hand);
    };
    return [
      stage.hand('admin 1', twice(a, b)),
      stage.hand('admin 2', twice(b, a)),
      stage.hand('device', async (hand) => {
        await hand.connect(d, knock(stage));
      }),
    ];
  },
};

const narrowCall: Race = {
  name: 'narrow‖call',
  rules: 'A7 A9',
  set: async (stage) => {
    const { random } = stage;
    const a = await stage.granted('A', random.pick([[ADMIN], [PAIRING, WRITE]]));
    const b = stage.owner();
    const d = await stage.granted('D', [READ]);
    const [method, params] = random.pick([
      ['device.pair.list', {}],
      ['status', {}],
      ['device.grant.narrow', { deviceId: d.device, role: 'operator', scopes: [] }],
      ['device.pair.ensure', { publicKey: d.key, role: 'operator', scopes: [WRITE] }],
    ] as const);
    const scopes = random.pick([[READ], [PAIRING], []]);
    const narrows = { deviceId: a.device, role: 'operator', scopes: a.as.kind === 'owner' ? [] : scopes };
    return [
      stage.hand('narrower', (hand) => hand.call(b, 'device.grant.narrow', narrows)),
      stage.hand('caller', async (hand) => {
        await hand.call(a, method, params);
        await hand.call(a, method, params);
      }),
    ];
  },
};

const ensureApprove: Race = {
  name: 'ensure‖approve',
  rules: 'A5 A7',
  set: async (stage) => {
    const { random } = stage;
    const [a, b] = [await stage.granted('A', random.pick(DECIDERS)), await decider(stage, 'B')];
    const d = stage.person('D');
    const requestId = await request(stage, d);
    const scopes = random.pick([[READ], [WRITE], [WRITE, APPROVALS], [PAIRING]]);
    const ensures = { publicKey: d.key, role: 'operator', scopes };
    const hands = [
      stage.hand('ensurer', (hand) => hand.call(b, 'device.pair.ensure', ensures)),
      stage.hand('approver', (hand) => hand.call(a, 'device.pair.approve', approval(stage, requestId))),
    ];
    if (random.chance(0.5)) hands.push(stage.hand('device', (hand) => hand.connect(d, knock(stage))));
    return hands;
  },
};

const ensureConnect: Race = {
  name: 'ensure‖connect',
  rules: 'A5 A8',
  set: async (stage) => {
    const { random } = stage;
    const b = await decider(stage, 'B');
    const d = stage.person('D');
    if (random.chance(0.3)) await stage.asks(d, [READ]);
    const ensures = {
      publicKey: d.key,
      role: 'operator',
      scopes: random.pick([[READ], [WRITE, APPROVALS, TALK], [ADMIN]]),
    };
    const hands = [
      stage.hand('ensurer', (hand) => hand.call(b, 'device.pair.ensure', ensures)),
      stage.hand('device', (hand) => hand.connect(d, { ...knock(stage), waits: random.chance(0.8) })),
    ];
    if (random.chance(0.3)) {
      const owner = stage.owner();
      hands.push(stage.hand('remover', (hand) => hand.call(owner, 'device.pair.remove', { deviceId: d.device })));
    }
    return hands;
  },
};

const revokeRevoke: Race = {
  name: 'revoke‖revoke of each other',
  rules: 'A7 A9',
  set: async (stage) => {
    const { random } = stage;
    const scopes = random.pick([[ADMIN], [PAIRING, READ]]);
    const [a, b] = [await stage.granted('A', scopes), await stage.granted('B', scopes)];
    const end = (voice: Voice, about: Person) => (hand: Hand) =>
      random.chance(0.5)
        ? hand.call(voice, 'device.pair.remove', { deviceId: about.device })
        : hand.call(voice, 'device.token.revoke', { deviceId: about.device, role: 'operator' });
    const hands = [stage.hand('A', end(a, b)), stage.hand('B', end(b, a))];
    if (random.chance(0.3)) hands.push(stage.hand('B again', end(await stage.session(b), a)));
    return hands;
  },
};

/** What else meets. */
export const MORE: readonly Race[] = [
  rotateRotate,
  rotateRevoke,
  twoAdmins,
  narrowCall,
  ensureApprove,
  ensureConnect,
  revokeRevoke,
];
