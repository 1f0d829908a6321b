import * as Type from '../type.ts';
import { AgentId } from './conversation.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';

export const commandsList = {
  name: 'commands.list',
  scope: READ,
  role: 'operator',
  input: Type.Object({
    agentId: Type.Optional(AgentId),
    scope: Type.Optional(Type.String()),
    includeArgs: Type.Optional(Type.Boolean()),
  }),
  output: Type.Object({
    commands: Type.Array(
      Type.Object({
        name: Type.String(),
        nativeName: Type.String(),
        textAliases: Type.Array(Type.String()),
        description: Type.String(),
        category: Type.String(),
        source: Type.String(),
        scope: Type.String(),
        acceptsArgs: Type.Boolean(),
      }),
    ),
  }),
  errors: [],
  summary: 'What the gateway itself answers when it is said to an agent.',
} as const satisfies Method;
