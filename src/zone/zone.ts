/**
 * A zone: fixed-size records, handed out to any worker and taken back from any worker.
 *
 *   zalloc  <- cache.pop  <- refill <- depot (expired, polled) or keg (fresh)
 *   zfree   -> cache.push -> retire -> depot (stamped with a goal)
 *
 * This file checks the caller and takes the fast path; cache.ts, supply.ts, depot.ts and keg.ts do
 * the rest. A zone with an smr domain batches as UMA does: a full bucket of frees is stamped with
 * one advance, and reused only after the poll for it has said yes; so a bucket of N records costs
 * one write to the clock per N frees, and the poll comes long after its goal has passed.
 *
 * The handle belongs to one worker; any number of workers open the same zone by name.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { integer, type Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { CacheWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import {
  type AsyncWaitOptions,
  asyncTimeoutOf,
  untilAsync,
  type WaitOptions,
} from '../space/wait.ts'
import { auditZone, checkZone, liveItems } from './audit.ts'
import { allocBatch, freeBatch } from './batch.ts'
import type { Cache } from './cache.ts'
import {
  bytesTo,
  exhausted,
  foreign,
  insideSection,
  misuse,
  outOfMemory,
  slabBytes,
  tellRefused,
  whyEmpty,
} from './errors.ts'
import type { Allocation } from './guard.ts'
import { construct, Failure, giveHeldBack, holdRaw, release, setBusy, setIdle } from './hooks.ts'
import { type Parts, unmarkOpened } from './parts.ts'
import { reachUnderPressure } from './pressure.ts'
import {
  assertLevel,
  destroyZone,
  endUnused,
  freeOwned,
  type Reclaimed,
  type ReclaimLevel,
  reclaim,
} from './reclaim.ts'
import type { Addresses } from './slab.ts'
import { type ZoneStats, zoneStats } from './stats.ts'
import { freeAlone, Supply } from './supply.ts'
import { Timers } from './timers.ts'
import { fillTrash } from './trash.ts'
import { type RunTimeOptions, tuneZone } from './tune.ts'

/** Which verbs are legal on this handle: constants of this module, since every call checks them. */
const PLAIN = 0
const SMR = 1
const CLOSED = 2

/** One zone, as one worker holds it. Get it with `arena.zone(name)`. */
export class Zone {
  /** The name that it was created with. */
  readonly name: string
  /** @internal */
  readonly serial: number
  /** @internal */
  readonly parts: Parts
  private readonly memory: Memory
  private readonly domain: Smr | undefined
  private readonly cache: Cache
  private readonly addresses: Addresses
  private readonly supply: Supply
  private readonly careful: boolean
  private readonly checks: boolean
  private mode: number
  // One flag per fast path: the verbs stay small enough to be inlined. Careful: with `construct`.
  private readyToAlloc: boolean
  private readyToFree: boolean

  /** @internal */
  constructor(parts: Parts) {
    this.parts = parts
    this.name = parts.name
    this.serial = parts.serial
    this.memory = parts.space.memory
    this.domain = parts.domain
    this.cache = parts.cache
    this.addresses = parts.keg.addresses
    this.supply = new Supply(parts)
    this.supply.timers = new Timers(parts, this.supply)
    parts.space.watch.add(this.supply)
    parts.space.givers.add(this.supply)
    parts.space.watch.start()
    this.checks = parts.space.checks
    this.careful = this.checks || parts.hooks.ctor !== undefined
    this.mode = parts.domain === undefined ? PLAIN : SMR
    this.readyToAlloc = this.mode === SMR && !this.careful
    this.readyToFree = this.mode === SMR && !this.checks
  }

  // ---- zones with smr ----------------------------------------------------------------------

  /**
   * Allocates a record. Its words are not cleared. Never waits for readers, but takes the zone's
   * locks once per bucket; legal inside a section. Throws Exhausted, with the numbers of live,
   * cached and pending items, when no bucket has expired and the arena or the limit allows no new
   * item. Misuse in a zone without smr. FreeBSD uma_zalloc_smr(9), XNU zalloc_smr.
   */
  zallocSmr(): Item {
    return ((this.readyToAlloc && this.cache.pop()) || this.allocSlowly()) as Item
  }

