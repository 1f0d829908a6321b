import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..', '..');

/** The text of one file, by its path from the root. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The races and all that they race on as one script, with the text of some files changed. */
export async function lab(changed: ReadonlyMap<string, string> = new Map()): Promise<typeof import('./lab.ts')> {
  const { outputFiles } = await build({
    stdin: { contents: "export * from './lab.ts';", resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    logLevel: 'silent',
    plugins: [
      {
        name: 'swap',
        setup(on) {
          on.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
            contents: changed.get(relative(root, path)) ?? readFileSync(path, 'utf8'),
            loader: 'ts',
          }));
        },
      },
    ],
  });
  const module = { exports: {} };
  const text = outputFiles[0]?.text ?? '';
  new Function('module', 'exports', 'require', text)(module, module.exports, createRequire(import.meta.url));
  return module.exports as typeof import('./lab.ts');
}
