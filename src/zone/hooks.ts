/**
 * Running a zone's hooks, on single items and on whole buckets.
 *
 *   init   when items come from their slabs
 *   ctor   when an item is handed out
 *   dtor   in a plain zone when an item is freed; in a zone with smr after the poll that says yes
 *          and before the first reuse - never at zfreeSmr, where readers may still see the item
 *   fini   before items go back to their slabs
 *
 * Hooks run outside any lock, on the worker that holds the item or the bucket. If one throws in the
 * middle of a bucket, the bucket is finished first; `Failure` keeps the error until then. The
 * bucket says how far its hooks have got, for the worker that takes it over after a death:
 * `destroyed` counts the items whose destructor was called, `raw` says that none may be handed out.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, show } from '../base/errors.ts'
import { BucketWords, CacheWords } from '../memory/layout.ts'
import { doubleFree } from './errors.ts'
import type { Hook } from './options.ts'
import { mend, type Parts, unmark } from './parts.ts'
import { markBusy, markIdle } from './slab.ts'
import { fillTrash, verifyTrash } from './trash.ts'

/** The first error of many hooks, kept until all of them have run. */
export class Failure {
  private first: { readonly error: unknown } | undefined

  run(parts: Parts, hook: Hook | undefined, item: Item): void {
    if (hook === undefined) return
    const { frames } = parts
    const base = frames.enter()
    frames.marked = 0
    try {
      hook(item)
    } catch (error) {
      this.first ??= { error }
    }
    if (!frames.leave(base)) mend(parts)
  }

  get any(): boolean {
    return this.first !== undefined
  }

  /** Takes over the error of `other`, unless it has one already. */
  add(other: Failure): void {
    this.first ??= other.first
  }

  get error(): unknown {
    return this.first?.error
  }

  surface(): void {
    if (this.first !== undefined) throw this.first.error
  }
}

// ---- buckets ---------------------------------------------------------------------------------

/**
 * Runs `init` for each item of a fresh bucket. If it throws, the error is in `failure`, and the
 * items not yet initialized go back.
 */
export function initItems(parts: Parts, bucket: number, failure: Failure): void {
  const { hooks, keg, space } = parts
  if (hooks.init === undefined) return
  const { memory } = space
  const count = memory.peek(bucket + BucketWords.count)
  const own = new Failure()
  let done = 0
  while (done < count && !own.any) {
    own.run(parts, hooks.init, memory.peek(bucket + BucketWords.entries + done) as Item)
    if (!own.any) done++
  }
  failure.add(own)
  if (done < count) keg.giveTail(bucket, done)
}

/**
 * Runs the destructor for the items for which it has not run. If it throws, the rest of the bucket
 * is done all the same, and the error is in `failure`.
 */
export function destroyItems(parts: Parts, bucket: number, failure: Failure): void {
  const { buckets, domain, frames, hooks, recordWords, space, trashing } = parts
  const { memory } = space
  const count = memory.peek(bucket + BucketWords.count)
  // A plain zone ran the destructor when the item was freed.
  if (domain !== undefined && (hooks.dtor !== undefined || trashing)) {
    const begun = memory.peek(bucket + BucketWords.destroyed)
    assertItems(parts, bucket)
    for (let i = begun; i < count; i++) {
      const item = memory.peek(bucket + BucketWords.entries + i) as Item
      // Marked first: after a death inside a destructor it is not run again.
      frames.begun = i
      frames.marked = bucket
      memory.poke(bucket + BucketWords.destroyed, i + 1)
      failure.run(parts, hooks.dtor, item)
    }
    frames.marked = 0
    if (trashing && begun < count) {
      for (const item of buckets.items(bucket)) fillTrash(memory, item, recordWords)
    }
  }
  memory.poke(bucket + BucketWords.destroyed, count)
}

/** Corruption, before any hook runs, for an entry that is no item of the zone. */
function assertItems({ buckets, name, keg }: Parts, bucket: number): void {
  for (const item of buckets.items(bucket)) {
    if (keg.addresses.slabOf(item) !== 0) continue
    throw new Corruption(`zone ${show(name)}: ${item} in bucket ${bucket} is no item of it`, {
      zone: name,
      bucket,
      item,
    })
  }
}

