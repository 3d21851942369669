/**
 * The arena: the entry point of the library, one handle per worker.
 *
 *     const arena = Arena.create({ bytes: 2 ** 28 })          // in one worker
 *     new Worker(url, { workerData: arena.handle })
 *     const arena = Arena.attach(workerData)                  // in the others
 *
 * Everything in it is shared, and found by name. Every handle that it returns - domains, zones,
 * locks - belongs to the worker that asked for it; asking twice gives the same handle.
 */

import type { WorkerId } from '../base/brands.ts'
import { Exhausted, Misuse, show } from '../base/errors.ts'
import { report, type SupervisedWorker, threadId } from '../base/host.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { HEAP_ZONE, type Heap, type ZoneOpener } from '../heap/heap.ts'
import { type HeapOptions, type HeapPurpose, openHeap } from '../heap/open.ts'
import { collectRuns } from '../heap/pressure.ts'
import { Named, ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import { domainWords, openSmr } from '../smr/open.ts'
import type { SmrOptions } from '../smr/options.ts'
import { CLAIMS } from '../space/claims.ts'
import type { Listing } from '../space/directory.ts'
import { isTimeOut } from '../space/lock.ts'
import {
  type AttachOptions,
  attachSpace,
  createSpace,
  type Handle,
  type Space,
  type SpaceOptions,
} from '../space/space.ts'
import { timeoutOf, type WaitOptions } from '../space/wait.ts'
import { openZone, type Purpose } from '../zone/open.ts'
import type { ZoneOptions } from '../zone/options.ts'
import { relieve, shrinkUnopened } from '../zone/pressure.ts'
import { assertLevel, type Reclaimed, type ReclaimLevel } from '../zone/reclaim.ts'
import { noMemory } from '../zone/shortage.ts'
import type { Zone } from '../zone/zone.ts'
import { type BytesForOptions, bytesFor, type RecordCount } from './bytesFor.ts'
import { type Counter, openCounter } from './counter.ts'
import { diagnose } from './diagnose.ts'
import { type ArenaEvents, type ArenaListener, StallWatch } from './events.ts'
import { type ArenaStats, arenaStats } from './inspect.ts'
import type { NamedLock } from './namedLock.ts'
import { openLock, openRoot } from './namedLock.ts'
import { assertReapable, assertWorkerId, nothing, type ReapReport, reapSlot } from './reap.ts'
import { type Supervision, supervisionOf } from './supervise.ts'
import { dropUnfinished, sweepOrphans } from './sweep.ts'
import { type WorkerInfo, workersOf } from './workers.ts'

const RECLAIM = 'arena.reclaim'

/** What `arena.reclaim` did, in all zones together. */
export interface ArenaReclaimed extends Reclaimed {
  /** Zones with hooks that this worker has not given: of these only empty slabs went back. */
  readonly skipped: readonly string[]
}

/** Options of `Arena.create`; give at most one of `bytes`, `memory` and `buffer`. */
export type ArenaOptions = SpaceOptions

/** A handle of the arena, for one worker. Of its verbs only `reclaim` waits for readers. */
export class Arena {
  /** Pass it to other workers; it is structured-cloneable. */
  readonly handle: Handle
  /** This worker's identity in the arena: its slot and the generation of that slot. */
  readonly workerId: WorkerId
  /** All of shared memory, as words: an `Item` is an index into it. */
  readonly words: Int32Array<SharedArrayBuffer>
  /** The same bytes as floats: an item's field at an even word w is `floats[w / 2]`. */
  readonly floats: Float64Array<SharedArrayBuffer>
  /** @internal */
  readonly memory: Memory
  /** @internal */
  readonly space: Space
  private readonly domains = new Known<Smr>((smr) => this.space.removeSections(smr))
  private readonly zones = new Known<Zone>()
  private readonly heaps = new Known<Heap>()
  private readonly locks = new Map<string, NamedLock>()
  private readonly counters = new Map<string, Counter>()
  private readonly supervision: Supervision

  /** @internal Use `Arena.create` or `Arena.attach`. */
  constructor(space: Space, handle: Handle) {
    this.space = space
    this.handle = handle
    this.memory = space.memory
    this.workerId = space.workers.idOf(space.slot) as WorkerId
    this.words = space.memory.words
    this.floats = space.memory.floats
    space.sweep = (isGivenUp) => {
      const { directory } = space
      directory.whileLocked((names) => {
        sweepOrphans(space, dropUnfinished(space, names, isGivenUp))
        directory.swept()
      })
    }
    space.collectRuns = (names) => collectRuns(space, names, true)
    space.whenReaped = () => this.stop()
    space.watch.add(new StallWatch(space, () => this.domains.values()))
    this.supervision = supervisionOf(handle)
    this.supervision.join(space)
  }

  /**
   * Makes an arena and claims a worker slot in it.
   *
   * `bytes` (2^12 to 2^32 - 2^16, default 2^28) is its fixed size; pages that are never touched
   * cost nothing. `maxWorkers` (1 to 256, default 64) is how many may be attached at once. `checks`
   * turns on checks that are too slow for production: double frees, writes to freed memory.
   * `sequence` says where clocks start and how far they step, for tests of the wrap. `intrinsics`
   * turns this worker's WebAssembly off, or insists on it. Misuse for options out of range, and for
   * intrinsics that the host does not have; Exhausted when the host has no memory of that size.
   * Never blocks; legal inside a section.
   */
  static create(options: ArenaOptions = {}): Arena {
    return CLAIMS.make((claim) => {
      const { space, handle } = createSpace(options, claim)
      return new Arena(space, handle)
    })
  }

  /**
   * Joins the arena of `handle` and claims a worker slot. Misuse for anything that is no handle of
   * an arena of this version, and a label that is no string. Misuse also when all slots are taken, even by dead workers, unless
   * this thread has another attachment, which then reaps them. `intrinsics` as for `create`: each
   * worker chooses for itself. Blocks only while it takes over what a dead worker left in a slot;
   * legal inside a section.
   */
  static attach(handle: Handle, options: AttachOptions = {}): Arena {
    return CLAIMS.make((claim) => {
      const attach = (): Space => attachSpace(handle, options, claim).space
      try {
        return new Arena(attach(), handle)
      } catch (error) {
        const isFull = error instanceof Misuse && 'maxWorkers' in error.facts
        if (!isFull || !supervisionOf(handle).makeRoom()) throw error
        return new Arena(attach(), handle)
      }
    })
  }

  /**
   * Bytes for an arena in which so many of these records fit, in a zone each, or with `key` in a
   * table each: a quarter more of each may wait for readers, and every table may grow once. Not
   * counted is what `text()`, `data()` and `json()` fields keep elsewhere. Misuse for what is no
   * list of records and counts. Never blocks; legal anywhere.
   */
  static bytesFor(shapes: readonly RecordCount[], options: BytesForOptions = {}): number {
    return bytesFor(shapes, options)
  }

  /** The shared buffer itself. Never throws and never blocks; legal anywhere. */
  get buffer(): SharedArrayBuffer {
    return this.handle.buffer
  }

  /**
   * Opens the domain of safe memory reclamation, or creates it. A name has 1 to 64 bytes of UTF-8.
   * Misuse for other options than it was created with; Exhausted when there is no memory for it or
   * all names of the arena are taken. Blocks only on the directory's lock; legal inside a section.
   * FreeBSD smr_create(9).
   */
  smr(name: string, options: SmrOptions = {}): Smr {
    this.begin('arena.smr')
    const known = this.domains.get(name)
    if (known?.isAlive() && isEmpty(options)) return known
    const opened = this.openDomain(name, options)
    if (known !== undefined && known.serial === opened.serial) return known
    known?.close()
    this.domains.set(name, opened)
    return opened.keep()
  }

  /**
   * Opens the zone, or creates it when `bytes` or `record` says how. Each worker gives its own
   * functions for the hooks that the zone was created with. Errors and blocking as `smr`. If its
   * maker died before the `reserve` was made, the next opener makes it: Exhausted if it cannot.
   * FreeBSD uma_zcreate(9).
   */
  zone(name: string, options: ZoneOptions = {}): Zone {
    if (typeof name === 'string' && name.startsWith(HEAP_ZONE)) {
      throw new Misuse(
        `arena.zone: ${show(name)} is a name for a size of a heap; names that begin with ${show(HEAP_ZONE)} are the library's`,
        { zone: name },
      )
    }
    return this.openZone('arena.zone', name, options)
  }

  /**
   * Opens the heap, or creates it: blocks of any size, see `Heap`. With `smr` its blocks are freed
   * under readers. A name has 1 to 53 bytes of UTF-8. Misuse for another domain than it was created
   * with; otherwise errors and blocking as `smr`. FreeBSD malloc(9), XNU kalloc.
   */
  heap(name: string, options: HeapOptions = {}): Heap {
    return this.openHeap('arena.heap', name, options)
  }

  /** `heap` for tables, with the name of their call in errors. @internal */
  openHeap(call: string, name: string, options: HeapOptions, purpose: HeapPurpose = 'use'): Heap {
    this.begin(call)
    const known = this.heaps.get(name)
    if (purpose === 'use' && known?.isAlive() && isEmpty(options)) return known
    const domainAt = (at: number): Smr | undefined => this.domainAt(at)
    const openZone: ZoneOpener = (zone, how, owner) => this.openZone(call, zone, how, owner)
    const { space } = this
    const opened = openHeap(call, space, name, options, known, domainAt, openZone, purpose)
    if (known !== opened) known?.close()
    this.heaps.set(name, opened)
    return opened
  }

  /** `zone` for structures, with the name of their call in errors. @internal */
  openZone(call: string, name: string, options: ZoneOptions, purpose: Purpose = 'use'): Zone {
    this.begin(call)
    const known = this.zones.get(name)
    if (known?.isAlive() && isEmpty(options)) return known
    const domainAt = (at: number): Smr | undefined => this.domainAt(at)
    const opened = openZone(call, this.space, name, options, known, domainAt, purpose)
    if (known !== opened) known?.close()
    this.zones.set(name, opened)
    return opened
  }

  /** Opens the named lock, or creates it. Errors and blocking as `smr`. */
  lock(name: string): NamedLock {
    this.begin('arena.lock')
    const known = this.locks.get(name)
    if (known !== undefined) return known
    const opened = openLock(this.space, name)
    this.locks.set(name, opened)
    return opened
  }

  /**
   * Opens the counter, or creates it: 0 at first, and as long as the arena. It takes a line of the
   * cache for each possible worker, in pages of its own. Errors and blocking as `smr`. counter(9).
   */
  counter(name: string): Counter {
    this.begin('arena.counter')
    const known = this.counters.get(name)
    if (known !== undefined) return known
    const opened = openCounter(this.space, name)
    this.counters.set(name, opened)
    return opened
  }

  /**
   * The address of a shared word of this name, 0 at first. Keep the first `Item` of your own
   * structure there, so that any worker finds it. Read and write it with `Atomics` on
   * `arena.words`. Errors and blocking as `smr`.
   */
  root(name: string): number {
    this.begin('arena.root')
    return openRoot(this.space, name)
  }

  /**
   * Reaps the worker's slots when it exits, for any reason; `onReaped` gets the report. In Node,
   * Bun and Deno a `Worker` of node:worker_threads. Call it once per worker, right after `new
   * Worker`; from then on `reap` refuses it while it lives. If this handle detaches, another one of
   * this thread takes over; if a supervising thread dies, the host ends its workers too, and they
   * are reaped with it. Errors in reaping and in `onReaped` are process warnings. A thread that
   * supervises hears of a death only when its event loop turns: so this worker blocks for a lock,
   * and for readers, for 1 s at most (with a lazy domain three ticks more), then throws Exhausted
   * or reports what remains, and may try again after a turn. A given `timeoutMs` overrides that,
   * and async verbs still wait 30 s. Misuse for anything without an exit event. Node before 20.16
   * does not tell a worker its thread's id: there, and in browsers, call `reap`. Never blocks
   * itself; legal inside a section.
   */
  supervise(worker: SupervisedWorker, onReaped?: (report: ReapReport) => void): void {
    this.space.assertOpen('arena.supervise')
    this.supervision.add(this.space, worker, onReaped)
  }

  /**
   * Takes over what a dead worker left: see reap.ts. The caller must know that it is dead. Misuse
   * if it is known to be alive: for this thread's own workers, for one that is supervised and has
   * not exited, and for one that is seen to do something meanwhile. Does nothing for a worker that
   * has detached, or was reaped, or is being reaped. If it throws, call it again. Blocks for about
   * 10 ms, to see whether the worker does anything, and on locks that it held. Legal inside a
   * section.
   */
  reap(workerId: WorkerId): ReapReport {
    this.begin('arena.reap')
    assertWorkerId(this.space, workerId)
    const seen = this.space.workers.named(workerId)
    // It was reaped, or has detached, and another worker may have its slot.
    if (seen === undefined) return nothing(workerId)
    assertReapable(this.space, seen, threadId())
    return { ...reapSlot(this.space, seen.slot, seen.generation), workerId }
  }

  /**
   * Detaches this worker: retires its free buckets, gives its alloc buckets back, frees its slot,
   * closes all its handles. Callbacks of `smr.call` that are due are run; the others never will,
   * which is reported as a warning and counted in `smr.stats()`: `await smr.flush()` first. Misuse
   * with a section open or a lock held. Waits for no reader.
   *
   * If a lock cannot be had in time, the rest stays in the slot, as after a death: the next worker
   * that attaches or reaps takes it over, and a warning says so. The same after any other error,
   * which is thrown. If not even the slot could be given up, the handles stay open: call it again.
   */
  detach(): void {
    this.space.assertOpen('arena.detach')
    this.assertAtRest()
    // While the zones are still open: callbacks free into them.
    for (const smr of this.domains.values()) smr.runDueCalls()
    if (!this.space.isOpen) return // A callback has detached.
    this.assertAtRest()
    let whole = false
    let late: Exhausted | undefined
    try {
      late = this.emptyCaches()
      whole = late === undefined && this.space.visits.length === 0
    } finally {
      this.leave(whole)
    }
    if (late !== undefined) report(leftBehind(this.workerId, late))
  }

  /**
   * Moves all that this worker caches to the depots. Returns the first time-out of a lock; after
   * one it waits for no other.
   */
  private emptyCaches(): Exhausted | undefined {
    const { locks } = this.space
    let late: Exhausted | undefined
    this.space.endVisits()
    const hands = [...this.space.hands].map((each) => () => each.empty())
    const zones = [...this.zones.values()].map((zone) => () => zone.close())
    for (const close of [...hands, ...zones]) {
      try {
        if (late === undefined) close()
        else locks.withPatience(0, close)
      } catch (error) {
        if (!isTimeOut(error)) throw error
        late ??= error
      }
    }
    return late
  }

  /**
   * Calls `fn` for each event of this name that this worker notices: see `ArenaEvents`. It runs in
   * a later turn of this worker's event loop, under no lock of the library and in no section, and
   * may call anything. What it throws is a process warning; the verb that published the event is
   * not affected. In Node the same goes to `diagnostics_channel`, under the names
   * `uma-smr:exhausted` and so on. Misuse for another name, and for what is no function. Does not
   * block; legal inside a section. FreeBSD uma_zone_set_warning(9), uma_zone_set_maxaction(9).
   */
  on<K extends keyof ArenaEvents>(name: K, fn: ArenaListener<K>): this {
    this.space.assertOpen('arena.on')
    this.space.events.on('arena.on', name, fn as (told: unknown) => unknown)
    this.space.watch.start()
    return this
  }

  /** Ends what `on` began; does nothing if it had not. Errors and blocking as `on`. */
  off<K extends keyof ArenaEvents>(name: K, fn: ArenaListener<K>): this {
    this.space.events.off('arena.off', name, fn as (told: unknown) => unknown)
    return this
  }

  /**
   * Gives up the slot, then closes the handles: in this order all of it can be done twice.
   * Supervision is handed over before the slot is given up: when a dead worker is reaped, the
   * workers that it supervised are taken for dead too, and these live.
   */
  private leave(whole: boolean): void {
    const { space } = this
    if (!space.isOpen) return // It was reaped meanwhile.
    for (const smr of this.domains.values()) smr.leave()
    this.supervision.leave(space)
    if (whole) space.close()
    else space.abandon()
    for (const zone of this.zones.values()) zone.forget()
    for (const heap of this.heaps.values()) heap.close()
  }

  /**
   * Called first by every verb that takes a lock: starts the check that recovers what an
   * interrupted call leaves.
   */
  private begin(call: string): void {
    this.space.assertOpen(call)
    this.space.watch.start()
  }

  /**
   * This worker was reaped while alive: its handles throw Misuse from now on and touch no memory.
   */
  private stop(): void {
    for (const zone of this.zones.values()) zone.forget()
    for (const heap of this.heaps.values()) heap.close()
    for (const smr of this.domains.values()) smr.forget()
    this.supervision.leave(this.space)
  }

  /** Misuse with a section open or a lock held: others would wait for ever. */
  private assertAtRest(): void {
    for (const smr of this.domains.values()) {
      if (smr.entered)
        throw new Misuse(`arena.detach: a section of domain "${smr.name}" is open; exit first`)
    }
    for (const lock of this.locks.values()) {
      if (lock.held) throw new Misuse(`arena.detach: lock "${lock.name}" is held; unlock it first`)
    }
  }

  /**
   * `zone.reclaim` for every zone of the arena, whether this worker has opened it or not.
   * `timeoutMs` (default as for `zone.reclaim`) is for all of them together. Of a zone with hooks
   * that this worker has not given only empty slabs go back; `skipped` names it. Misuse inside a
   * section, which changes nothing. Blocks as `zone.reclaim`. The part that does not wait is done
   * automatically before any call throws Exhausted. FreeBSD uma_reclaim(9).
   */
  reclaim(level: ReclaimLevel, options?: WaitOptions): ArenaReclaimed {
    const { memory } = this.space
    this.begin(RECLAIM)
    assertLevel(RECLAIM, level)
    timeoutOf(RECLAIM, options)
    const given = options?.timeoutMs
    const deadline = memory.now() + (given ?? this.space.locks.patienceMs)
    for (const smr of this.domains.values()) {
      if (!smr.inside) continue
      throw new Misuse(`${RECLAIM}: a section of domain ${show(smr.name)} is open; exit first`, {
        domain: smr.name,
      })
    }
    const sum = { released: 0, pages: 0, remaining: 0 }
    const skipped: string[] = []
    for (const each of this.space.directory.list()) {
      if (each.kind !== Named.zone) continue
      const left = Math.max(0, deadline - memory.now())
      // A lazy clock moves only with time: without a given time-out each zone gets its ticks.
      const did = this.reclaimOne(each, level, (domain) =>
        given === undefined ? left + (domain?.graceMs ?? 0) : left,
      )
      if (did === undefined) skipped.push(each.name)
      sum.released += did?.released ?? 0
      sum.pages += did?.pages ?? shrinkUnopened(this.space, each)
      sum.remaining += did?.remaining ?? 0
    }
    const { directory } = this.space
    directory.whileLocked((names) => collectRuns(this.space, names, level !== 'trim'))
    return { ...sum, skipped }
  }

  /** One zone of `reclaim`; undefined when it needs hooks that this worker has not given. */
  private reclaimOne(
    each: Listing,
    level: ReclaimLevel,
    msFor: (domain: Smr | undefined) => number,
  ): Reclaimed | undefined {
    const { directory } = this.space
    const known = this.zones.get(each.name)
    const mine = known?.isAlive() && known.serial === each.serial ? known : undefined
    if (mine === undefined && this.memory.peek(each.address + ZoneWords.hooks) !== 0)
      return undefined
    try {
      if (mine !== undefined) return mine.reclaim(level, { timeoutMs: msFor(mine.parts.domain) })
      // Without hooks any worker may open it: for this call only, not kept by name.
      const domainAt = (at: number): Smr | undefined => this.domainAt(at)
      const zone = openZone(RECLAIM, this.space, each.name, {}, undefined, domainAt, 'reclaim')
      const did = zone.reclaim(level, { timeoutMs: msFor(zone.parts.domain) })
      zone.close()
      return did
    } catch (error) {
      // Another worker may have destroyed it since it was listed: then there is nothing to do.
      if (directory.list().some(({ serial }) => serial === each.serial)) throw error
      return { released: 0, pages: 0, remaining: 0 }
    }
  }

  /**
   * Every zone, domain and worker in numbers: plain JSON. See `formatStats`. Numbers of other
   * workers may be a moment old. Legal inside a section. Misuse when this worker has left. Blocks
   * on that lock only.
   */
  stats(): ArenaStats {
    this.begin('arena.stats')
    return arenaStats(this.space)
  }

  /**
   * What is wrong, who it is and what to do, in sentences, a line for each trouble: readers that do
   * not leave, dead workers, memory that runs out, limits, callbacks that wait, items that are
   * lost, long chains, workers in each other's way. Chains and lost items of those tables that this
   * worker has opened. For people: the words may change. Misuse when this worker has left. Blocks
   * on the directory's lock only; legal inside a section.
   */
  diagnose(): string {
    this.begin('arena.diagnose')
    return diagnose(this.space)
  }

  /**
   * The workers that are attached now, the dead that nobody has reaped yet left out. Misuse when
   * this worker has left. Never blocks; legal inside a section.
   */
  workers(): WorkerInfo[] {
    this.space.assertOpen('arena.workers')
    return workersOf(this.space)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Arena', undefined, () => {
      const { isOpen, memory, workers } = this.space
      if (!isOpen) return undefined
      const bytes = memory.words.length * BYTES_PER_WORD
      return { workerId: this.workerId, workers: workers.attached().length, bytes }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  /** Opens or creates the domain; if there are no pages for it, with those of idle zones. */
  private openDomain(name: string, options: SmrOptions): Smr {
    try {
      return openSmr(this.space, name, options)
    } catch (error) {
      if (!(error instanceof Exhausted) || !('domain' in error.facts)) throw error
      const words = domainWords(this.space)
      if (relieve(this.space, [words])) return openSmr(this.space, name, options)
      throw noMemory(this.space, error.message, words * BYTES_PER_WORD, error.facts)
    }
  }

  private domainAt(address: number): Smr | undefined {
    const named = this.space.directory
      .list()
      .find((each) => each.kind === Named.domain && each.address === address)
    return named && this.smr(named.name)
  }
}

/**
 * Handles by name. When there are many, those of things that were destroyed are dropped: a worker
 * that makes and destroys things all day must not keep them all. A dropped handle that is still in
 * use throws by itself.
 */
class Known<T extends { isAlive(): boolean }> extends Map<string, T> {
  private many = FEW_HANDLES
  private readonly dropped: (handle: T) => void

  constructor(dropped: (handle: T) => void = () => {}) {
    super()
    this.dropped = dropped
  }

  override set(name: string, handle: T): this {
    super.set(name, handle)
    if (this.size > this.many) {
      for (const [each, it] of this) {
        if (it.isAlive()) continue
        this.delete(each)
        this.dropped(it)
      }
      this.many = FEW_HANDLES + 2 * this.size
    }
    return this
  }
}

const FEW_HANDLES = 64

/** No options are given, so a known handle will do. */
function isEmpty(options: object): boolean {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return false
  for (const _ in options) return false
  return true
}

/** The warning about what a worker could not give back when it detached. */
function leftBehind(workerId: WorkerId, { facts, message }: Exhausted): Exhausted {
  const what = `what worker ${workerId} has cached is left in its slot: whoever attaches next takes over, or arena.reap(${workerId})`
  return new Exhausted(`arena.detach: ${message}; ${what}`, { ...facts, left: workerId })
}
