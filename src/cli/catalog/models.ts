import type { Group } from '../command.ts';

export const models: Group = {
  name: 'models',
  summary: 'the models that agents think with',
  commands: [
    {
      name: 'list',
      summary: 'the models that can be asked, and what is known of them',
      example: { line: 'latchkey models list', exit: 0, field: 'models.0.provider' },
      calls: ['models.list'],
      offline: true,
      options: (c) => c.option('--provider <name>', 'only those of this provider'),
      load: async () => (await import('../command/models-list.ts')).modelsList,
    },
    {
      name: 'status',
      summary: 'which model agents think with and why, which providers are set up, where their keys come from',
      example: { line: 'latchkey models status', exit: 0, field: 'model' },
      calls: ['models.status'],
      callsWith: { probe: ['models.probe'] },
      offline: true,
      options: (c) =>
        c
          .option('--probe', 'also call one model of each provider: it costs a few tokens')
          .option('--provider <name>', 'with --probe: call this one alone'),
      load: async () => (await import('../command/models-status.ts')).modelsStatus,
    },
    {
      name: 'set <model>',
      summary: 'the model that agents think with: PROVIDER/MODEL or an alias; fallbacks stay',
      example: { line: 'latchkey models set offline/echo', exit: 0, field: 'ok', value: true },
      calls: ['config.get', 'config.patch', 'models.list', 'models.status'],
      load: async () => (await import('../command/models-set.ts')).modelsSet,
    },
  ],
};
