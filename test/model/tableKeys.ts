/**
 * Keys that are looked up by their hash: two with one and the same, where every lookup has to compare
 * the whole key, and four that share a chain.
 *
 * Integers of 32 bits never collide (the hash is a bijection), so the keys are texts. That hashes and
 * chains are equal is checked first: another hash function must not make these scenarios idle.
 */

import type { Arena } from '#src/index.ts'
import { type Scenario, scenario, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { FEW_CHAINS, STAGE } from './tableStage.ts'

export const TWINS = ['oxaqylp', 'kigfjyq'] as const
/** In an array of 16 one chain. */
export const NEIGHBOURS = ['apple', 'cherry', 'olive', 'pecan'] as const

function schemaOf(lib: Library) {
  return lib.record({ name: lib.utf8(8), version: lib.u32 })
}

function openNames(lib: Library, arena: Arena) {
  return lib.HashTable.open(arena, 'names', { record: schemaOf(lib), key: 'name' })
}

type Names = ReturnType<typeof openNames>

/** Version of the name, 0 if it is not there. */
function look(table: Names, name: string): number {
  const found = table.get(name)
  if (found === undefined) return 0
  if (found.name !== name) throw new Error(`asked for ${name}, found ${found.name}`)
  return found.version
}

/** All scenarios of this file, on the shipped library or on a mutant of it. */
export function keyScenarios(lib: Library): readonly Scenario<null>[] {
  const [one, other] = TWINS
  const [last, third, second, first] = NEIGHBOURS
  return [
    namesScene(lib, 'keys of one hash', [one], {
      reads(table) {
        if (look(table, one) === 0) throw new Error(`${one} was not found`)
        look(table, other)
        if (look(table, one) === 0) throw new Error(`${one} was not found`)
      },
      writes(table) {
        table.set({ name: other, version: 5 })
        table.set({ name: one, version: 2 })
        table.delete(other)
      },
      ends: [
        [one, 2],
        [other, 0],
      ],
    }),
    namesScene(lib, 'names of one chain', NEIGHBOURS, {
      reads(table) {
        if (look(table, last) === 0) throw new Error(`${last} was not found`)
      },
      writes(table) {
        table.set({ name: third, version: 2 })
        table.delete(second)
        table.set({ name: third, version: 3 })
      },
      ends: [
        [first, 1],
        [second, 0],
        [third, 3],
        [last, 1],
      ],
    }),
  ]
}

interface Plot {
  readonly reads: (table: Names) => void
  readonly writes: (table: Names) => void
  /** Versions in the end; 0: is not there. */
  readonly ends: readonly (readonly [name: string, version: number])[]
}

/** A table of these names, the first put hangs last; one who reads and one who writes. */
function namesScene(
  lib: Library,
  name: string,
  held: readonly string[],
  { reads, writes, ends }: Plot,
): Scenario<null> {
  const member = (name: string, body: (table: Names) => void) =>
    thread<null, Names>({
      name,
      prepare: (memory) => openNames(lib, join(lib, memory)),
      body: (_memory, _control, table) => body(table),
    })
  return scenario<null>({
    name,
    words: STAGE.words,
    setup: (memory) =>
      raise(lib, memory, STAGE, (arena) => {
        const schema = schemaOf(lib)
        const sizes = { capacity: FEW_CHAINS, bucket: 1, seed: 0 }
        const options = { record: schema, key: 'name', ...sizes } as const
        const table = lib.HashTable.create(arena, 'names', options)
        for (const name of held) table.set({ name, version: 1 })
        return null
      }),
    threads: [member('reader', reads), member('writer', writes)],
    final(memory) {
      const table = openNames(lib, join(lib, memory))
      lib.checkTable(table)
      table.zone.check()
      for (const [name, version] of ends) {
        if (look(table, name) !== version) throw new Error(`${name}: a write is lost`)
      }
    },
    rules: { bound: 2 },
  })
}
