// Bundles src/main/* into dist/: one CommonJS file for each entry, because bundled CJS halves the
// CLI's start-up. Run by bootstrap.mjs under Node 24; `isFresh` also runs under Node 20.
//
//   node scripts/build.mjs [--force]
//
// An `import()` of one entry from another becomes a lazy `require` of its sibling in dist/, so the
// CLI loads the gateway only when it is asked to run one. What is imported lazily inside one bundle
// stays in that file and is evaluated on first use. Top-level await can't be bundled this way.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stampFile = join(dist, '.stamp');

/** The bodies of commands, each loaded by whoever names it in an `import()`. */
function commandBodies() {
  const folder = join(root, 'src/cli/command');
  const files = readdirSync(folder).filter((file) => !file.endsWith('.test.ts'));
  const loaders = ['src/cli/catalog', 'src/cli/command'].flatMap((path) =>
    readdirSync(join(root, path)).map((file) => readFileSync(join(root, path, file), 'utf8')),
  );
  const isLoaded = (file) =>
    loaders.some((text) => text.includes(`import('./${file}')`) || text.includes(`command/${file}')`));
  return Object.fromEntries(
    files.filter(isLoaded).map((file) => [`command-${file.slice(0, -3)}`, `src/cli/command/${file}`]),
  );
}

/** What is shipped: the file's name in dist/ (`.cjs`) and its source. */
const entries = {
  cli: 'src/main/cli.ts',
  gateway: 'src/main/gateway.ts',
  // Read by few commands, and heavy: kept out of what every command loads.
  config: 'src/config/load.ts',
  configure: 'src/config/direct.ts',
  // Loaded once in a gateway's life, to make a certificate.
  selfsigned: 'src/system/selfsigned.ts',
  // A process of its own, where the network is told of the gateway.
  announce: 'src/system/announce.ts',
  remote: 'src/cli/remote.ts',
  ws: 'src/client/node/ws.ts',
  qr: 'src/system/qr.ts',
  // One for each kind of provider of models, loaded with the first call to one.
  'model-openai': 'src/runtime/model/client/openai.ts',
  'model-openai-compatible': 'src/runtime/model/client/openai-compatible.ts',
  'model-anthropic': 'src/runtime/model/client/anthropic.ts',
  'model-google': 'src/runtime/model/client/google.ts',
  // Of the command line each process reads what it needs, and no more: reading is most of what a command costs.
  program: 'src/cli/program.ts',
  failed: 'src/cli/failed.ts',
  refused: 'src/cli/refused.ts',
  offline: 'src/cli/offline.ts',
  'owner-proof': 'src/cli/owner-proof.ts',
  ...commandBodies(),
};

/** Everything a build depends on, as one hash. Tests and notes don't count. */
function fingerprint() {
  const hash = createHash('sha256');
  const take = (path) =>
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update('\0');
  const walk = (folder) => {
    const found = readdirSync(folder, { withFileTypes: true });
    for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (!/\.test\.tsx?$|\.md$/.test(entry.name)) take(path);
    }
  };
  for (const path of ['package.json', 'package-lock.json', 'scripts/build.mjs']) take(join(root, path));
  walk(join(root, 'src'));
  return hash.digest('hex');
}

/** Whether dist/ holds what the sources say. */
export function isFresh() {
  const complete = Object.keys(entries).every((name) => existsSync(join(dist, `${name}.cjs`)));
  return complete && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint();
}

