/**
 * Tests run from their TypeScript, against the library's TypeScript: `#src/` means dist/ to Node
 * (package.json "imports") and src/ here. Workers, and the model's mutants, run what was built.
 */

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: { alias: [{ find: /^#src\/(.*)$/, replacement: `${here('../src/')}$1` }] },
  test: {
    root: here('.'),
    include: ['**/*.test.ts'],
    // Explorations take seconds, on a busy machine minutes.
    testTimeout: 180_000,
    maxWorkers: 2,
    // Scripts, as Node would load them: nothing to transform.
    server: { deps: { external: [/\/build\/mutants\//] } },
    coverage: {
      provider: 'v8',
      include: ['**/src/**/*.ts'],
      allowExternal: true,
      reportsDirectory: here('../build/coverage'),
      reporter: ['text', 'json-summary', 'json'],
    },
  },
})
