import { EXIT } from '../../system/failure.ts';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { wordsOf } from '../completion/words.ts';
import { zshScript } from '../completion/zsh.ts';
import { type Context, print } from '../context.ts';
import { buildProgram } from '../program.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `latchkey completion SHELL`: a script made from the catalog. It asks no gateway, neither now nor when it is used. */
export async function completion(context: Context, [shell = '']: readonly string[]): Promise<number> {
  const { KEYS } = await import('../../config/direct.ts');
  const program = buildProgram(context.host, () => {});
  // The parser knows the shells: nothing else comes here.
  const script = SCRIPTS[shell as keyof typeof SCRIPTS](wordsOf(program, Object.keys(KEYS)));
  print(context, { shell, script }, () => script);
  return EXIT.ok;
}
