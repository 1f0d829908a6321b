// What OpenClaw's terminal UI and its `agent` command said in a conversation with an agent and were told: calls in their
// order, answers and events as shapes, and the order in which events of a run came.
import { shapeOf } from './shape.ts';

/** An event in one word; of a run: with its stream, phase or state. */
export function word({ event, payload: p }) {
  if (event === 'chat') return `chat ${p.state}`;
  if (event !== 'agent') return event;
  return `agent ${p.stream}${typeof p.data?.phase === 'string' ? ` ${p.data.phase}` : ''}`;
}

/** Values of one place, as one shape. */
const together = (values) => shapeOf(values)[0];

/** Events of which a client of a conversation is told because of it. */
const ABOUT = /^(chat|agent|sessions\.changed|session\.message)( |$)/;

export function talkOf({ release, command, lines }) {
  const calls = [];
  const asked = new Map();
  const events = new Map();
  const order = [];
  let connect = null;
  for (const { kind, dir, frame } of lines) {
    if (kind !== 'frame' || frame === null || typeof frame !== 'object') continue;
    if (dir === 'c2s') {
      const { id, method, params } = frame;
      if (method === 'connect') {
        const { role, scopes, caps, client, minProtocol, maxProtocol } = params;
        connect = { minProtocol, maxProtocol, role, scopes, caps, client: { ...client, instanceId: undefined } };
        continue;
      }
      const call = {
        method,
        params: { ...params, ...(params?.sessionId === undefined ? {} : { sessionId: '<session>' }) },
        answers: [],
      };
      asked.set(id, call);
      calls.push(call);
    } else if (frame.type === 'res') {
      asked.get(frame.id)?.answers.push({ ok: frame.ok, shape: shapeOf(frame.ok ? frame.payload : frame.error) });
    } else {
      const name = word(frame);
      if (!ABOUT.test(name)) continue;
      if (!events.has(name)) order.push(name);
      events.set(name, [...(events.get(name) ?? []), frame.payload]);
    }
  }
  // A refused connect said nothing, and the same question again is the same.
  const once = calls.filter((call, i) => calls.findIndex((c) => JSON.stringify(c) === JSON.stringify(call)) === i);
  const shapes = Object.fromEntries([...events].map(([name, payloads]) => [name, together(payloads)]));
  return once.length === 0 ? [] : [{ release, program: command, connect, calls: once, order, events: shapes }];
}
