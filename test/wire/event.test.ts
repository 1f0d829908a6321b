// Events that come by themselves, on a gateway in this process whose clock is ours to move: in the recorded shape, and in
// frames that clients of protocol 3 accept.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMemory } from '../../src/store/memory/memory.ts';
import { plainParams } from '../partner/client.ts';
import { deviceBlock, type Identity, newIdentity } from '../partner/identity.ts';
import type { Payload } from '../partner/peer.ts';
import { House, SECRET } from '../race/house.ts';
import { tcpFrom } from '../race/line.ts';
import { Schedule, turn } from '../race/schedule.ts';
import { ADMIN, PAIRING, READ } from '../scenario/act.ts';
import { RELEASES, type Release, recordedEvents } from './conversation.ts';
import { strangers } from './envelope.ts';
import { EXCEPTIONS } from './exception.ts';
import { differences, shapeOf } from './shape.ts';

/** A socket of which everything is kept as it came. */
class Ear {
  readonly texts: string[] = [];
  closed: number | null = null;
  readonly #receiver;
  #next = 0;

  constructor(house: House) {
    this.#receiver = house.gateway.accept({
      facts: tcpFrom('127.0.0.1'),
      send: (text) => void this.texts.push(text),
      buffered: () => 0,
      close: (code) => {
        this.closed = code;
      },
      cut: () => undefined,
      allow: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
    });
  }

  /** The answer, after some turns of the event loop; `undefined`: none yet. */
  async say(method: string, params?: unknown): Promise<Payload> {
    this.#next += 1;
    const id = `e${this.#next}`;
    this.#receiver.message(JSON.stringify({ type: 'req', id, method, params }));
    for (let turns = 0; turns < 20; turns += 1) await turn();
    return this.frames.find((frame) => frame.type === 'res' && frame.id === id);
  }

  async connect(protocol: 3 | 4, client: object, scopes: readonly string[], token = SECRET): Promise<Payload> {
    const about = { version: '1', platform: 'linux', ...client };
    const [minProtocol, maxProtocol] = [protocol, protocol];
    return this.say('connect', { minProtocol, maxProtocol, client: about, role: 'operator', scopes, auth: { token } });
  }

  /** A key that asks to be paired, as a client of 3.13 does. */
  async ask(identity: Identity): Promise<Payload> {
    const params = plainParams({ minProtocol: 3, maxProtocol: 3 });
    const { nonce, ts } = this.frames[0].payload;
    const device = deviceBlock(identity, params, { version: 'v3', nonce, signedAt: ts });
    return this.say('connect', { ...params, device });
  }

  get frames(): Payload[] {
    return this.texts.map((text) => JSON.parse(text));
  }

  events(name: string): Payload[] {
    return this.frames.filter((frame) => frame.event === name);
  }
}

const UI = { id: 'some-ui', mode: 'ui', displayName: 'a window\u202e', instanceId: 'one\u001b[2J' };
const protocolOf = (release: Release) => (release === '2026.9.6' ? 4 : 3);

