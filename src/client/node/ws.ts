/** Shipped as a file of its own: of all commands only those that go elsewhere need it. */
export { WebSocket } from 'ws';
