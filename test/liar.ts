// Answers every multicast question for gateways with names that attack a terminal, with too many of them, with records
// that are none, and with bytes that are no message. Run on a machine of `namespace.ts`: `node liar.ts ADDRESS`.
import { createSocket } from 'node:dgram';

const label = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'utf8').subarray(0, 63);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
};
const SERVICE = Buffer.concat([label('_openclaw-gw'), label('_tcp'), label('local'), Buffer.from([0])]);

function record(name: Buffer, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(120, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, head, data]);
}

function message(records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0x8400, 2);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, ...records]);
}

/** One instance: that it is there, where, and what it says of itself. */
function instance(name: string, port: number, texts: readonly string[]): readonly Buffer[] {
  const whole = Buffer.concat([label(name), SERVICE]);
  const place = Buffer.alloc(6);
  place.writeUInt16BE(port, 4);
  const target = Buffer.concat([label('\u001b]0;evil\u0007 --url x'), Buffer.from([0])]);
  return [
    record(SERVICE, 12, whole),
    record(whole, 33, Buffer.concat([place, target])),
    record(whole, 16, Buffer.concat(texts.map(label))),
  ];
}

const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.on('message', (_question, { address, port }) => {
  const tell = (bytes: Buffer) => socket.send(bytes, port, address);
  const lies = ['gatewayTls=1', 'gatewayTlsSha256=\u001b[2J', 'latchkeyKey=../../etc', '__proto__=x', 'gatewayTls=0'];
  tell(message(instance('\u001b[2J\u202eevil\n\u009b31m', 7, lies)));
  for (let i = 0; i < 200; i += 1) tell(message(instance(`many ${i}`, i, [])));
  tell(Buffer.from('not a message at all'));
  tell(message([record(SERVICE, 12, Buffer.from([0xc0, 0xff]))]));
  tell(message([record(SERVICE, 12, Buffer.concat([label('elsewhere'), label('evil'), Buffer.from([0])]))]));
});
socket.bind(5353, '0.0.0.0', () => {
  socket.addMembership('224.0.0.251', process.argv[2]);
  process.stdout.write('listening\n');
});
