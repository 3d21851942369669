/**
 * A zone's hooks, run over whole buckets: `init` when items come from their slabs, the destructor
 * between the poll that says yes and the first reuse, `fini` before items go back.
 *
 * All of them run on the worker that has the bucket in hand, outside any lock; a destructor never at
 * zfreeSmr, where readers may still look. The bucket says how far they have got, so that whoever
 * inherits it knows: `destroyed` counts the items that have seen the destructor, `raw` says that none
 * may be handed out.
 */

import { Corruption, show } from '../errors.ts'
import { BucketWords } from '../memory/layout.ts'
import type { Item } from '../words.ts'
import { Failure } from './failure.ts'
import type { Parts } from './parts.ts'
import { fillTrash } from './trash.ts'

/**
 * Runs `init` for each item of a fresh batch. If it throws, `failure` has that, and what has not seen it
 * goes back.
 */
export function initItems(parts: Parts, bucket: number, failure: Failure): void {
  const { hooks, records, space } = parts
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
  if (done < count) records.giveTail(bucket, done)
}

/**
 * Runs the destructor for the items that have not seen it. A destructor must not throw; if it does, the
 * whole bucket is dealt with all the same, and `failure` has its error.
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
function assertItems({ buckets, name, records }: Parts, bucket: number): void {
  for (const item of buckets.items(bucket)) {
    if (records.addresses.slabOf(item) !== 0) continue
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
