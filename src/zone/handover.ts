/**
 * Between a bucket and the user's hand: the constructor and, in checked arenas, the fill that must
 * be intact and the busy bit that convicts a double free.
 */

import { Corruption } from '../errors.ts'
import { CacheWords } from '../memory/layout.ts'
import type { Item } from '../words.ts'
import { Failure } from './failure.ts'
import { mend, unmark } from './frames.ts'
import type { Parts } from './parts.ts'
import { doubleFree } from './refuse.ts'
import { markBusy, markIdle } from './slab.ts'
import { fillTrash, verifyTrash } from './trash.ts'

/** Makes an item that was just popped ready for its user. When the constructor throws, it goes back. */
export function construct(parts: Parts, verb: string, item: Item): Item {
  const { frames, hooks, name, records, recordWords, space, trashing } = parts
  const held = frames.hold(item)
  frames.open++
  let made = false
  try {
    if (trashing) verifyTrash(`zone.${verb}`, name, space.memory, item, recordWords)
    if (hooks.ctor !== undefined) {
      const base = frames.enter()
      try {
        hooks.ctor(item)
      } finally {
        if (!frames.leave(base)) mend(parts)
      }
    }
    if (space.checks) setBusy(parts, records.addresses.slabOf(item), item)
    made = true
  } catch (error) {
    // What somebody has written to must not be handed out again.
    if (error instanceof Corruption) made = true
    throw error
  } finally {
    if (made) frames.held = held
    else settle(parts, held, new Failure())
    frames.open--
  }
  return item
}

/**
 * Takes an item in hand whose owner never made a record of it: the destructor hears nothing. When this
 * has returned, the zone has it; an exception before that has changed nothing. `giveHeldBack` follows.
 */
export function holdRaw(parts: Parts, item: Item): number {
  const { frames, records, space } = parts
  if (space.checks) setIdle(parts, records.addresses.slabOf(item), item)
  const held = frames.hold(item)
  frames.open++
  return held
}

/** Puts it where it belongs; if an exception ends this, the next slow path does it. */
export function giveHeldBack(parts: Parts, held: number): void {
  const failure = new Failure()
  settle(parts, held, failure)
  parts.frames.open--
  failure.surface()
}

/**
 * Puts the item that is held there to the alloc bucket it came from or, where that is gone or the item
 * was freed, to its slab. If that cannot be done now, it stays in hand, and the next slow path does it.
 * `failure` has what `fini` throws; without it, as after a death, no hook hears of anything.
 */
export function settle(parts: Parts, held: number, failure: Failure | undefined): void {
  const { cache, frames, hooks, records, recordWords, space, trashing } = parts
  frames.held = held + 1
  // Nothing has come by here yet that would see to what an earlier call has left, if one has.
  cache.finishMove()
  unmark(parts)
  const item = frames.items[held] as Item
  if (frames.freed[held] === true) {
    records.giveCounted(item, cache.at + CacheWords.freed, 1, frames)
    return
  }
  if (trashing) fillTrash(space.memory, item, recordWords)
  if (cache.unpop(item)) {
    frames.held = held
    return
  }
  failure?.run(parts, hooks.fini, item)
  records.giveCounted(item, cache.at + CacheWords.loaded, -1, frames)
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