  /** `zallocSmr`, but 0 instead of Exhausted. Never waits for readers; legal inside a section. */
  tryZallocSmr(): Item {
    return this.takeSmr() || this.refuse('tryZallocSmr')
  }

  /**
   * Frees a record that is unlinked already, so that no new reader can find it. It is used again
   * only when every reader that could see it has left; the destructor runs then, not now. Blocks
   * only when there is no memory for a bucket, for 30 s at most. Misuse for an item that is not
   * this zone's, inside a section of its domain, and in checked arenas for a double free. FreeBSD
   * uma_zfree_smr(9), XNU zfree_smr; NetBSD pool_cache_put after pool_cache_set_smr.
   */
  zfreeSmr(item: Item): void {
    const slab = this.addresses.slabOf(item)
    // Only a zone with a domain is ready.
    if (slab === 0 || !this.readyToFree || (this.domain as Smr).inside) this.freeSlowly(item, slab)
    else if (!this.cache.push(item)) this.pushSlowly('zfreeSmr', slab, item)
  }

  /**
   * `zallocSmr` that waits, between turns of the event loop, for memory to expire or be freed:
   * `timeoutMs` (default 30 s), then it rejects with Exhausted; when `signal` aborts, with its
   * reason. Misuse in a zone without smr. Never blocks the thread; legal to call inside a section,
   * but not to await there.
   */
  zallocSmrAsync(options?: AsyncWaitOptions): Promise<Item> {
    return this.allocAsync('zallocSmrAsync', options, () => this.takeSmr())
  }

  /**
   * Allocates `count` records, 0 to 1,048,576, or none: if one of them fails, those already
   * allocated go back and the error of `zallocSmr` is thrown; Exhausted also says how many were
   * `asked`. If the zone has a constructor, the destructor runs for each record that goes back;
   * without a constructor it does not. Does not wait, legal inside a section, Misuse in a zone
   * without smr. Use it for all or nothing, not for speed: it costs as much as `count` single
   * calls. Linux kmem_cache_alloc_bulk().
   */
  zallocSmrBatch(count: number): Item[] {
    if (this.mode !== SMR) throw this.wrongVerb('zallocSmrBatch')
    return allocBatch(this.parts, this.supply, count)
  }

  /**
   * Frees many records, all unlinked already. Equivalent to `zfreeSmr` for each, but items move a
   * bucketful at a time. If one item would be Misuse in `zfreeSmr`, the call is, and frees none; in
   * checked arenas also if an item is there twice. Blocks as `zfreeSmr`; Exhausted says how many
   * were `freed`, the others stay yours. Misuse inside a section.
   */
  zfreeSmrBatch(items: readonly Item[]): void {
    if (this.mode !== SMR) throw this.wrongVerb('zfreeSmrBatch')
    freeBatch(this.parts, this.supply, items)
  }

  // ---- plain zones -------------------------------------------------------------------------

  /**
   * `zallocSmr` for a zone without smr. Waits only for the holders of the zone's locks; legal
   * inside any section. Exhausted as there; Misuse in a zone with smr. FreeBSD uma_zalloc(9).
   */
  zalloc(): Item {
    return this.takePlain() || this.fail('zalloc')
  }

  /**
   * `zalloc`, but 0 instead of Exhausted. Misuse in a zone with smr. Waits only for the zone's
   * locks; legal inside any section.
   */
  tryZalloc(): Item {
    return this.takePlain() || this.refuse('tryZalloc')
  }

