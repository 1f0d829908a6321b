import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

// One project for the unit tests beside their files, one for each folder of test/, and `nightly`
// for the long explorations that `npm run model` runs.
const folders = readdirSync(new URL('test', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const project = (name: string, include: string[]) => ({
  extends: true as const,
  test: { name, include },
});

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    maxWorkers: 2,
    restoreMocks: true,
    passWithNoTests: true,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], exclude: ['src/**/*.test.ts'] },
    projects: [
      project('unit', ['src/**/*.test.ts']),
      ...folders.map((name) => project(name, [`test/${name}/**/*.test.ts`])),
      project('nightly', ['test/**/*.nightly.ts']),
    ],
  },
});
