// Every command's help has one example, and each is run as it stands there, on a real gateway.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CATALOG } from '../../src/cli/catalog/catalog.ts';
import type { CommandLiteral, Group } from '../../src/cli/command.ts';
import { type Gateway, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { asking, ensure, once, READ, WRITE } from './act.ts';

interface Listed {
  readonly path: string;
  readonly literal: CommandLiteral;
}

function listed(group: Group, prefix: string): Listed[] {
  return [
    ...group.commands.map((literal) => ({ path: `${prefix} ${literal.name.split(' ')[0]}`, literal })),
    ...(group.groups ?? []).flatMap((below) => listed(below, `${prefix} ${below.name}`)),
  ];
}

const commands = listed(CATALOG, 'latchkey');

/** The field of one document, or of the first line that has it where a command streams. */
function fieldOf(stdout: string, path: string): unknown {
  const documents = (() => {
    try {
      return [JSON.parse(stdout)];
    } catch {
      return stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    }
  })();
  const found = documents.map((document) =>
    path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document),
  );
  return found.find((value) => value !== undefined);
}

describe('rule: the examples of --help', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    // Without a secret of its own, so that it can be rotated; whatever runs at well-known ports here is not asked.
    gateway = await start({
      config: { gateway: { auth: { token: undefined } }, models: { local: { enabled: false } } },
    });
  });
  afterAll(() => gateway?.stop());

  /** What the words in capitals stand for, made for this one example. */
  async function filled(line: string): Promise<string[]> {
    const identity = newIdentity();
    const words: Record<string, () => Promise<string>> = {
      REQUEST: async () => {
        const answer = await once({ port: gateway.port }, asking([READ, WRITE]), { identity });
        return answer.ok ? '' : String(answer.error.details?.requestId);
      },
      DEVICE: async () => {
        await ensure(await gateway.owner(), identity, [READ, WRITE]);
        return identity.id;
      },
      KEY: async () => identity.publicKey,
      NAME: async () => `n${identity.id.slice(0, 16)}`,
      AGENT: async () => {
        const id = `a${identity.id.slice(0, 16)}`;
        await (await gateway.owner()).ask('agents.create', { name: id });
        return id;
      },
      SESSION: async () => {
        const owner = await gateway.owner();
        await owner.ask('chat.inject', { sessionKey: identity.id, message: 'hello' });
        return identity.id;
      },
    };
    const [program, ...args] = line.split(' ');
    expect(program).toBe('latchkey');
    return Promise.all(args.map(async (word) => (await words[word]?.()) ?? word.replace(/^'(.*)'$/, '$1')));
  }

  it.each(commands)('rule: $path: its example does what it says', async ({ literal }) => {
    const { line, exit, field, value } = literal.example;
    // A list shows something only where there is something.
    if (field.startsWith('pending.')) await filled('latchkey REQUEST');
    const { code, stdout, stderr } = await gateway.cli([...(await filled(line)), '--json']);
    expect({ code, stderr: code === exit ? '' : stderr }).toEqual({ code: exit, stderr: '' });
    const found = fieldOf(stdout, field);
    expect(found, `${field} in ${stdout.slice(0, 2_000)}`).toBeDefined();
    if (value !== undefined) expect(found).toBe(value);
  });

  it.each(commands)(
    'rule: $path: its help shows the example and nothing that a terminal obeys',
    async ({ path, literal }) => {
      const { code, stdout } = await gateway.cli([...path.split(' ').slice(1), '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(literal.summary.slice(0, 30));
      expect(stdout).toContain(`Example:\n  ${literal.example.line}\n`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    },
  );

  it('rule: no two commands have one name, and each example begins with its own', () => {
    const paths = commands.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    for (const { path, literal } of commands) expect(`${literal.example.line} `).toContain(`${path} `);
  });
});
