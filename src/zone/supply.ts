/**
 * The slow paths behind a worker's cache: where its buckets come from and where they go.
 *
 *   zalloc runs dry:   depot (safe, or pending and expired)  ->  keg (fresh items)  ->  harder
 *   zfree runs full:   retire into the depot, take an empty bucket in exchange
 *
 * If a poll says no, the zone grows instead of waiting. If it cannot grow, `lookHarder` retires
 * this worker's part-filled bucket, asks the other workers for theirs, and polls once more.
 *
 * Destructors run between the poll that says yes and the first reuse (hooks.ts).
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { report } from '../base/host.ts'
import { BucketWords, CacheWords, NO_LIMIT, RunKind, ZoneWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { isTimeOut } from '../space/lock.ts'
import { until } from '../space/wait.ts'
import { allocOwner, freeOwner } from './bucket.ts'
import { destroyItems, Failure, finiItems, initItems, putHeldBack } from './hooks.ts'
import { mend, type Parts } from './parts.ts'
import { relieve, shrink } from './pressure.ts'
import { recover } from './recover.ts'
import { Reserve } from './reserve.ts'
import { fillTrash } from './trash.ts'

/** For a lock, in a turn of its own. */
const BRIEFLY_MS = 50

/** Told of slow paths, to do maintenance in later turns: see timers.ts. */
interface Housekeeping {
  loaded(): void
  refilling(): void
  end(): void
}

const NONE: Housekeeping = { loaded() {}, refilling() {}, end() {} }

export class Supply {
  private readonly parts: Parts
  private readonly memory: Memory
  readonly reserve: Reserve
  /** The cache's name in errors. */
  private readonly what: string
  /** Set by the zone. */
  timers: Housekeeping = NONE

  constructor(parts: Parts) {
    this.parts = parts
    this.memory = parts.space.memory
    this.what = `zone ${show(parts.name)} cache`
    this.reserve = new Reserve(parts)
  }

  // ---- zalloc runs dry ---------------------------------------------------------------------

  /**
   * Refills the alloc bucket and takes an item; 0 if there is none. Never waits for readers. `into`:
   * the word that is to name the item, 0 for none; see hands.ts.
   */
  refill(into = 0): number {
    this.begin()
    const item = this.refillWithin(into)
    this.parts.frames.open--
    return item
  }

  /** `refill` inside a slow path that has begun. */
  refillWithin(into = 0): number {
    const { cache, frames } = this.parts
    const failure = new Failure()
    frames.open++
    this.followFlush()
    // `begin` or a flush may have put an item into the bucket that was empty.
    const late = into === 0 ? cache.pop() : cache.popInto(into)
    if (late !== 0) {
      frames.open--
      return late
    }
    this.timers.refilling()
    cache.count(CacheWords.refills, 1)
    if (this.isShort) this.obeyLimit(failure)
    const filled =
      this.reuse(failure) ||
      (!this.pendingTooMuch() && this.importItems(failure)) ||
      this.lookHarder(failure) ||
      (this.reserve.isOpen && this.importItems(failure, 1, 0))
    if (failure.any || !filled) {
      frames.open--
      failure.surface()
      return 0
    }
    const item = into === 0 ? cache.pop() : cache.popInto(into)
    frames.open--
    return item
  }

  /**
   * The limit was lowered: gives what this worker caches, and the depot has, to the slabs until
   * it is kept. Items that
   * readers may still see, and those that workers cache or use, count until they come back.
   */
  obeyLimit(failure: Failure): void {
    const { depot, domain, hooks } = this.parts
    if (domain?.inside && hooks.dtor !== undefined) return
    this.flush()
    depot.urge()
    for (let most = depot.size(); most > 0 && this.isShort && !failure.any; most--) {
      const bucket = depot.fetch(0)
      if (bucket === 0) return
      this.release(bucket, failure)
      depot.putEmpty(bucket)
    }
  }

