/**
 * Between a bucket and the user's hand: the constructor and, in checked arenas, the fill that must
 * be intact and the busy bit that convicts a double free.
 */

import { CacheWords } from '../memory/layout.ts'
import type { Item } from '../words.ts'
import { Failure } from './failure.ts'
import type { Parts } from './parts.ts'
import { doubleFree } from './refuse.ts'
import { markBusy, markIdle } from './slab.ts'
import { fillTrash, verifyTrash } from './trash.ts'

/** Makes an item that was just popped ready for its user. When the constructor throws, it goes back. */
export function construct(parts: Parts, verb: string, item: Item): Item {
  const { hooks, name, records, recordWords, space, trashing } = parts
  if (trashing) verifyTrash(`zone.${verb}`, name, space.memory, item, recordWords)
  if (hooks.ctor !== undefined) {
    let made = false
    try {
      hooks.ctor(item)
      made = true
    } finally {
      if (!made) putBack(parts, item)
    }
  }
  if (space.checks) setBusy(parts, records.addresses.slabOf(item), item)
  return item
}

/** Takes back a record that was constructed and shown to nobody. */
export function giveBack(parts: Parts, verb: string, item: Item): void {
  if (parts.space.checks) release(parts, verb, parts.records.addresses.slabOf(item), item)
  try {
    parts.hooks.dtor?.(item)
  } finally {
    putBack(parts, item)
  }
}

/** The same for an item whose owner never made a record of it: the destructor hears nothing. */
export function giveBackRaw(parts: Parts, verb: string, item: Item): void {
  if (parts.space.checks) release(parts, verb, parts.records.addresses.slabOf(item), item)
  putBack(parts, item)
}

/** To the alloc bucket it came from or, where that is gone, to its slab. */
function putBack(parts: Parts, item: Item): void {
  const { cache, hooks, records, recordWords, space, trashing } = parts
  if (trashing) fillTrash(space.memory, item, recordWords)
  if (cache.unpop(item)) return
  const failure = new Failure()
  failure.run(hooks.fini, item)
  cache.count(CacheWords.loaded, -1)
  records.giveOne(item)
  failure.surface()
}

/** Checked arenas: the item must be the user's until now. */
export function release(parts: Parts, verb: string, slab: number, item: Item): void {
  if (!setIdle(parts, slab, item)) throw doubleFree(parts, verb, item)
}

/** Checked arenas: the item is the user's from here on. */
export function setBusy({ records, space }: Parts, slab: number, item: Item): void {
  const { addresses, shape } = records
  markBusy(space.memory, slab, shape, addresses.indexOf(slab, item))
}

/** Checked arenas: the item is the user's no more. False when it was not. */
export function setIdle({ records, space }: Parts, slab: number, item: Item): boolean {
  const { addresses, shape } = records
  return markIdle(space.memory, slab, shape, addresses.indexOf(slab, item))
}
