import type { MethodOutput } from '../../core/protocol/registry.ts';
import { SPOKEN } from '../chat/command.ts';

export function list(): MethodOutput<'commands.list'> {
  return {
    commands: SPOKEN.map(({ name, aliases, description, category, takes }) => ({
      name,
      nativeName: name,
      textAliases: [name, ...aliases].map((one) => `/${one}`),
      description,
      category,
      source: 'native',
      scope: 'both',
      acceptsArgs: takes !== null,
    })),
  };
}