  /** Whether items have to go back to the slabs: for the limit, or for the reserve. */
  private get isShort(): boolean {
    return this.parts.keg.isOverLimit || this.reserve.isShort
  }

  /** Makes a bucket of freed items the alloc bucket. */
  private reuse(failure: Failure): boolean {
    const { depot, cache, domain, hooks } = this.parts
    if (domain === undefined && this.swap()) return true
    // A destructor may free other records, which is not legal in a section.
    if (domain?.inside && hooks.dtor !== undefined) return false
    if (!depot.isPromising()) {
      if (depot.hasPending()) cache.count(CacheWords.pollFails, 1)
      return false
    }
    const empty = cache.unloadAlloc()
    const bucket = depot.fetch(empty)
    if (bucket === 0) {
      cache.loadAlloc(empty)
      return false
    }
    if (domain !== undefined) cache.count(CacheWords.pollHits, 1)
    destroyItems(this.parts, bucket, failure)
    this.loadAlloc(bucket)
    return true
  }

  /** Plain zones only: the free bucket becomes the alloc bucket. */
  private swap(): boolean {
    const { cache } = this.parts
    if (cache.free === 0 || this.memory.peek(cache.free + BucketWords.count) === 0) return false
    const full = cache.unloadFree()
    const empty = cache.unloadAlloc()
    this.setOwner(full, allocOwner(this.parts.space.slot))
    cache.loadAlloc(full)
    if (empty !== 0) this.loadFree(empty, freeOwner(this.parts.space.slot))
    return true
  }

  /** Whether the limit of pending items is reached; then the zone must not grow. */
  pendingTooMuch(): boolean {
    const { depot, knobs } = this.parts
    const limit = knobs.pendingItems
    return limit !== NO_LIMIT && depot.counts().pending >= limit
  }

  /** Takes fresh items from the keg, at most a bucketful, and leaves `keep` there. */
  private importItems(
    failure: Failure,
    most: number = this.fairShare(),
    keep: number = this.reserve.kept,
  ): boolean {
    const { buckets, cache, depot, hooks, keg, space } = this.parts
    let bucket = cache.unloadAlloc()
    if (bucket === 0) bucket = depot.takeEmpty(allocOwner(space.slot))
    if (bucket === 0) return false
    // Fresh items need no destructor, but must not be handed out before `init`.
    this.memory.poke(bucket + BucketWords.destroyed, buckets.capacity)
    this.memory.poke(bucket + BucketWords.capacity, buckets.capacity)
    this.memory.poke(bucket + BucketWords.raw, hooks.init === undefined ? 0 : 1)
    const items = keg.take(bucket, most, keep)
    initItems(this.parts, bucket, failure)
    this.memory.poke(bucket + BucketWords.raw, 0)
    this.loadAlloc(bucket)
    if (items > 0) cache.count(CacheWords.imports, 1)
    return items > 0
  }

  /**
   * Items per import. Near a limit one worker must not cache everything: each import takes a part
   * of what is left, at least one item.
   */
  private fairShare(): number {
    const { knobs, keg, space } = this.parts
    const most = knobs.bucketNow
    const { limit } = keg
    if (limit === 0) return most
    const { created, inSlabs } = keg.counts()
    const left = limit - (created - inSlabs)
    const workers = space.workers.attached().length
    return Math.max(1, Math.min(most, Math.floor(left / (2 * workers))))
  }

  /** No memory, or at the limit: collects what is free but cached or pending elsewhere. */
  private lookHarder(failure: Failure): boolean {
    const { cache, depot, space } = this.parts
    this.seal()
    // The others put theirs into the depot at their next slow path; ours are there already.
    const asked = this.memory.add(this.parts.at + ZoneWords.flush, 1) + 1
    this.memory.poke(cache.at + CacheWords.flushed, asked)
    if (cache.alloc === 0) {
      const bucket = depot.takeEmpty(allocOwner(space.slot))
      if (bucket !== 0) cache.loadAlloc(bucket)
    }
    depot.urge()
    return this.reuse(failure) || (this.askOthers() && this.importItems(failure))
  }

