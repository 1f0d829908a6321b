import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';

export const agentsList = {
  name: 'agents.list',
  scope: READ,
  role: 'operator',
  input: Type.Object({}),
  output: Type.Object({
    defaultId: Type.String(),
    /** v4's clients read it; there is one owner of all agents here. */
    ownership: Type.String(),
    selectionRequired: Type.Boolean(),
    mainKey: Type.String(),
    scope: Type.String(),
    agents: Type.Array(
      Type.Object({
        id: Type.String(),
        name: Type.String(),
        kind: Type.String(),
        workspace: Type.String(),
        model: Type.Object({ primary: Type.String() }),
        thinkingDefault: Type.String(),
        thinkingLevels: Type.Array(Type.Object({ id: Type.String(), label: Type.String() })),
      }),
    ),
  }),
  errors: [],
  summary: 'The agents there are, the default one first.',
} as const satisfies Method;
