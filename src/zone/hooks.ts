/**
 * What becomes of an error that a hook throws in the middle of a batch: the batch is finished
 * first.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, show } from '../base/errors.ts'
import { BucketWords, CacheWords } from '../memory/layout.ts'
import { doubleFree } from './errors.ts'
import type { Hook } from './options.ts'
import { mend, type Parts, unmark } from './parts.ts'
import { markBusy, markIdle } from './slab.ts'
import { fillTrash, verifyTrash } from './trash.ts'

/** The first error that a hook has thrown, kept until all of them have run. */
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

  /** Whether one has. */
  get any(): boolean {
    return this.first !== undefined
  }

  /** What another one has kept, unless this has an error already. */
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

// A zone's hooks, run over whole buckets: `init` when items come from their slabs, the destructor
// between the poll that says yes and the first reuse, `fini` before items go back.
//
// All of them run on the worker that has the bucket in hand, outside any lock; a destructor never
// at zfreeSmr, where readers may still look. The bucket says how far they have got, so that whoever
// inherits it knows: `destroyed` counts the items that have seen the destructor, `raw` says that
// none may be handed out.

/**
 * Runs `init` for each item of a fresh batch. If it throws, `failure` has that, and what has not
 * seen it goes back.
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
 * Runs the destructor for the items that have not seen it. A destructor must not throw; if it does,
 * the whole bucket is dealt with all the same, and `failure` has its error.
 */
export function destroyItems(parts: Parts, bucket: number, failure: Failure): void {
  const { buckets, domain, frames, hooks, recordWords, space, trashing } = parts
  const { memory } = space
  const count = memory.peek(bucket + BucketWords.count)
  // A plain zone has dealt with each item when it was freed.
  if (domain !== undefined && (hooks.dtor !== undefined || trashing)) {
    const begun = memory.peek(bucket + BucketWords.destroyed)
    assertItems(parts, bucket)
    for (let i = begun; i < count; i++) {
      const item = memory.peek(bucket + BucketWords.entries + i) as Item
      // Marked first: a destructor that its worker dies in is not run again.
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

/** Corruption before a hook is called, or anything is filled, for what is no item of the zone. */
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

/** Runs `fini` for all items; `failure` has what it throws. */
export function finiItems(parts: Parts, bucket: number, failure: Failure): void {
  const { buckets, hooks, space } = parts
  if (hooks.fini === undefined) return
  // Like fresh ones before `init`, items after `fini` must not be handed out if we die here.
  space.memory.poke(bucket + BucketWords.raw, 1)
  for (const item of buckets.items(bucket)) failure.run(parts, hooks.fini, item as Item)
}

// Between a bucket and the user's hand: the constructor and, in checked arenas, the fill that must
// be intact and the busy bit that detects a double free.

/**
 * Makes an item that was just popped ready for its user. When the constructor throws, it goes back.
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
    made = true
  } catch (error) {
    // What somebody has written to must not be handed out again.
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
 * Takes an item in hand whose owner never made a record of it: the destructor hears nothing. When
 * this has returned, the zone has it; an exception before that has changed nothing. `giveHeldBack`
 * follows.
 */
export function holdRaw(parts: Parts, item: Item): number {
  const { frames, keg, space } = parts
  if (space.checks) setIdle(parts, keg.addresses.slabOf(item), item)
  const held = frames.hold(item)
  frames.open++
  return held
}

/** Puts it where it belongs; if an exception ends this, the next slow path does it. */
export function giveHeldBack(parts: Parts, held: number): void {
  const failure = new Failure()
  putHeldBack(parts, held, failure)
  parts.frames.open--
  failure.surface()
}

/**
 * Puts the item that is held there to the alloc bucket it came from or, where that is gone or the
 * item was freed, to its slab. If that cannot be done now, it stays in hand, and the next slow path
 * does it. `failure` has what `fini` throws; without it, as after a death, no hook hears of
 * anything.
 */
export function putHeldBack(parts: Parts, held: number, failure: Failure | undefined): void {
  const { cache, frames, hooks, keg, recordWords, space, trashing } = parts
  frames.held = held + 1
  // Nothing has come by here yet that would see to what an earlier call has left, if one has.
  cache.finishMove()
  unmark(parts)
  const item = frames.items[held] as Item
  if (frames.freed[held] === true) {
    keg.giveCounted(item, cache.at + CacheWords.freed, 1, frames)
    return
  }
  if (trashing) fillTrash(space.memory, item, recordWords)
  if (cache.unpop(item)) {
    frames.held = held
    return
  }
  failure?.run(parts, hooks.fini, item)
  keg.giveCounted(item, cache.at + CacheWords.loaded, -1, frames)
}

/** Checked arenas: the item must be the user's until now. */
export function release(parts: Parts, verb: string, slab: number, item: Item): void {
  if (!setIdle(parts, slab, item)) throw doubleFree(parts, verb, item)
}

/** Checked arenas: the item is the user's from here on. */
export function setBusy({ keg, space }: Parts, slab: number, item: Item): void {
  const { addresses, shape } = keg
  markBusy(space.memory, slab, shape, addresses.indexOf(slab, item))
}

/** Checked arenas: the item is the user's no more. False when it was not. */
export function setIdle({ keg, space }: Parts, slab: number, item: Item): boolean {
  const { addresses, shape } = keg
  return markIdle(space.memory, slab, shape, addresses.indexOf(slab, item))
}