  /**
   * Frees a record that nobody else can see; the destructor runs now. Once per bucket it takes the
   * zone's locks. Misuse for an item that is not this zone's, in a zone with smr, and in checked
   * arenas for a double free. FreeBSD uma_zfree(9). Waits for no reader; legal inside any section.
   */
  zfree(item: Item): void {
    if (this.mode !== PLAIN) throw this.wrongVerb('zfree')
    const slab = this.addresses.slabOf(item)
    if (slab === 0) throw foreign(this.parts, 'zfree', item)
    if (this.checks) release(this.parts, 'zfree', slab, item)
    const { dtor } = this.parts.hooks
    if (dtor === undefined) this.keep(slab, item)
    else {
      try {
        dtor(item)
      } finally {
        this.keep(slab, item)
      }
    }
  }

  /**
   * `zalloc` that waits for memory to be freed. Waits, rejects and is legal as `zallocSmrAsync`;
   * Misuse in a zone with smr.
   */
  zallocAsync(options?: AsyncWaitOptions): Promise<Item> {
    return this.allocAsync('zallocAsync', options, () => this.takePlain())
  }

  // ---- maintenance -------------------------------------------------------------------------

  /**
   * Makes room in this worker's free bucket, so that its next free in the same turn of the event
   * loop cannot fail: call it before you unlink. Blocks and throws Exhausted where that free would;
   * Misuse inside a section.
   */
  makeRoom(): void {
    if (this.readyToFree && !(this.domain as Smr).inside && this.supply.hasRoom) return
    this.makeRoomSlowly()
  }

  private makeRoomSlowly(): void {
    this.assertOpen('makeRoom')
    this.assertOutside('makeRoom')
    // Without room a plain zone gives the item back to its slab.
    const failure = new Failure()
    const made = this.supply.makeRoom(failure)
    failure.surface()
    if (made || this.mode === PLAIN) return
    throw outOfMemory(
      this.parts,
      'makeRoom',
      'no memory for an empty bucket',
      this.parts.buckets.keg.slabWords * BYTES_PER_WORD,
    )
  }

  /**
   * Retires this worker's part-filled free bucket now, so that its items can expire. Call it before
   * the worker goes idle. Does not wait for readers. Misuse inside a section of its domain.
   */
  seal(): void {
    this.assertOpen('seal')
    this.assertOutside('seal')
    this.supply.run(() => this.supply.seal())
  }

  /**
   * Gives memory back: see reclaim.ts. `trim` does not wait; `drain` and `all` block until readers
   * have left, at most `timeoutMs` (default as for `smr.wait`: 30 s, on a lazy clock three ticks
   * more, 1 s instead of 30 in a worker that supervises), and report what remains. Misuse inside a
   * section. FreeBSD uma_zone_reclaim(9), which has no time-out and does not report.
   */
  reclaim(level: ReclaimLevel, options?: WaitOptions): Reclaimed {
    this.assertOpen('reclaim')
    this.assertOutside('reclaim')
    assertLevel(`zone.reclaim: zone ${show(this.name)}`, level)
    if (level !== 'trim') this.parts.space.assertSleepable('zone.reclaim')
    const { parts, supply } = this
    return reclaim(parts, supply, level, options, () => {
      const { cached, pending, safe } = this.stats()
      return cached + pending + safe
    })
  }

  /**
   * Changes knobs of the zone while it is in use, for all workers; each worker reads them at its
   * next slow path. Knobs not given keep their values, or with `preset` become those of the preset.
   * `limit` counts items outside the slabs, `Infinity` for none. If more are out already, no slab
   * gives items until enough have come back; until then a worker may still hand out what is in its
   * alloc bucket. Misuse for a bucket outside the range that the zone was made with, and a limit
   * below its reserve. Blocks on the zone's locks only; legal inside a section. FreeBSD
   * uma_zone_set_max(9).
   */
  tune(options: RunTimeOptions): void {
    this.assertOpen('tune')
    this.supply.run((failure) => tuneZone(this.parts, this.supply, options, failure))
  }

