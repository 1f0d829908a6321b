import type { Group } from '../command.ts';

const bodies = () => import('../command/config.ts');

export const config: Group = {
  name: 'config',
  summary: 'the configuration file: read it, change it, check it',
  commands: [
    {
      name: 'get [key]',
      summary: 'print what the file says, of one key or of all; of a secret where it is, never what it is',
      example: { line: 'latchkey config get gateway.auth.mode', exit: 0, field: 'value', value: 'token' },
      calls: ['config.get'],
      load: async () => (await bodies()).configGet,
    },
    {
      name: 'set <key> <value>',
      summary:
        'change one key and leave the rest of the file as it is; VALUE is JSON5 or a text, - reads it from stdin',
      example: { line: 'latchkey config set logging.level debug', exit: 0, field: 'changed', value: true },
      calls: ['config.get', 'config.patch'],
      load: async () => (await bodies()).configSet,
    },
    {
      name: 'unset <key>',
      summary: 'take one key out: its default applies',
      example: { line: 'latchkey config unset logging.level', exit: 0, field: 'ok', value: true },
      calls: ['config.get', 'config.patch'],
      load: async () => (await bodies()).configUnset,
    },
    {
      name: 'validate',
      summary: 'whether the file could be in force; if not: line, key and why',
      example: { line: 'latchkey config validate', exit: 0, field: 'valid', value: true },
      calls: ['config.get'],
      load: async () => (await bodies()).configValidate,
    },
    {
      name: 'schema [key]',
      summary: 'print the JSON Schema of the file for editors, or what it says of one key',
      example: { line: 'latchkey config schema gateway.port', exit: 0, field: 'reloadKind', value: 'restart' },
      calls: [],
      here: true,
      load: async () => (await bodies()).configSchema,
    },
    {
      name: 'file',
      summary: 'print which file it is',
      example: { line: 'latchkey config file', exit: 0, field: 'path' },
      calls: ['config.get'],
      load: async () => (await bodies()).configFile,
    },
  ],
};
