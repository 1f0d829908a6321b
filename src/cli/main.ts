import { EXIT } from '../system/failure.ts';
import type { Host } from './context.ts';

/**
 * Runs one command line. Resolves with what the process exits with; never rejects. Little is loaded here: what a process
 * reads before its first line of work is most of what a command costs.
 */
export async function main(host: Host): Promise<number> {
  const [first, second] = host.argv;
  // By far the most frequent question of scripts: answered without loading anything.
  if (second === undefined && (first === '--version' || first === '-V')) {
    host.output({ json: false, color: false }).out(`${host.version}\n`);
    return EXIT.ok;
  }
  const { buildProgram } = await import('./program.ts');
  let code: number = EXIT.ok;
  const program = buildProgram(host, (given) => {
    code = given;
  });
  try {
    const shown = host.argv.length === 0 ? ['--help'] : host.argv;
    await program.parseAsync(shown, { from: 'user' });
    return code;
  } catch (error) {
    return (await import('./failed.ts')).failed(error, program, host);
  }
}