  /**
   * Makes slabs until the zone has `items` in all, used or not; 0 to its limit. Throws Exhausted
   * when it cannot, and adds none. FreeBSD uma_prealloc(9). Misuse for a number out of range.
   * Blocks on the zone's locks only; legal inside a section.
   */
  prealloc(items: number): void {
    this.assertOpen('prealloc')
    const most = this.parts.keg.limit || this.memory.words.length
    integer('zone.prealloc', `zone ${show(this.name)}: items`, items, 0, most)
    const { parts } = this
    if (!this.supply.run(() => reachUnderPressure(parts, parts.keg, items)))
      throw outOfMemory(parts, 'prealloc', `no memory for ${items} items`, bytesTo(parts, items))
  }

  /**
   * Runs `fn` and returns its result. What it allocates here may be of the reserve, if that is kept
   * (`keepReserve`). Misuse if it is no function. Blocks as `fn`; legal in a section. FreeBSD M_USE_RESERVE.
   */
  useReserve<T>(fn: () => T): T {
    return this.supply.reserve.use(fn)
  }

  /**
   * Whether `item` is a record of this zone, allocated or not. Never throws for a number. Misuse
   * when the zone was destroyed. Never blocks; legal anywhere.
   */
  owns(item: Item): boolean {
    this.assertOpen('owns')
    return this.addresses.slabOf(item) !== 0
  }

  /**
   * Finds leaks: `leaked` are the items that are allocated but not in `reachable`. Exact only while
   * no other worker uses the zone. Misuse if `reachable` is no list of items. Blocks on the zone's
   * locks only; legal inside a section.
   */
  audit(reachable: Iterable<Item>): { leaked: Item[] } {
    this.assertOpen('audit')
    return { leaked: auditZone(this.parts, reachable) }
  }

  /**
   * The items that are live: allocated and not freed. Exact while no other worker uses the zone;
   * else it may leave out, or have, items that were allocated or freed about the time of the call.
   * A snapshot: to look at one of them, make sure that nobody frees it. Misuse when the zone was
   * destroyed. Blocks on the zone's locks only; legal inside a section.
   */
  items(): Iterable<Item> {
    this.assertOpen('items')
    return liveItems(this.parts)
  }

  /**
   * Who allocated this item last: in checked arenas, else undefined. `site` is told only to the
   * worker that did it. Misuse for an item that is not this zone's, and when the zone was
   * destroyed. Never blocks; legal anywhere.
   */
  allocatedBy(item: Item): Allocation | undefined {
    this.assertOpen('allocatedBy')
    if (this.addresses.slabOf(item) === 0) throw foreign(this.parts, 'allocatedBy', item)
    return this.parts.guards?.allocation(item)
  }

  /**
   * Walks the whole zone and throws Corruption unless every item is in exactly one place. Only while
   * no other worker uses it. Misuse when it was destroyed. Blocks on its locks only; legal in a section.
   */
  check(): void {
    this.assertOpen('check')
    checkZone(this.parts)
  }

