/**
 * Small everything: arenas, buckets and sequences that make rare things common.
 *
 * `CONFIGS` are the clocks that every test of smr and zones runs under. The last two start just
 * below the two places where a 32-bit circle can go wrong (the sign bit, and 0, which must never be
 * hit) and move in giant steps, so that wraps and the wrap guard happen within a few dozen retires
 * instead of once in a billion. FreeBSD's INVARIANTS kernels do the same.
 */

import { Arena, type ArenaOptions } from '#src/index.ts'

export interface Config {
  readonly name: string
  readonly sequence: { readonly first: number; readonly step: number }
}

/** 16 of these steps are the wrap guard's distance; 64 go once around. */
const GIANT = 2 ** 26

export const CONFIGS: readonly Config[] = [
  { name: 'from 1', sequence: { first: 1, step: 2 } },
  { name: 'across the sign bit', sequence: { first: 2 ** 31 - 2 ** 27 - 1, step: GIANT } },
  { name: 'across zero', sequence: { first: -100_001, step: GIANT } },
]

/** 256 KiB, 4 workers, unless said otherwise. Nothing is looked after behind the test's back. */
export function tinyArena(config: Config, options: ArenaOptions = {}): Arena {
  const given = { bytes: 2 ** 18, maxWorkers: 4, sequence: config.sequence, ...options }
  const arena = Arena.create(given)
  arena.space.watch.every = () => {}
  return arena
}
