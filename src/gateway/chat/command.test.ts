import { expect, it } from 'vitest';
import { SPOKEN, spokenIn } from './command.ts';

it('rule: the gateway takes its own commands from what is said, and no other word', () => {
  const name = (text: string) => spokenIn(text)?.spoken.name ?? null;
  for (const { name: own } of SPOKEN) expect(name(`/${own}`)).toBe(own);
  expect(name('  /STATUS \n')).toBe('status');
  expect(spokenIn('/model offline/echo')).toMatchObject({ rest: 'offline/echo' });
  for (const text of ['/say hello', '/newer', 'say /new', '/', '/tool x {}', '/newhello', '//new', '']) {
    expect(name(text), text).toBeNull();
  }
});

it('rule: a command that takes nothing is not guessed at where something stands behind it', () => {
  for (const text of ['/new hello', '/reset\nnow', '/stop it']) {
    expect(() => spokenIn(text), text).toThrow('takes nothing behind it');
  }
});