describe('events that come by themselves', () => {
  let house: House;
  beforeEach(async () => {
    house = await House.open(openMemory(), new Schedule());
    await house.gateway.start();
  });
  afterEach(() => house.close());

  async function listening(protocol: 3 | 4, client: object = { id: 'cli', mode: 'cli' }): Promise<Ear> {
    const ear = new Ear(house);
    expect(await ear.connect(protocol, client, [READ, PAIRING])).toMatchObject({ ok: true });
    return ear;
  }

  async function pass(durationMs: number): Promise<void> {
    house.clock.advance(durationMs);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }

  it.each(RELEASES)('rule %s health comes each minute, as it was recorded', async (release) => {
    const ear = await listening(protocolOf(release));
    await pass(60_000);
    const [event] = ear.events('health');
    expect(event).toBeDefined();
    const recorded = recordedEvents('health').filter((r) => r.release === release);
    expect(recorded.length).toBeGreaterThan(0);
    const listed = EXCEPTIONS.filter(({ of, releases }) => of.includes('health') && releases.includes(release));
    for (const { members, shape } of recorded) {
      expect(Object.keys(event)).toEqual(expect.arrayContaining([...members]));
      const open = differences(shape, shapeOf(event.payload), 'payload').filter(
        ({ path }) => !listed.some(({ paths }) => paths.includes(path)),
      );
      expect(open.map(({ how }) => how)).toEqual([]);
    }
  });

  it('A2 health names the agents to who may ask for them, and to nobody else, with every way in which it is told', async () => {
    const [may, mayNot] = [await listening(3), new Ear(house)];
    const hello = await mayNot.connect(4, { id: 'cli', mode: 'cli' }, [PAIRING]);
    await pass(60_000);
    const told = [hello.payload.snapshot.health, (await mayNot.say('health')).payload];
    const [event, ...more] = mayNot.events('health');
    expect([more, may.events('health').length]).toEqual([[], 1]);
    const ids = ({ agents }: Payload) => agents.map(({ agentId }: Payload) => agentId);
    for (const health of [...told, event.payload]) expect(ids(health)).toEqual(['main']);
    expect(ids(may.events('health')[0].payload)).toEqual(['main', 'second']);
    expect(ids((await may.say('health')).payload)).toEqual(['main', 'second']);
    expect(may.events('health')[0].stateVersion).toEqual(event.stateVersion);
  });

  it('rule tick comes twice a minute with its instant and a number', async () => {
    const ear = await listening(3);
    await pass(60_000);
    const ticks = ear.events('tick');
    expect(ticks.map(({ payload }) => Object.keys(payload))).toEqual([['ts'], ['ts']]);
    expect(ticks[1].payload.ts - ticks[0].payload.ts).toBe(30_000);
    expect(ticks.every(({ seq }) => Number.isInteger(seq))).toBe(true);
  });

  it('A2 presence tells who reads of clients that stay, as they call themselves, and of no command', async () => {
    const [ear, deaf] = [await listening(3), new Ear(house)];
    expect(await deaf.connect(3, { id: 'cli', mode: 'cli' }, [])).toMatchObject({ ok: true });
    const hello = await listening(4, UI);
    await listening(3);
    await pass(0);
    const [event, ...more] = ear.events('presence');
    expect(more).toEqual([]);
    expect(Object.keys(event).sort()).toEqual(['event', 'payload', 'seq', 'stateVersion', 'type']);
    expect(event.payload.presence).toEqual(await ear.say('system-presence').then(({ payload }) => payload));
    expect(event.payload.presence).toHaveLength(2);
    expect(event.payload.presence[1]).toMatchObject({ mode: 'ui', version: '1', platform: 'linux', reason: 'connect' });
    // Names are shown as claimed, without what would steer a terminal (A15).
    expect(JSON.stringify(event.payload)).not.toMatch(/\\u001b|\u202e/);
    expect(deaf.events('presence')).toEqual([]);
    expect(hello.events('presence')).toHaveLength(1);
    const late = new Ear(house);
    const { payload } = await late.connect(4, { id: 'cli', mode: 'cli' }, [READ]);
    expect(payload.snapshot.presence).toEqual(event.payload.presence);
    expect(payload.snapshot.stateVersion.presence).toBe(event.stateVersion.presence);
  });

  it('rule frames of every kind on v3 sockets have no member that their clients know nothing of', async () => {
    const ear = await listening(3);
    const ears = [ear, await listening(3, UI)];
    const refused = new Ear(house);
    await refused.connect(3, { id: 'cli', mode: 'cli' }, [ADMIN], 'a wrong one');
    await pass(10_000);
    const broken = new Ear(house);
    await broken.say('connect', { minProtocol: 3, maxProtocol: 3, nothing: true });
    const early = new Ear(house);
    await early.say('health');
    const asker = new Ear(house);
    await asker.ask(newIdentity());
    ears.push(refused, broken, early, asker);
    await ear.say('no.such.method');
    await ear.say('config.set', {});
    await ear.say('device.pair.approve', { requestId: 7 });
    const [asked] = ear.events('device.pair.requested');
    await ear.say('device.pair.approve', { requestId: asked?.payload.requestId });
    await pass(60_000);
    const stopped = house.gateway.stop('restart', 0);
    await pass(1_000);
    await stopped;
    const all = ears.flatMap(({ texts }) => texts);
    const kinds = new Set(
      ears.flatMap(({ frames }) => frames).map((f) => f.event ?? `res ${f.ok} ${f.error?.code ?? ''}`),
    );
    expect([...kinds].sort()).toEqual([
      'connect.challenge',
      'device.pair.requested',
      'device.pair.resolved',
      'health',
      'presence',
      'res false INVALID_REQUEST',
      'res false NOT_PAIRED',
      'res true ',
      'shutdown',
      'tick',
    ]);
    expect(all.flatMap(strangers)).toEqual([]);
  });
});
