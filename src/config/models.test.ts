import { expect, test } from 'vitest';
import { secretsIn, writerOf, writtenBetween } from './apply.ts';
import { lookupSchema } from './describe.ts';
import { configOf } from './load.ts';
import { patched } from './patch.ts';
import { REDACTED, redactConfig } from './redact.ts';

const load = (value: unknown) => configOf(JSON.stringify(value), { path: '/nowhere/latchkey.json' });
const providers = (value: unknown) => load({ models: { providers: value } });

test('rule: a provider that is known needs its key alone, another one says where it is and what it speaks', () => {
  const { models } = providers({
    anthropic: { apiKey: 'k'.repeat(20) },
    ollama: {},
    lab: { kind: 'openai-compatible', baseUrl: 'https://lab.example/v1/', models: [{ id: 'm', maxTokens: 10 }] },
  }).config;
  expect(models.providers).toMatchObject([
    { name: 'anthropic', kind: 'anthropic', baseUrl: 'https://api.anthropic.com/v1' },
    { name: 'ollama', kind: 'openai-compatible', baseUrl: 'http://127.0.0.1:11434/v1', apiKey: null },
    { name: 'lab', baseUrl: 'https://lab.example/v1', models: [{ id: 'm', maxTokens: 10 }] },
  ]);
  expect(load({}).config.models).toEqual({
    providers: [],
    aliases: {},
    local: { enabled: true, ports: { ollama: 11_434, lmstudio: 1_234, llamacpp: 8_080 } },
  });
});

test.each([
  [{ lab: {} }, /models\.providers\.lab.*kind is missing/s],
  [{ lab: { kind: 'openai-compatible' } }, /baseUrl is missing/],
  [{ lab: { kind: 'openai-compatible', baseUrl: 'ftp://x' } }, /must be a URL/],
  [{ lab: { kind: 'openai-compatible', baseUrl: 'https://u:p@x/v1' } }, /a key stands in apiKey/],
  [{ lab: { kind: 'openai-compatible', baseUrl: 'https://x/v1?key=1' } }, /must end with its path/],
  [{ offline: {} }, /built-in model/],
  [{ openai: { apikey: 'x' } }, /did you mean 'apiKey'/],
  [{ 'Bad Name': {} }, /models\.providers.*must be an object of providers/s],
  [{ openai: { headers: { 'bad header': 'x' } } }, /must be an object of header names/],
  [{ openai: { models: [{ id: 'a' }, { id: 'a' }] } }, /stands in the list already/],
  [{ openai: { models: [{ name: 'a' }] } }, /models\.providers\.openai\.models/],
])('rule: a bad provider is refused with its key: %j', (value, why) => {
  let said = '';
  try {
    providers(value);
  } catch (error) {
    const { what, why: because } = error as { what: string; why: string };
    said = `${what} ${because}`;
  }
  expect(said).toMatch(why);
  expect(said).not.toContain('u:p');
});

test('rule: a model that leads nowhere is a warning, no reason to stay down', () => {
  const warnings = (value: unknown) => load(value).warnings.join('\n');
  expect(warnings({ agents: { defaults: { model: 'nix/a' } } })).toContain("names the provider 'nix'");
  expect(warnings({ agents: { defaults: { model: 'fast' } } })).toContain('neither "provider/model" nor one of');
  expect(warnings({ agents: { defaults: { model: { primary: 'openai/x', fallbacks: ['offline/echo'] } } } })).toBe('');
  expect(() => load({ models: { aliases: { a: 'b' } } })).toThrow(/alias/);
});

test('threat 53: a key that would go out in the clear is warned of', () => {
  const plain = (more: object) => providers({ lab: { kind: 'openai-compatible', ...more } }).warnings.join('\n');
  expect(plain({ baseUrl: 'http://10.0.0.7/v1', apiKey: 'k'.repeat(20) })).toContain('plain http');
  expect(plain({ baseUrl: 'http://10.0.0.7/v1' })).toBe('');
  expect(plain({ baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k'.repeat(20) })).toBe('');
});

test('threat 52: keys and headers of providers are hidden, and stay when the hidden text comes back', () => {
  const secret = 'sk-0123456789-abcdefgh';
  const parsed = {
    models: {
      providers: { a: { apiKey: secret, headers: { 'x-team': secret } }, b: { apiKey: { source: 'env', id: 'B' } } },
    },
  };
  expect(secretsIn(parsed).map(({ path }) => path.join('.'))).toEqual([
    'models.providers.a.apiKey',
    'models.providers.b.apiKey',
    'models.providers.a.headers.x-team',
  ]);
  const hidden = redactConfig(parsed);
  expect(JSON.stringify(hidden)).not.toContain(secret);
  expect(hidden).toMatchObject({
    models: { providers: { a: { apiKey: REDACTED }, b: { apiKey: { source: 'env' } } } },
  });
  const text = JSON.stringify({ models: { providers: { a: { kind: 'openai', ...parsed.models.providers.a } } } });
  const back = patched(text, { models: { providers: { a: { kind: 'anthropic', apiKey: REDACTED } } } });
  expect(JSON.parse(back).models.providers.a).toMatchObject({ kind: 'anthropic', apiKey: secret });
  expect(() => patched('{}', { models: { providers: { a: { apiKey: REDACTED } } } })).toThrow(/stay as it is/);
});

test("A11: where keys go and what they are is the owner's to change, what is thought with is an admin's", () => {
  const writer = (path: string, after: unknown = 'x') => writerOf(path.split('.'), after);
  for (const key of ['baseUrl', 'apiKey', 'kind', 'headers.x-team']) {
    expect(writer(`models.providers.lab.${key}`), key).toBe('owner');
  }
  expect(writer('models.providers.lab', {})).toBe('owner');
  expect(writer('models', {})).toBe('owner');
  expect(writer('models.local.ports.ollama', 1)).toBe('owner');
  expect(writer('agents.defaults.model')).toBe('admin');
  expect(writer('agents.defaults.budget.usdPerDay', 5)).toBe('permanent');
});

test('A11: a provider that is set up by its name alone, or taken away, is a change that is judged', () => {
  const config = (providers: unknown) => ({ models: { providers } });
  const one = (key: string) => [{ key, writer: 'permanent' }];
  expect(writtenBetween({}, config({ openai: {} }))).toEqual(one('models.providers.openai'));
  expect(writtenBetween(config({ openai: {} }), {})).toEqual(one('models.providers.openai'));
  expect(writtenBetween(config({ openai: {} }), config({ openai: { headers: {} } }))).toEqual(
    one('models.providers.openai.headers'),
  );
  expect(writtenBetween(config({ openai: {} }), config({ openai: {} }))).toEqual([]);
  expect(writtenBetween({}, config({ lab: { kind: 'openai' } }))).toEqual([
    { key: 'models.providers.*.kind', writer: 'owner' },
  ]);
});

test('rule: a key below a name of free choice is described as every other', () => {
  expect(lookupSchema(['models', 'providers', 'lab', 'baseUrl'])?.schema).toMatchObject({
    title: 'models.providers.lab.baseUrl',
    description: expect.stringContaining('A change applies at once.'),
  });
  expect(lookupSchema(['models', 'providers', 'lab', 'apiKey'])?.hint).toMatchObject({ sensitive: true });
});
