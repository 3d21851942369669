/**
 * The end of a table: its records are freed as by `clear`, its zone and the heap of its fields end when
 * readers have left, and then its pages go back and its name is free.
 *
 * Each step can be taken again. A death or an exception before the zone has ended leaves a table with
 * fewer records; after that a table without a zone, which nobody can open, and which the next `create`
 * or `destroy` of the name removes.
 */

import { DomainWords, Named, TableWords } from '../memory/layout.ts'
import type { WaitOptions } from '../space/wait.ts'
import { endWithoutZone, whileMaking } from './open.ts'
import type { TableParts } from './parts.ts'

const CALL = 'table.destroy'

/** The records are freed. */
export function destroyTable(parts: TableParts, options: WaitOptions | undefined): void {
  const { arena, at, name, serial, smr, zone } = parts
  const { space } = arena
  const { directory, memory } = space
  const ownsDomain = memory.peek(at + TableWords.ownsDomain) !== 0
  // It may wait for readers, so without the lock of tables.
  zone.destroy(options)
  whileMaking(space, () => {
    const found = directory.find(CALL, Named.table, name)
    if (found?.serial === serial) endWithoutZone(space, found)
    // Its heap has ended with its zone; others may use its domain.
    if (directory.find(CALL, Named.heap, name) !== undefined) space.sweep()
    if (ownsDomain && memory.load(smr.address + DomainWords.users) === 0) smr.destroy()
  })
}
