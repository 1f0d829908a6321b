import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { Core } from './core.ts';

const folder = join(import.meta.dirname, '../../src/core/authz');

/** The text of one file of core/authz. */
export function textOf(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

const core = `
  export { step } from './step.ts';
  export * as decide from './decide.ts';
  export * as scope from './scope.ts';
  export * as invariant from './invariant.ts';`;

/** The core as one script, with the text of some of its files changed. Some milliseconds each. */
export function bundled(changed: ReadonlyMap<string, string> = new Map()): Promise<Core> {
  return script<Core>(core, folder, changed);
}

/**
 * Worlds, predicates and explorer as one script: as the modules that the test runner makes of them they take three
 * times as long.
 */
export function lab(): Promise<typeof import('./lab.ts')> {
  return script("export * from './lab.ts';", import.meta.dirname);
}

async function script<T>(
  contents: string,
  resolveDir: string,
  changed: ReadonlyMap<string, string> = new Map(),
): Promise<T> {
  const swap: Plugin = {
    name: 'swap',
    setup(on) {
      on.onLoad({ filter: /core\/authz\/[a-z]+\.ts$/ }, ({ path }) => ({
        contents: changed.get(basename(path)) ?? readFileSync(path, 'utf8'),
        loader: 'ts',
      }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents, resolveDir, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    external: ['esbuild', 'vitest'],
    define: { 'import.meta.dirname': JSON.stringify(resolveDir) },
    logLevel: 'silent',
    plugins: [swap],
  });
  const module = { exports: {} };
  const text = outputFiles[0]?.text ?? '';
  new Function('module', 'exports', 'require', text)(module, module.exports, createRequire(import.meta.url));
  return module.exports as T;
}
