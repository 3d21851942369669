/** A worker that stops for ever between two of its writes to shared memory. */

import type { Memory } from '#src/memory/memory.ts'

const DEATH = new Error('this worker is dead')

const WRITES = [
  ...(['store', 'add', 'swap', 'cas', 'or', 'and', 'poke', 'fill'] as const),
  ...(['pokeFloat', 'pokeByte', 'writeBytes', 'tally'] as const),
]

/**
 * Runs `act` as a worker that stops for ever after so many writes: nothing that it does afterwards,
 * `finally` included, reaches anybody. Whether it came to that.
 */
export function dieAfter(
  { memory }: { readonly memory: Memory },
  writes: number,
  act: () => void,
): boolean {
  let left = writes
  for (const verb of WRITES) {
    const real = memory[verb].bind(memory) as (...args: unknown[]) => unknown
    Object.assign(memory, {
      [verb]: (...args: unknown[]) => {
        if (left-- <= 0) throw DEATH
        return real(...args)
      },
    })
  }
  try {
    act()
  } catch (error) {
    if (error === DEATH) return true
    throw error
  }
  for (const verb of WRITES) Reflect.deleteProperty(memory, verb)
  return false
}
