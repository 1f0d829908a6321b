// The releases that Latchkey is measured beside.
import { cacheFolder, installed, type Release } from '../../test/interop/release.ts';
import { eachOf } from './figure.ts';
import { PEERS } from './report.ts';

/** Installs what is not there yet; ends the run where that can't be done. */
export async function installedPeers(say: (line: string) => void): Promise<readonly [Release, Release]> {
  try {
    const cache = cacheFolder();
    return await eachOf(PEERS, (name) => installed(name, cache, say));
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    console.error('Run it again where the npm registry can be reached, or name a folder that holds them already:');
    console.error('  LATCHKEY_INTEROP_CACHE=DIR npm run bench -- --peer');
    process.exit(75);
  }
}

/** What stands above the tables. @param at date of the run, `YYYY-MM-DD` */
export function aboutPeers(at: string, machine: readonly string[]): readonly string[] {
  return [
    `Written by \`npm run bench -- --peer\` on ${at}: Latchkey and OpenClaw ${PEERS.join(' and ')}, unchanged from the npm`,
    'registry, on the same machine in the same run. All are medians of costs: less is better. The bar is the better of the',
    'two, the ratio is bar : latchkey, the aim is what the ratio (`×`) or the figure itself must keep to.',
    '',
    ...machine.map((line) => `- ${line}`),
  ];
}
