// What one command of OpenClaw said to a gateway and was told: every socket and HTTP request in the order in which they
// were opened, requests as they were sent, answers and events as shapes.
import { connectOf, lines } from './recording.mjs';
import { shapeOf } from './shape.ts';

/** The commands that `npm run interop` drives, by the names of their recordings. */
const COMMANDS =
  /^(fresh\/)?(devices-.*|status|status-deep|health|gateway-(status|probe|health|call-.*)|system-presence|system-heartbeat-last|logs|logs-follow|security-audit-deep|dashboard|doctor|channels-status.*|update-status)[0-9]*$|^foreign-(?!cron)/;

/** Ids that the recorded gateway made, or that devices of that run had: the replay puts those of its own in their place. */
const MARKED = { requestId: '<request>', deviceId: '<device>', cursor: '<cursor>' };

function marked(params) {
  if (typeof params !== 'object' || params === null) return params;
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, MARKED[name] ?? value]));
}

/** Each different record once, named by its number. */
class Once {
  records = [];
  #numbers = new Map();
  number(record) {
    const text = JSON.stringify(record);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.records.length);
    this.records.push(record);
    return this.records.length - 1;
  }
}

const MEMBERS = new Set(['type', 'event', 'payload']);

export class Conversations {
  #connects = new Once();
  #shapes = new Once();
  #all = [];

  get size() {
    return this.#all.length;
  }

  add({ release, command, lines: recorded }) {
    if (!COMMANDS.test(command)) return;
    // `foreign-*`: answered by a throwaway server, so the requests are real and the answers are not.
    const at = command.startsWith('foreign-') ? 'foreign' : command.startsWith('fresh/') ? 'fresh' : 'main';
    const steps = [];
    const sockets = new Map();
    for (const line of recorded) {
      if (line.kind === 'http') this.#http(line, steps, at);
      else if (line.kind === 'upgrade') {
        const socket = { headers: line.headers, nonce: '', asked: new Map(), open: 0, step: { calls: [], events: [] } };
        sockets.set(line.conn, socket);
        steps.push(socket.step);
      } else if (line.kind === 'frame' && typeof line.frame === 'object') this.#frame(line, sockets.get(line.conn), at);
      else if (line.kind === 'close' && line.dir === 's2c' && line.code !== 1005)
        sockets.get(line.conn).step.closed = line.code;
    }
    this.#all.push({ release, command, at, t: recorded[0].t, steps: folded(steps) });
  }

  #http(line, steps, at) {
    if (line.dir === 'c2s') {
      steps.push({ http: `${line.method} ${line.url}`, status: 0 });
      return;
    }
    const step = steps.find((s) => s.http?.endsWith(` ${line.url}`) && s.status === 0);
    step.status = at === 'foreign' ? null : line.status;
    const isJson = /json/.test(line.headers?.['content-type'] ?? '') && line.body !== undefined;
    if (at !== 'foreign' && isJson) step.shape = this.#shape(JSON.parse(line.body), at);
  }

  #frame({ dir, frame }, socket, at) {
    const { step, asked } = socket;
    if (dir === 'c2s') {
      asked.set(frame.id, frame.method);
      if (frame.method === 'connect') {
        step.connect = this.#connects.number(connectOf(frame.params, socket.headers, socket.nonce));
        return;
      }
      const call = { method: frame.method, ...(frame.params === undefined ? {} : { params: marked(frame.params) }) };
      // What was sent before the answer to the one before came is sent together.
      if (socket.open === 0) step.calls.push([]);
      socket.open += 1;
      asked.set(frame.id, call);
      step.calls.at(-1).push(call);
      return;
    }
    if (frame.type === 'event') return this.#event(frame, socket, at);
    const call = asked.get(frame.id);
    const told = frame.ok
      ? { ok: true, shape: this.#shape(frame.payload, at) }
      : { ok: false, code: frame.error.code, detail: frame.error.details?.code, shape: this.#shape(frame.error, at) };
    if (call === 'connect') step.answer = told;
    else {
      socket.open -= 1;
      call.answer = told;
    }
  }

  #event(frame, socket, at) {
    if (frame.event === 'connect.challenge') socket.nonce = frame.payload.nonce;
    if (at === 'foreign') return;
    const members = Object.keys(frame).filter((name) => !MEMBERS.has(name));
    const event = { event: frame.event, members: members.sort(), shape: this.#shape(frame.payload, at) };
    const { events } = socket.step;
    if (!events.some((e) => JSON.stringify(e) === JSON.stringify(event))) events.push(event);
  }

  #shape(value, at) {
    return at === 'foreign' ? undefined : this.#shapes.number(shapeOf(value));
  }

  /** In the order in which they were recorded. */
  render() {
    const inOrder = this.#all.sort((a, b) => (a.release === b.release ? a.t - b.t : a.release < b.release ? 1 : -1));
    const parts = {
      connects: this.#connects.records,
      shapes: this.#shapes.records,
      conversations: inOrder.map(({ t: _t, ...conversation }) => conversation),
    };
    const rendered = Object.entries(parts).map(([name, records]) => `${JSON.stringify(name)}: ${lines(records)}`);
    return `{\n${rendered.join(',\n')}\n}\n`;
  }
}

/** A step that says the same as the one before is counted: a follower asks again and again. */
function folded(steps) {
  const out = [];
  for (const step of steps) {
    const before = out.at(-1);
    if (before !== undefined && JSON.stringify({ ...before, times: undefined }) === JSON.stringify(step))
      before.times = (before.times ?? 1) + 1;
    else out.push(step);
  }
  return out;
}