  /**
   * Other zones give up pages for this one: see pressure.ts. False if it may not have more. What
   * they gave may be enough even if it is less than what was asked for.
   */
  private askOthers(): boolean {
    const { keg, buckets, space } = this.parts
    if (keg.isAtLimit || this.pendingTooMuch()) return false
    relieve(space, [keg.slabWords, buckets.keg.slabWords], this.parts)
    return true
  }

  /** Another call of this worker is short of pages: see pressure.ts. */
  giveUp(): boolean {
    const { at, depot, frames, space } = this.parts
    // A call of this zone is running: it is inside a hook, or is the one that asks.
    if (frames.base > 0 || !this.isAlive()) return false
    if (this.memory.peek(at + ZoneWords.noFree) !== 0) return false
    const failure = new Failure()
    this.begin()
    try {
      this.followFlush()
      this.flush()
      depot.urge()
      // A destructor may free into this zone: what it adds is left.
      for (let most = depot.size(); most > 0; most--) {
        const bucket = depot.fetch(0)
        if (bucket === 0) break
        this.release(bucket, failure)
        depot.putEmpty(bucket)
      }
      shrink(this.parts)
      frames.open--
    } catch (error) {
      // `open` stays raised, so the next slow path puts back what this one had in hand.
      if (!isTimeOut(error)) throw error
    }
    if (failure.any) report(failure.error)
    return space.isOpen
  }

  // ---- zfree runs full ---------------------------------------------------------------------

  /**
   * Makes room for one more item in the free bucket. False only when there is no memory for an
   * empty bucket and none has expired within the default time-out. Errors of hooks are in
   * `failure`; if this throws, no room was made.
   */
  makeRoom(failure: Failure): boolean {
    this.begin()
    this.followFlush()
    const made = this.findRoom(failure)
    this.parts.frames.open--
    return made
  }

  /** Whether there is room and a slow path would find nothing else to do. */
  get hasRoom(): boolean {
    const { cache, frames } = this.parts
    return cache.hasRoom && !frames.isTorn && this.isAlive() && !this.isAsked
  }

  /** Whether the other workers have asked for what this one caches. */
  private get isAsked(): boolean {
    const { at, cache } = this.parts
    return (
      this.memory.load(at + ZoneWords.flush) !== this.memory.peek(cache.at + CacheWords.flushed)
    )
  }

  private findRoom(failure: Failure): boolean {
    const { cache, depot, space } = this.parts
    const owner = freeOwner(space.slot)
    let empty = cache.free
    if (empty !== 0) {
      if (!this.isFull(empty)) return true
      empty = this.sendOff(owner, true)
    }
    if (empty === 0) empty = depot.takeEmpty(owner)
    if (empty === 0) return this.squeeze(owner, failure)
    this.loadFree(empty, owner)
    try {
      this.easeDepot(failure)
    } catch (error) {
      // There is room, which is what the caller needs; the next slow path does the rest.
      if (!isTimeOut(error)) throw error
      this.parts.frames.lost = true
    }
    return true
  }

  /** Gives the depot's buckets beyond its limit to the slabs, at most two per call. */
  easeDepot(failure: Failure): void {
    const { depot } = this.parts
    for (let n = 0; n < 2 && depot.isOverfull(); n++) {
      const bucket = depot.fetch(0)
      if (bucket === 0) return
      this.release(bucket, failure)
      depot.putEmpty(bucket)
      if (failure.any) return
    }
  }

  /** Retires the part-filled free bucket now (in a plain zone: puts it into the depot). */
  seal(): void {
    const { cache, space } = this.parts
    if (cache.free === 0 || this.memory.peek(cache.free + BucketWords.count) === 0) return
    const owner = freeOwner(space.slot)
    const empty = this.sendOff(owner, false)
    if (empty !== 0) this.loadFree(empty, owner)
  }

