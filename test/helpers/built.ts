/**
 * Where a worker's compiled code lies. Node 20 cannot start a worker from TypeScript, so worker
 * files are built first (`npm test` does it) and stand in build/test under the same path. They
 * import the package by its name, as its users do.
 */

/** `path` of the source below test/, for example 'helpers/counter.worker.ts'. */
export function built(path: string): URL {
  return new URL(`../../build/test/${path.replace(/\.ts$/, '.js')}`, import.meta.url)
}
