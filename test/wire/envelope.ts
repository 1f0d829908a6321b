// PROTOCOL.md §2, §8: clients of protocol 3 check the frames that they are sent against closed objects. One member more
// than they know, and they drop the frame. Written from that text alone.

const ERROR = ['code', 'message', 'details', 'retryable', 'retryAfterMs'];
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  event: ['type', 'event', 'payload', 'seq', 'stateVersion'],
  res: ['type', 'id', 'ok', 'payload', 'error'],
};

const beyond = (value: object, known: readonly string[]) => Object.keys(value).filter((name) => !known.includes(name));

/** Members of a frame, as it came, that a client of protocol 3 knows nothing of: empty when all is well. */
export function strangers(text: string): string[] {
  const frame = JSON.parse(text);
  const known = KNOWN[frame.type];
  if (known === undefined) return [`a frame of type ${frame.type}`];
  const name = frame.type === 'event' ? `event ${frame.event}` : `res ${frame.ok}`;
  return [
    ...beyond(frame, known).map((member) => `${name}: ${member}`),
    ...beyond(frame.error ?? {}, ERROR).map((member) => `${name}: error.${member}`),
    ...beyond(frame.stateVersion ?? {}, ['presence', 'health']).map((member) => `${name}: stateVersion.${member}`),
  ];
}