  /**
   * `seal` by age: loads no other bucket, so the age of the next one begins with its first free.
   */
  ageOut(): void {
    const { cache } = this.parts
    if (cache.free === 0) return
    if (this.memory.peek(cache.free + BucketWords.count) !== 0) this.sendOff(0, false)
    else this.putFreeBack()
  }

  /** Moves all that this worker caches to the depot. */
  flush(): void {
    this.seal()
    this.putAllocBack()
    this.putFreeBack()
  }

  private putFreeBack(): void {
    this.putAway(this.parts.cache.unloadFree())
  }

  /** Moves the alloc bucket to the depot. */
  putAllocBack(): void {
    this.putAway(this.parts.cache.unloadAlloc())
  }

  /** Puts a bucket of safe items, or an empty one, into the depot. */
  private putAway(bucket: number): void {
    if (bucket === 0) return
    const { depot } = this.parts
    if (this.memory.peek(bucket + BucketWords.count) === 0) depot.putEmpty(bucket)
    else depot.putSafe(bucket, 0)
  }

  /** Retires the free bucket. Returns an empty one, 0 if there is none. */
  private sendOff(exchangeOwner: number, paced: boolean): number {
    const { cache, depot, domain } = this.parts
    const bucket = cache.unloadFree()
    return domain === undefined
      ? depot.putSafe(bucket, exchangeOwner)
      : depot.retire(bucket, domain, exchangeOwner, paced)
  }

  /** A hook may have allocated from this zone meanwhile and loaded another bucket. */
  private loadAlloc(bucket: number): void {
    const { cache } = this.parts
    const other = cache.unloadAlloc()
    cache.loadAlloc(bucket)
    this.putAway(other)
  }

  private loadFree(empty: number, owner: number): void {
    const { cache, knobs } = this.parts
    this.setOwner(empty, owner)
    this.memory.poke(empty + BucketWords.destroyed, 0)
    this.memory.poke(empty + BucketWords.capacity, knobs.bucketNow)
    cache.loadFree(empty)
    this.timers.loaded()
  }

  /**
   * No memory for an empty bucket: uses our own alloc bucket if it is empty; else makes one from
   * pages of unused slabs, of this zone or another; else waits for the next bucket to expire.
   */
  private squeeze(owner: number, failure: Failure): boolean {
    const { cache, depot, domain, space } = this.parts
    if (cache.alloc !== 0 && this.memory.peek(cache.alloc + BucketWords.count) === 0) {
      this.loadFree(cache.unloadAlloc(), owner)
      return true
    }
    if (domain === undefined) return false
    const { buckets } = this.parts
    const room = shrink(this.parts) > 0 || relieve(space, [buckets.keg.slabWords], this.parts)
    const empty = room ? depot.takeEmpty(owner) : 0
    if (empty !== 0) {
      this.loadFree(empty, owner)
      return true
    }
    if (!depot.hasPending() && depot.counts().safe === 0) return false
    let bucket = 0
    // A thread that supervises waits less: it may have to hear first that the reader has died.
    until(space, domain.patience(undefined), () => {
      depot.urge()
      bucket = depot.fetch(0)
      return bucket !== 0
    })
    if (bucket === 0) return false
    this.release(bucket, failure)
    // A hook may have freed into this zone meanwhile and loaded another one.
    if (cache.free !== 0) depot.putEmpty(bucket)
    else this.loadFree(bucket, owner)
    return true
  }

  // ---- items -------------------------------------------------------------------------------

  /**
   * Gives the items of a fetched bucket back to their slabs. The empty bucket stays with this
   * worker. Returns how many items; errors of hooks are in `failure`.
   */
  release(bucket: number, failure: Failure): number {
    const { keg, buckets } = this.parts
    const count = buckets.count(bucket)
    destroyItems(this.parts, bucket, failure)
    finiItems(this.parts, bucket, failure)
    keg.give(bucket)
    this.memory.poke(bucket + BucketWords.raw, 0)
    this.memory.poke(bucket + BucketWords.destroyed, 0)
    return count
  }

  // ---- calls -------------------------------------------------------------------------------

