// Frames that nobody should send: as the first thing on a socket, or at any time.
import { BINARY, CLOSE, encodeFrame, PING } from '../partner/websocket.ts';

/** What is no connect, and the code that it is closed with. */
export const FIRST: readonly (readonly [name: string, text: string, code: number])[] = [
  ['a valid call', '{"type":"req","id":"1","method":"health"}', 1008],
  ['a privileged call', '{"type":"req","id":"1","method":"device.pair.list","params":{}}', 1008],
  ['an event', '{"type":"event","event":"tick","payload":{}}', 1008],
  ['an answer', '{"type":"res","id":"1","ok":true,"payload":{"type":"hello-ok"}}', 1008],
  ['an array', '[]', 1008],
  ['a number', '1', 1008],
  ['null', 'null', 1008],
  ['an empty object', '{}', 1008],
  ['no JSON', 'hello', 1000],
  ['nothing', '', 1000],
  ['half a document', '{"type":"req","id":"1","method":"connect"', 1000],
  ['an empty id', '{"type":"req","id":"","method":"connect","params":{}}', 1008],
  ['a number as id', '{"type":"req","id":1,"method":"connect","params":{}}', 1008],
  ['a frame with a field too many', '{"type":"req","id":"1","method":"connect","params":{},"as":"owner"}', 1008],
];

const text = Buffer.from('{"type":"req","id":"1","method":"connect","params":{}}');
/** What no library would send, and the codes that RFC 6455 leaves for it. */
export const BROKEN: readonly (readonly [string, readonly Buffer[], readonly number[]])[] = [
  ['not masked', [encodeFrame(text, { masked: false })], [1002]],
  ['reserved bit 1, though no extension was agreed', [encodeFrame(text, { reserved: 4 })], [1002]],
  ['reserved bits 2 and 3', [encodeFrame(text, { reserved: 3 })], [1002]],
  ['an unknown data opcode', [encodeFrame(text, { opcode: 3 })], [1002]],
  ['an unknown control opcode', [encodeFrame(text.subarray(0, 5), { opcode: 0xb })], [1002]],
  ['a control frame in pieces', [encodeFrame(Buffer.from('x'), { opcode: PING, fin: false })], [1002]],
  ['a ping of 126 bytes', [encodeFrame(Buffer.alloc(126), { opcode: PING })], [1002]],
  ['a continuation of nothing', [encodeFrame(text, { opcode: 0 })], [1002]],
  [
    'a new message inside another',
    [encodeFrame(text.subarray(0, 5), { fin: false }), encodeFrame(text.subarray(5))],
    [1002],
  ],
  ['text that is no UTF-8', [encodeFrame(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))], [1007]],
  ['a lone surrogate as UTF-8', [encodeFrame(Buffer.from([0xed, 0xa0, 0x80]))], [1007]],
  ['a binary message', [encodeFrame(text, { opcode: BINARY })], [1003, 1008]],
  ['a close frame of one byte', [encodeFrame(Buffer.from([3]), { opcode: CLOSE })], [1002]],
  ['a close with a code that may not be sent', [encodeFrame(Buffer.from([0x03, 0xed]), { opcode: CLOSE })], [1002]],
];
