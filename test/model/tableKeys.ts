/**
 * Two keys with one and the same hash: every lookup has to compare the whole key.
 *
 * Integers of 32 bits never collide (the hash is a bijection), so the keys are texts. That their
 * hashes are equal is checked first: a change of the hash function must not make this scenario idle.
 */

import type { Arena } from '#src/index.ts'
import { type Scenario, scenario, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { FEW_CHAINS, STAGE } from './tableStage.ts'

export const TWINS = ['oxaqylp', 'kigfjyq'] as const

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

export function keyScenarios(lib: Library): readonly Scenario<null>[] {
  const [one, other] = TWINS
  const prepare = (memory: Parameters<Scenario['setup']>[0]): Names =>
    openNames(lib, join(lib, memory))
  return [
    scenario<null>({
      name: 'keys of one hash',
      words: STAGE.words,
      setup: (memory) =>
        raise(lib, memory, STAGE, (arena) => {
          const schema = schemaOf(lib)
          const sizes = { capacity: FEW_CHAINS, bucket: 1 }
          const options = { record: schema, key: 'name', ...sizes } as const
          const table = lib.HashTable.create(arena, 'names', options)
          table.set({ name: one, version: 1 })
          return null
        }),
      threads: [
        thread<null, Names>({
          name: 'reader',
          prepare,
          body(_memory, _control, table) {
            if (look(table, one) === 0) throw new Error(`${one} was not found`)
            look(table, other)
            if (look(table, one) === 0) throw new Error(`${one} was not found`)
          },
        }),
        thread<null, Names>({
          name: 'writer',
          prepare,
          body(_memory, _control, table) {
            table.set({ name: other, version: 5 })
            table.set({ name: one, version: 2 })
            table.delete(other)
          },
        }),
      ],
      final(memory) {
        const table = openNames(lib, join(lib, memory))
        lib.checkTable(table)
        table.zone.check()
        if (look(table, one) !== 2 || look(table, other) !== 0) throw new Error('a write is lost')
      },
      rules: { bound: 2 },
    }),
  ]
}