  /** Counts, possibly a moment old. Misuse when it was destroyed. Never blocks; legal in a section. */
  stats(): ZoneStats {
    this.assertOpen('stats')
    return zoneStats(this.parts.space, this.parts.at, this.name)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Zone', this.name, () => {
      if (!this.parts.space.isOpen || !this.isAlive()) return undefined
      const { itemBytes, live, created } = zoneStats(this.parts.space, this.parts.at, this.name)
      return { itemBytes, live, created }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  /**
   * Ends the zone: destructors and `fini` run, and its memory goes back to the arena. All workers
   * must have stopped using it. Destructors of items in the depot and in this worker's cache run
   * first, and may free others; Misuse if items are live after that. Blocks until readers have
   * left, at most `timeoutMs` (default as for `reclaim`), then Exhausted; the zone then still
   * exists. Misuse inside a section of its domain. FreeBSD uma_zdestroy(9).
   */
  destroy(options?: WaitOptions): void {
    this.assertOpen('destroy')
    this.assertOutside('destroy')
    this.parts.space.assertSleepable('zone.destroy')
    const { domain, hooks } = this.parts
    const inUse = (): number => this.stats().live
    // Live items may belong to items that still wait for their destructors.
    const owns = domain !== undefined && hooks.dtor !== undefined
    const isDrained = !owns || inUse() === 0 || freeOwned(this.parts, this.supply, options, inUse)
    const { live, pending } = this.stats()
    if (live !== 0 && !isDrained)
      throw exhausted(this.parts, 'destroy', `${pending} items are still pending after the wait`)
    if (live !== 0) {
      throw misuse(this.parts, 'destroy', `${live} items are live; free them first`)
    }
    const left = destroyZone(this.parts, this.supply, options)
    if (left > 0)
      throw exhausted(this.parts, 'destroy', `${left} items are still pending after the wait`)
    this.end()
  }

  // ---- internal: for the arena and for data structures -------------------------------------

  /**
   * Ends a zone that was opened for nothing, unless another worker uses it; then only closes the
   * handle. Does not wait, legal inside a section: no reader can see anything of it. @internal
   */
  undo(): void {
    // This worker holds nothing of the zone. If this fails, another worker may end it.
    unmarkOpened(this.parts)
    if (endUnused(this.parts)) this.end()
    else this.close()
  }

  /**
   * Takes back an item that never became a record: no reader has seen it, no destructor runs. Two
   * calls: the item is the caller's until the first has returned, and the zone's afterwards. Neither
   * blocks. `word`: the word that names it, see hands.ts. @internal
   */
  holdRaw(item: Item, word = 0): number {
    return holdRaw(this.parts, item, word)
  }

  /** The second call; `held` is what `holdRaw` returned. @internal */
  giveHeldBack(held: number): void {
    giveHeldBack(this.parts, held)
  }

  /** Repeats a `zfreeSmr` that an exception has ended. The caller has made room. @internal */
  zfreeSmrAgain(item: Item): void {
    const slab = this.addresses.slabOf(item)
    if (this.checks) setIdle(this.parts, slab, item)
    if (!this.cache.push(item)) this.pushSlowly('zfreeSmr', slab, item)
  }

  /** `zallocSmr`; the word at `at` names the item from before it is taken: hands.ts. @internal */
  zallocSmrInto(at: number): Item {
    return ((this.readyToAlloc && this.cache.popInto(at)) || this.allocSlowly(at)) as Item
  }

  /** `tryZallocSmr` likewise, or with 0 as it is. @internal */
  tryZallocSmrInto(at: number): Item {
    return this.takeSmr(at) || this.refuse('tryZallocSmr')
  }

  /** What `zallocSmr` takes items from first; undefined if it has more to do for each. @internal */
  get readyCache(): Cache | undefined {
    return this.readyToAlloc ? this.cache : undefined
  }

  /** The fast half of `zfreeSmr`, in `slab`: false, and nothing is freed, where there is more to do. @internal */
  pushReady(slab: number, item: number): boolean {
    return (
      this.readyToFree &&
      !(this.domain as Smr).inside &&
      this.addresses.isIn(slab, item) &&
      this.cache.push(item)
    )
  }

  /** Whether the handle is open and its zone exists. @internal */
  isAlive(): boolean {
    return this.mode !== CLOSED && this.supply.isAlive()
  }

  /** This worker detaches: all that it caches goes to the depot. @internal */
  close(): void {
    if (this.mode !== CLOSED && this.supply.isAlive()) {
      this.supply.run(() => this.supply.flush())
      unmarkOpened(this.parts)
    }
    this.end()
  }

  /** This worker was reaped while alive: its words of the zone are no longer its own. @internal */
  forget(): void {
    this.end()
  }

  private end(): void {
    this.parts.space.watch.remove(this.supply)
    this.parts.space.hands.delete(this.parts.hands)
    this.parts.space.givers.delete(this.supply)
    this.supply.end()
    this.mode = CLOSED
    this.readyToAlloc = false
    this.readyToFree = false
  }

  // ---- allocation --------------------------------------------------------------------------

  private allocSlowly(into = 0): Item {
    return this.takeSmr(into) || this.fail('zallocSmr')
  }

  /** `zfreeSmr` in a checked arena, or with an argument that is refused. */
  private freeSlowly(item: Item, slab: number): void {
    if (this.mode !== SMR) throw this.wrongVerb('zfreeSmr')
    if (slab === 0) throw foreign(this.parts, 'zfreeSmr', item)
    this.assertOutside('zfreeSmr')
    if (this.checks) release(this.parts, 'zfreeSmr', slab, item)
    if (!this.cache.push(item)) this.pushSlowly('zfreeSmr', slab, item)
  }

  private takeSmr(into = 0): Item {
    if (this.mode !== SMR) throw this.wrongVerb('zallocSmr')
    const popped = into === 0 ? this.cache.pop() : this.cache.popInto(into)
    const item = (popped || this.supply.refill(into)) as Item
    return this.careful && item !== 0 ? construct(this.parts, 'zallocSmr', item) : item
  }

  private takePlain(): Item {
    if (this.mode !== PLAIN) throw this.wrongVerb('zalloc')
    const item = (this.cache.pop() || this.supply.refill()) as Item
    return this.careful && item !== 0 ? construct(this.parts, 'zalloc', item) : item
  }

  private refuse(verb: string): Item {
    this.cache.count(CacheWords.fails, 1)
    tellRefused(this.parts, verb, this.supply.pendingTooMuch())
    return NULL_ITEM
  }

  // ---- slow paths --------------------------------------------------------------------------

  /** The end of a free in a plain zone. */
  private keep(slab: number, item: Item): void {
    if (this.parts.trashing) fillTrash(this.memory, item, this.parts.recordWords)
    if (!this.cache.push(item)) this.pushSlowly('zfree', slab, item)
  }

  private pushSlowly(verb: string, slab: number, item: Item): void {
    // If a hook throws, the item is freed and the error is rethrown at the end. After any other
    // error the item is not freed: the push is the last step.
    const failure = new Failure()
    let done = false
    try {
      // A hook may free into this zone and fill the room that was made.
      while (!done && this.supply.makeRoom(failure)) done = this.cache.push(item)
      if (!done) done = freeAlone(this.parts, item, failure)
    } finally {
      if (!done && this.checks) setBusy(this.parts, slab, item)
    }
    if (done) {
      failure.surface()
      return
    }
    const what = `no memory for a bucket to keep item ${item} in; it is still yours`
    const wanted = this.parts.buckets.keg.slabWords * BYTES_PER_WORD
    const error = outOfMemory(this.parts, verb, what, wanted)
    error.cause = failure.error
    throw error
  }

  private async allocAsync(
    verb: string,
    options: AsyncWaitOptions | undefined,
    attempt: () => Item,
  ): Promise<Item> {
    let item = 0 as Item
    const timeoutMs = asyncTimeoutOf(`zone.${verb}`, options)
    const found = await untilAsync(this.memory, timeoutMs, options, () => {
      item = attempt()
      return item !== 0
    })
    return found ? item : this.fail(verb)
  }

  private fail(verb: string): never {
    this.cache.count(CacheWords.fails, 1)
    const why = whyEmpty(this.parts, this.supply.pendingTooMuch(), this.stats())
    throw outOfMemory(this.parts, verb, why, slabBytes(this.parts))
  }

  private wrongVerb(verb: string): Misuse {
    if (this.mode === CLOSED)
      return misuse(this.parts, verb, 'this handle was closed by detach or destroy')
    return this.mode === SMR
      ? misuse(this.parts, verb, 'it has an smr domain; use zallocSmr and zfreeSmr')
      : misuse(this.parts, verb, 'it has no smr domain; use zalloc and zfree')
  }

  private assertOpen(verb: string): void {
    if (this.mode === CLOSED) throw this.wrongVerb(verb)
    if (!this.supply.isAlive())
      throw misuse(this.parts, verb, 'it was destroyed by another worker; open it again')
  }

  private assertOutside(verb: string): void {
    if (this.domain?.inside) throw insideSection(this.parts, verb)
  }
}
