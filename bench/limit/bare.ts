// The raw limit of memory: a process that could answer HTTP and WebSocket, and nothing else.
import { listen } from './listen.ts';

listen((ws) => ws.on('error', () => {}));