/** The licences of the bundled packages: their texts must travel with their code. */
function licenses(inputs) {
  const folders = new Set();
  for (const input of inputs) {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
    if (match) folders.add(match[0]);
  }
  const texts = [...folders].sort().map((folder) => {
    const at = resolve(root, folder);
    const { name, version, license } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
    const file = readdirSync(at).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(at, file), 'utf8').trim() : ''}\n`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

/**
 * One character that is no ASCII, and the process keeps the whole file at two bytes a character. What esbuild leaves of
 * them stands in comments and regular expressions, where an escape means the same.
 */
function inAscii(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Written whole or not at all: another process may be starting from this file. */
function put(name, content) {
  const path = join(dist, name);
  writeFileSync(`${path}.${process.pid}`, content);
  renameSync(`${path}.${process.pid}`, path);
}

async function bundle(name, source, esbuild) {
  const siblings = new Map(Object.entries(entries).map(([other, path]) => [join(root, path), `./${other}.cjs`]));
  const lazySibling = {
    name: 'lazy-sibling',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const sibling = siblings.get(resolve(resolveDir, path));
        return kind === 'dynamic-import' && sibling ? { path: sibling, external: true } : undefined;
      });
    },
  };
  // The parser would load it for commands that are programs of their own. There are none, and it costs each command 3 ms.
  const noSubprocess = {
    name: 'no-subprocess',
    setup(build) {
      build.onResolve({ filter: /^(node:)?child_process$/ }, ({ importer }) =>
        /node_modules\/commander\//.test(importer) ? { path: 'child_process', namespace: 'on-use' } : undefined,
      );
      build.onLoad({ filter: /.*/, namespace: 'on-use' }, () => ({
        contents: "export default { spawn: (...all) => process.getBuiltinModule('node:child_process').spawn(...all) };",
      }));
    },
  };
  // Needed where compression or TLS is, which few have, and loaded by all of them: 6 ms of each command that dials.
  const onUse = {
    name: 'on-use',
    setup(build) {
      build.onResolve({ filter: /^(https|tls|zlib)$/ }, ({ path, importer }) =>
        /node_modules\/ws\//.test(importer) ? { path, namespace: 'builtin-on-use' } : undefined,
      );
      build.onLoad({ filter: /.*/, namespace: 'builtin-on-use' }, ({ path }) => ({
        contents: `module.exports = new Proxy({}, { get: (_, name) => process.getBuiltinModule('node:${path}')[name] });`,
      }));
    },
  };
  // What is made of the shapes of all methods and is a small table then.
  const writtenOut = {
    name: 'written-out',
    setup(build) {
      build.onLoad({ filter: /[\\/]core[\\/]protocol[\\/]need\.ts$/ }, async ({ path }) => {
        const { PLAIN_SCOPES } = await import(pathToFileURL(path).href);
        return { contents: `export const PLAIN_SCOPES = ${JSON.stringify(PLAIN_SCOPES)};` };
      });
    },
  };
  return esbuild.build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile: join(dist, `${name}.cjs`),
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // So that `import()` is a `require` in a promise: the ESM loader alone would cost 40 ms.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' },
    mainFields: ['module', 'main'],
    minifySyntax: true,
    // Nearly all of each is the same library, four times: read by nobody, and kept in memory as it is written.
    minifyWhitespace: name.startsWith('model-'),
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [lazySibling, noSubprocess, onUse, writtenOut],
    // It carries native code, and is there only where npm could install it.
    external: ['@napi-rs/keyring'],
  });
}

async function build() {
  const began = performance.now();
  const stamp = fingerprint();
  const esbuild = await import('esbuild');
  const names = Object.keys(entries);
  const results = await Promise.all(names.map((name) => bundle(name, entries[name], esbuild)));
  mkdirSync(dist, { recursive: true });
  const inputs = new Set(results.flatMap(({ metafile }) => Object.keys(metafile.inputs)));
  results.forEach(({ outputFiles }, index) => {
    put(`${names[index]}.cjs`, inAscii(outputFiles[0].text));
  });
  put('licenses.txt', licenses(inputs));
  put('.stamp', stamp);
  const bytes = results.reduce((sum, { outputFiles }) => sum + outputFiles[0].contents.length, 0);
  console.log(
    `built dist/: ${names.length} files, ${(bytes / 1e6).toFixed(1)} MB, in ${Math.round(performance.now() - began)} ms`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv.includes('--force') || !isFresh()) await build();
  } catch (error) {
    // esbuild has printed its own messages.
    if (!error?.errors) console.error(error);
    process.exit(1);
  }
}