/** Runs `fini` for all items; its error is in `failure`. */
export function finiItems(parts: Parts, bucket: number, failure: Failure): void {
  const { buckets, hooks, space } = parts
  if (hooks.fini === undefined) return
  // If we die here, items after `fini` must not be handed out, like fresh ones before `init`.
  space.memory.poke(bucket + BucketWords.raw, 1)
  for (const item of buckets.items(bucket)) failure.run(parts, hooks.fini, item as Item)
}

// ---- single items ----------------------------------------------------------------------------

/**
 * Prepares an item that was just popped: constructor and, in checked arenas, the fill that must be
 * intact and the busy bit. When the constructor throws, the item goes back.
 */
export function construct(parts: Parts, verb: string, item: Item): Item {
  const { frames, hooks, name, keg, recordWords, space, trashing } = parts
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
    if (space.checks) setBusy(parts, keg.addresses.slabOf(item), item)
    parts.guards?.sign(item)
    made = true
  } catch (error) {
    // An item that was written to while free must not be handed out again.
    if (error instanceof Corruption) made = true
    throw error
  } finally {
    if (made) frames.held = held
    else putHeldBack(parts, held, new Failure())
    frames.open--
  }
  return item
}

/**
 * Takes an item back that never became a record: its destructor does not run. When this has
 * returned, the zone holds the item; an exception before that has changed nothing. `giveHeldBack`
 * follows. `word`: the address of the word that names the item as held, 0: none but those of the cache.
 */
export function holdRaw(parts: Parts, item: Item, word = 0): number {
  const { frames, keg, space } = parts
  if (space.checks) setIdle(parts, keg.addresses.slabOf(item), item)
  const held = frames.hold(item)
  frames.named = word === 0 ? 0 : item
  frames.word = word
  frames.open++
  return held
}

/**
 * Puts it back into a bucket or its slab; if an exception ends this, the next slow path does it.
 */
export function giveHeldBack(parts: Parts, held: number): void {
  const failure = new Failure()
  putHeldBack(parts, held, failure)
  parts.frames.open--
  failure.surface()
}

/**
 * Puts a held item back into the alloc bucket or, if that is gone or the item was freed, into its
 * slab. If that cannot be done now, it stays held, and the next slow path does it. The error of
 * `fini` is in `failure`; without `failure`, as after a death, no hook runs.
 */
export function putHeldBack(parts: Parts, held: number, failure: Failure | undefined): void {
  const { cache, frames, hooks, keg, recordWords, space, trashing } = parts
  frames.held = held + 1
  // An earlier call may have been cut off in the middle of a move or of a destructor.
  cache.finishMove()
  unmark(parts)
  const item = frames.items[held] as Item
  const word = wordOf(parts, item)
  if (frames.freed[held] === true) {
    keg.giveCounted(item, cache.at + CacheWords.freed, 1, frames, word)
    return
  }
  if (trashing) fillTrash(space.memory, item, recordWords)
  if (cache.unpop(item)) {
    frames.held = held
    frames.named = 0
    // Not before: see hands.ts.
    if (word !== 0) space.memory.poke(word, 0)
    return
  }
  failure?.run(parts, hooks.fini, item)
  keg.giveCounted(item, cache.at + CacheWords.loaded, -1, frames, word)
  frames.named = 0
}

/**
 * The word of shared memory that names a held item, 0 for none. After an exception that came since, it may
 * be part of another record: then it does not name the item, and is left.
 */
function wordOf({ cache, frames, space }: Parts, item: Item): number {
  if (frames.named !== item) return cache.wordOf(item)
  return space.memory.peekRacy(frames.word) === item ? frames.word : 0
}

/** Checked arenas: Misuse unless the item is in use, Corruption if it was written past its end. */
export function release(parts: Parts, verb: string, slab: number, item: Item): void {
  if (!setIdle(parts, slab, item)) throw doubleFree(parts, verb, item)
  const { guards } = parts
  if (guards === undefined) return
  let whole = false
  try {
    guards.verify(`zone.${verb}`, item)
    whole = true
  } finally {
    if (!whole) setBusy(parts, slab, item)
  }
  guards.forget(item)
}

/** Checked arenas: marks the item as in use. */
export function setBusy({ keg, space }: Parts, slab: number, item: Item): void {
  const { addresses, shape } = keg
  markBusy(space.memory, slab, shape, addresses.indexOf(slab, item))
}

/** Checked arenas: takes the mark away. False when there was none. */
export function setIdle({ keg, space }: Parts, slab: number, item: Item): boolean {
  const { addresses, shape } = keg
  return markIdle(space.memory, slab, shape, addresses.indexOf(slab, item))
}
