/**
 * The end of an ordered table: its records are freed as by `clear`, their zone ends when readers have
 * left, then the zone of the nodes, its pages, its heap and its domain, and its name is free.
 *
 * Each step can be taken again. A death or an exception before the zone of the records has ended leaves
 * a table with fewer records; after that a table that nobody can open. `destroy` goes on with it, and
 * the next `create` of the name removes it and uses the zone of its nodes.
 */

import { Exhausted } from '../base/errors.ts'
import { DomainWords, Named, OrderWords } from '../memory/layout.ts'
import type { WaitOptions } from '../space/wait.ts'
import { whileMaking } from '../table/open.ts'
import { endWithoutZone } from './open.ts'
import type { OrderParts } from './parts.ts'

const CALL = 'table.destroy'
const AT_ONCE = { timeoutMs: 0 }

/** The records are freed. */
export function destroyOrdered(parts: OrderParts, options: WaitOptions | undefined): void {
  const { arena, at, name, nodes, serial, zone } = parts
  const { space } = arena
  const ownsDomain = space.memory.peek(at + OrderWords.ownsDomain) !== 0
  // It may wait for readers, so without the lock of tables. Says so if the table has ended already.
  const isBegun =
    !zone.isAlive() && space.directory.find(CALL, Named.ordered, name)?.serial === serial
  if (!isBegun) zone.destroy(options)
  try {
    whileMaking(space, () => finish(parts, ownsDomain))
  } catch (error) {
    if (!(error instanceof Exhausted) || !nodes.isAlive()) throw error
    // Nodes that other workers had cached are in the depot now: wait for their readers, without the lock.
    nodes.reclaim('drain', options)
    whileMaking(space, () => finish(parts, ownsDomain))
  }
}

/**
 * The lock of tables is held. Two cases: the name still leads to our table, then nobody makes another
 * before we unlock, and the nodes are ours; or it does not, then a table of this name was made since
 * our zone ended, and what is left is its own. Otherwise (without the lock) the zone of nodes could end
 * under the new table.
 */
function finish({ arena, name, nodes, serial, smr }: OrderParts, ownsDomain: boolean): void {
  const { space } = arena
  const { directory, memory } = space
  const found = directory.find(CALL, Named.ordered, name)
  if (found?.serial !== serial) return
  if (nodes.isAlive()) nodes.destroy(AT_ONCE)
  endWithoutZone(space, found)
  // Its heap has ended with its zone; others may use its domain.
  if (directory.find(CALL, Named.heap, name) !== undefined) space.sweep()
  if (ownsDomain && memory.load(smr.address + DomainWords.users) === 0) smr.destroy()
}
