import { expect, it } from 'vitest';
import { SPOKEN, spokenIn } from './command.ts';
import { NOT_HERE } from './elsewhere.ts';

it('rule: the gateway takes its own commands from what is said, and no other word', () => {
  const name = (text: string) => spokenIn(text)?.spoken.name ?? null;
  for (const { name: own, aliases } of SPOKEN) for (const one of [own, ...aliases]) expect(name(`/${one}`)).toBe(own);
  expect(name('/abort')).toBe('stop');
  expect(spokenIn('/think high')).toMatchObject({ spoken: { name: 'think' }, rest: 'high' });
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

it('rule: a slip of the pen is not said to a model, and what is said back names what was meant', () => {
  const said = (text: string) => {
    try {
      return spokenIn(text);
    } catch (error) {
      return (error as { about: string }).about;
    }
  };
  const aside = '(to say it as it is, put a space in front)';
  expect(said('/stpo')).toBe(`unknown command /stpo; did you mean /stop? ${aside}`);
  expect(said('/Stats\n')).toBe(`unknown command /stats; did you mean /status? ${aside}`);
  expect(said('/abrot now')).toBe(`unknown command /abrot; did you mean /abort? ${aside}`);
  expect(said('/models')).toContain('did you mean /model?');
  // Of OpenClaw's gateways, and near to nothing here.
  expect(said('/elevated on')).toBe(`unknown command /elevated; it is none of this gateway, see /help ${aside}`);
  // No word stands in both lists: it would never be said.
  for (const { name, aliases } of SPOKEN)
    for (const one of [name, ...aliases]) expect(NOT_HERE.has(one), one).toBe(false);
  for (const text of [
    ' /stpo',
    '/etc/hosts is broken',
    '/home is full',
    '/tmp',
    '/usr is missing',
    '/stpo\nthat is what I typed',
    '/foo bar',
    '/no',
    '/stop.sh fails',
    'what does /stpo do?',
  ]) {
    expect(said(text), text).toBeNull();
  }
});
