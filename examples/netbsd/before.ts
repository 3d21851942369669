/**
 * A table of routes, in one of two variants: before.ts with pserialize(9), after.ts with
 * pool_cache_set_smr(9). Apart from the two lines that `diff before.ts after.ts` shows, they are the
 * same: readers do not change, nor does the writer, except that it does not wait any more.
 *
 *   before   unlink, wait until all readers of that time have left, put. Each removal waits, and it
 *            does so under the lock, as pserialize_perform(9) wants it.
 *   after    unlink, put. The cache collects what is put, stamps a bucketful at once, and polls when
 *            it next needs memory. Nobody waits.
 */

import { type Arena, type Item, type Lock, NULL_ITEM } from 'uma-smr'
import * as netbsd from 'uma-smr/netbsd'
import { isWhole, poolOf, ROUTES, write } from './route.ts'

export class Routes {
  private readonly arena: Arena
  private readonly lock: Lock
  private readonly psz: netbsd.pserialize_t
  private readonly pool: netbsd.pool_cache_t
  private readonly slots: readonly netbsd.SmrPointer[]

  constructor(arena: Arena) {
    this.arena = arena
    this.lock = arena.lock('routes')
    this.psz = netbsd.pserialize_create(arena, 'routes')
    this.pool = poolOf(arena)
    this.slots = Array.from({ length: ROUTES }, (_, i) =>
      netbsd.SMR_POINTER(arena, arena.root(`route ${i}`)),
    )
  }

  /** Looks at all routes in one section; how many of them are not in one piece. */
  walk(): number {
    const s = netbsd.pserialize_read_enter(this.psz)
    let torn = 0
    for (const slot of this.slots) {
      const route = netbsd.smr_entered_load(slot, this.psz)
      if (route !== NULL_ITEM && !isWhole(this.arena, route)) torn++
    }
    netbsd.pserialize_read_exit(this.psz, s)
    return torn
  }

  /** Replaces a route. */
  change(index: number, metric: number): void {
    const { lock, slots } = this
    const slot = slots[index % ROUTES]
    if (slot === undefined) return
    const route = netbsd.pool_cache_get(this.pool, netbsd.PR_WAITOK)
    write(this.arena, route, metric)
    const old: Item = lock.withLock(() => {
      const unlinked = netbsd.smr_serialized_swap(slot, route, lock.held)
      netbsd.pserialize_perform(this.psz)
      return unlinked
    })
    if (old !== NULL_ITEM) netbsd.pool_cache_put(this.pool, old)
  }
}
