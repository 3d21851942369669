/**
 * The tests against a mutant: `#src/` is the built library in the folder that UMA_SMR_LIBRARY names.
 * What a test starts in a worker runs the shipped one.
 */

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const { UMA_SMR_LIBRARY: library = '' } = process.env

export default defineConfig({
  resolve: { alias: [{ find: /^#src\/(.*)\.ts$/, replacement: `${library}/$1.js` }] },
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['unit/**/*.test.ts'],
    testTimeout: 60_000,
    maxWorkers: 1,
    isolate: false,
    bail: 1,
    passWithNoTests: true,
    // Loaded as it was built, and not transformed once more for each mutant.
    server: { deps: { external: [/\/slot-\d+\/dist\//] } },
    reporters: ['dot'],
  },
})
