import type { MethodOutput } from '../../core/protocol/registry.ts';
import type { Context } from './handler.ts';

export async function list(c: Context): Promise<MethodOutput<'agents.list'>> {
  const agents = await c.services.conversations.agents();
  return {
    defaultId: agents.find(({ isDefault }) => isDefault)?.id ?? 'main',
    ownership: 'sole',
    selectionRequired: false,
    mainKey: 'main',
    scope: 'per-sender',
    agents: agents.map(({ id, name, workspace, model }) => ({
      id,
      name,
      kind: 'agent',
      workspace,
      model: { primary: model },
      thinkingDefault: 'off',
      thinkingLevels: [{ id: 'off', label: 'off' }],
    })),
  };
}