  /**
   * Runs a slow path. Errors of hooks are thrown at the end. After any other error `open` stays
   * raised, and the next slow path recovers.
   */
  run<T>(body: (failure: Failure) => T): T {
    const failure = new Failure()
    this.begin()
    const result = body(failure)
    this.parts.frames.open--
    failure.surface()
    return result
  }

  /** In a turn of its own, when no call of this worker can be running: see frames.ts. */
  check(): void {
    const { frames, space } = this.parts
    frames.base = 0
    if (!space.isOurs || !this.isAlive()) return
    if (frames.isTorn) recover(this.parts)
    // Others are short of memory, and this worker may be idle, or the only one with the hooks.
    if (this.isAsked && !space.isInside) space.locks.withPatience(BRIEFLY_MS, () => this.giveUp())
  }

  /** Recovers first what an earlier call left half done. */
  begin(): void {
    const { frames, space } = this.parts
    this.assertAlive()
    if (space.visits.length > 0) space.endVisits()
    if (frames.isTorn) {
      if (frames.base !== 0) {
        mend(this.parts)
        frames.open = frames.base
      } else if (!recover(this.parts)) throw this.gone()
    }
    frames.open++
  }

  /** Another worker, or `reclaim('all')`, has asked every cache to empty itself. */
  private followFlush(): void {
    const { at, cache } = this.parts
    this.assertOwnBuckets()
    if (!this.isAsked) return
    const asked = this.memory.load(at + ZoneWords.flush)
    this.memory.poke(cache.at + CacheWords.flushed, asked)
    this.flush()
  }

  /** The handle is closed. */
  end(): void {
    this.timers.end()
  }

  /** Whether the zone still exists: another worker may have destroyed it. */
  isAlive(): boolean {
    const { at, serial, space } = this.parts
    return (
      space.pages.find(at, RunKind.zone) === at &&
      this.memory.peek(at + ZoneWords.serial) === serial
    )
  }

  private assertAlive(): void {
    if (!this.isAlive()) throw this.gone()
  }

  private gone(): Misuse {
    const { name } = this.parts
    return new Misuse(`zone ${show(name)} was destroyed by another worker; open it again`, {
      zone: name,
    })
  }

  /** Corruption unless the cache's words name buckets of this worker. */
  private assertOwnBuckets(): void {
    const { buckets, cache, space } = this.parts
    if (cache.alloc !== 0) buckets.assertAt(cache.alloc, allocOwner(space.slot), this.what)
    if (cache.free !== 0) buckets.assertAt(cache.free, freeOwner(space.slot), this.what)
  }

  private isFull(bucket: number): boolean {
    const { memory } = this
    return memory.peek(bucket + BucketWords.count) === memory.peek(bucket + BucketWords.capacity)
  }

  private setOwner(bucket: number, owner: number): void {
    this.memory.poke(bucket + BucketWords.owner, owner)
  }
}

/**
 * Frees one item into its slab, without a bucket, when no reader can see it. False, and nothing has
 * changed, when readers do not leave within the default time-out. Errors of hooks are in `failure`.
 * (UMA: zone_free_item.)
 */
export function freeAlone(parts: Parts, item: Item, failure: Failure): boolean {
  const { depot, domain, frames, hooks, recordWords, space, trashing } = parts
  if (domain !== undefined) {
    // If something is still pending, `squeeze` has waited for its readers already.
    const timeoutMs = domain.patience(undefined)
    if (depot.hasPending() || timeoutMs === 0 || !domain.synchronize({ timeoutMs })) return false
    failure.run(parts, hooks.dtor, item)
    if (trashing) fillTrash(space.memory, item, recordWords)
  }
  failure.run(parts, hooks.fini, item)
  const { open } = frames
  const held = frames.hold(item, true)
  frames.open++
  try {
    putHeldBack(parts, held, failure)
    frames.open = open
  } catch {
    // It is freed: its hooks have run. `frames` holds it until the next slow path gives it to the
    // slab.
  }
  return true
}
