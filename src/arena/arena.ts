/**
 * The arena: the library's front door, as one worker stands before it.
 *
 *     const arena = Arena.create({ bytes: 2 ** 28 })          // in one worker
 *     new Worker(url, { workerData: arena.handle })
 *     const arena = Arena.attach(workerData)                  // in the others
 *
 * Everything in it is found by name and shared by all; every handle that it gives out - domains,
 * zones, locks - belongs to the worker that asked for it, and asking twice gives the same one.
 */

import type { WorkerId } from '../base/brands.ts'
import { Exhausted, Misuse, show } from '../base/errors.ts'
import { report, type SupervisedWorker, threadId } from '../base/host.ts'
import { Named, ZoneWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
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
import { pendingIn } from '../zone/stats.ts'
import type { Zone } from '../zone/zone.ts'
import { type ArenaStats, arenaStats } from './inspect.ts'
import type { NamedLock } from './namedLock.ts'
import { openLock, openRoot } from './namedLock.ts'
import { assertReapable, assertWorkerId, nothing, type ReapReport, reapSlot } from './reap.ts'
import { type Supervision, supervisionOf } from './supervise.ts'
import { dropUnfinished, sweepOrphans } from './sweep.ts'

const RECLAIM = 'arena.reclaim'

/** What `arena.reclaim` did, in all zones together. */
export interface ArenaReclaimed extends Reclaimed {
  /** Zones with hooks that this worker has not brought: of these only empty slabs went back. */
  readonly skipped: readonly string[]
}

/** Options of `Arena.create`; give at most one of `bytes`, `memory` and `buffer`. */
export type ArenaOptions = SpaceOptions

/** The arena, as one worker holds it. None of its verbs waits for a reader. */
export class Arena {
  /** Pass it to other workers; it is structured-cloneable. */
  readonly handle: Handle
  /** This worker's name in the arena: its slot, and which use of that slot it is. */
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
  private readonly locks = new Map<string, NamedLock>()
  private readonly supervision: Supervision

  /** @internal Use `Arena.create` or `Arena.attach`. */
  constructor(space: Space, handle: Handle) {
    this.space = space
    this.handle = handle
    this.memory = space.memory
    this.workerId = space.workers.idOf(space.slot) as WorkerId
    this.words = space.memory.words
    this.floats = space.memory.floats
    space.pendingIn = (domain) => pendingIn(space, domain)
    space.sweep = (isGivenUp) => {
      const { directory } = space
      directory.whileLocked((names) => {
        sweepOrphans(space, dropUnfinished(space, names, isGivenUp))
        directory.swept()
      })
    }
    space.whenTaken = () => this.stop()
    this.supervision = supervisionOf(handle)
    this.supervision.join(space)
  }

  /**
   * Makes an arena and claims a worker slot in it.
   *
   * `bytes` (2^12 to 2^32 - 2^16, default 2^28) is its fixed size; what is never touched costs
   * nothing. `maxWorkers` (1 to 256, default 64) is how many may be attached at once. `checks`
   * turns on what is too dear for production: double frees, writes to freed memory. `sequence` says
   * where clocks start and how far they step, for tests of the wrap. `intrinsics` turns this
   * worker's WebAssembly off, or insists on it. Misuse for options out of range, and for intrinsics
   * that cannot be had; Exhausted when the host has no such memory. Never blocks; legal inside a
   * section.
   */
  static create(options: ArenaOptions = {}): Arena {
    return CLAIMS.make((claim) => {
      const { space, handle } = createSpace(options, claim)
      return new Arena(space, handle)
    })
  }

  /**
   * Joins the arena that `handle` leads to and claims a worker slot of its own. Misuse for anything
   * that is no arena's handle, or another version's; Misuse as well when all slots are taken, also
   * by workers that are gone, unless this thread has an attachment that can reap them. `intrinsics`
   * as for `create`: each worker chooses for itself. Blocks only while it takes over what a dead
   * worker left in a slot; legal inside a section.
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
   * Opens the zone, or creates it when `bytes` or `record` says how. Each worker brings its own of
   * the hooks that the zone was created with. Errors and blocking as `smr`. If whoever made it died
   * before its `reserve` was there, the next to open it sees to that: Exhausted if it is not to be
   * had. FreeBSD uma_zcreate(9).
   */
  zone(name: string, options: ZoneOptions = {}): Zone {
    return this.openZone('arena.zone', name, options)
  }

  /**
   * `zone` in the name of another call, for structures that keep their records in one. @internal
   */
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
   * The address of a shared word of this name, 0 at first: where a structure of your own keeps its
   * first `Item`, so that any worker finds it. Read and write it with `Atomics` on `arena.words`.
   * Errors and blocking as `smr`.
   */
  root(name: string): number {
    this.begin('arena.root')
    return openRoot(this.space, name)
  }

  /**
   * Reaps the worker's slots when it exits, however it exits; `onReaped` hears what that did. In
   * Node, Bun and Deno a `Worker` of node:worker_threads. Call it once per worker, right after `new
   * Worker`: from then on nobody can reap it by hand while it lives. If this handle leaves, another
   * one of this thread goes on; a supervisor that dies takes its children along, and they are
   * reaped with it. Errors in reaping and in `onReaped` are process warnings: nobody is there to
   * catch them. A thread that supervises hears of a death only when its event loop turns: so this
   * worker blocks for a lock, and for readers, for 1 s at most (with a lazy domain three ticks
   * more), then throws Exhausted or says what remains, and may try again after a turn. A
   * `timeoutMs` that is given counts, and async twins wait 30 s as ever. Misuse for anything that
   * does not tell its exit. Node before 20.16 does not tell a worker which thread it is: there, and
   * in browsers, call `reap`. Never blocks itself; legal inside a section.
   */
  supervise(worker: SupervisedWorker, onReaped?: (report: ReapReport) => void): void {
    this.space.assertOpen('arena.supervise')
    this.supervision.add(this.space, worker, onReaped)
  }

  /**
   * Takes over what a dead worker left: see reap.ts. The caller knows that it is dead; Misuse where
   * that is known to be wrong: for this thread's own workers, for one that any worker supervises
   * and that has not exited, and for one that does something meanwhile. Reaping a worker that has
   * left, or was reaped, or that somebody else reaps, does nothing. If it throws, call it again.
   * Blocks for some 10 ms, to see whether the worker does anything, and on locks that it held.
   * Legal inside a section.
   */
  reap(workerId: WorkerId): ReapReport {
    this.begin('arena.reap')
    assertWorkerId(this.space, workerId)
    const seen = this.space.workers.named(workerId)
    // It was reaped, or has left, and somebody else may have its slot.
    if (seen === undefined) return nothing(workerId)
    assertReapable(this.space, seen, threadId())
    return { ...reapSlot(this.space, seen.slot, seen.generation), workerId }
  }

  /**
   * Leaves: retires this worker's free buckets, gives its alloc buckets back, frees its slot. All
   * its handles are closed. Callbacks of `smr.call` that may run now are run; the others never
   * will, which is reported as a warning and counted in `smr.stats()`: `await smr.flush()` first.
   * Misuse with a section open or a lock held. Waits for no reader.
   *
   * If a lock is not to be had in time, what could not be given back stays in the slot as a dead
   * worker would leave it: whoever attaches next, or reaps anybody, takes over, and a warning says
   * so. So does any other error, which is thrown. If that hits so late, or so hard, that not even
   * the slot could be left, the handles stay open: call it again.
   */
  detach(): void {
    this.space.assertOpen('arena.detach')
    this.assertAtRest()
    // While the zones are still open: callbacks free into them.
    for (const smr of this.domains.values()) smr.runDueCalls()
    if (!this.space.isOpen) return // One of them has left for us.
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
   * All that this worker caches goes to where others can have it. Answers with the first lock that
   * was not to be had: after one time-out no other is waited for.
   */
  private emptyCaches(): Exhausted | undefined {
    const { locks } = this.space
    let late: Exhausted | undefined
    this.space.endVisits()
    for (const zone of this.zones.values()) {
      try {
        if (late === undefined) zone.close()
        else locks.withPatience(0, () => zone.close())
      } catch (error) {
        if (!isTimeOut(error)) throw error
        late ??= error
      }
    }
    return late
  }

  /**
   * The slot is left, and then the handles are closed: in this order all of it can be done twice.
   * Whom this worker supervises another does before the slot is anybody's: with a dead worker those
   * die whom it supervised, and these live.
   */
  private leave(whole: boolean): void {
    const { space } = this
    if (!space.isOpen) return // It was reaped meanwhile.
    for (const smr of this.domains.values()) smr.leave()
    this.supervision.leave(space)
    if (whole) space.close()
    else space.abandon()
    for (const zone of this.zones.values()) zone.forget()
  }

  /** First of all in what takes a lock: from now on somebody looks after what it may leave. */
  private begin(call: string): void {
    this.space.assertOpen(call)
    this.space.watch.start()
  }

  /** This worker was reaped while it lives: its handles refuse, and touch nothing any more. */
  private stop(): void {
    for (const zone of this.zones.values()) zone.forget()
    for (const smr of this.domains.values()) smr.forget()
    this.supervision.leave(this.space)
  }

  /** Misuse with a section open or a lock held: others would wait for it for ever. */
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
   * that this worker has not brought only empty slabs go back; `skipped` names it. Misuse inside a
   * section, which changes nothing. Blocks as `zone.reclaim`. The arena does the part of it that
   * waits for nobody by itself, before it tells anybody Exhausted. FreeBSD uma_reclaim(9).
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
      // Nobody can make a lazy clock hurry: unless the caller has said how long, each gets its
      // ticks.
      const did = this.reclaimOne(each, level, (domain) =>
        given === undefined ? left + (domain?.graceMs ?? 0) : left,
      )
      if (did === undefined) skipped.push(each.name)
      sum.released += did?.released ?? 0
      sum.pages += did?.pages ?? shrinkUnopened(this.space, each)
      sum.remaining += did?.remaining ?? 0
    }
    return { ...sum, skipped }
  }

  /** One zone of `reclaim`; undefined when it wants hooks that this worker has not brought. */
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
      // Without hooks anybody may open it: for the moment, and under no name.
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
   * Every zone, domain and worker in numbers: plain JSON. See `formatStats`. Takes only the
   * directory's lock: what other workers do meanwhile may be a moment old. Legal inside a section.
   * Misuse when this worker has left. Blocks on that lock only.
   */
  stats(): ArenaStats {
    this.begin('arena.stats')
    return arenaStats(this.space)
  }

  /** Opens or creates the domain; where there are no pages for it, with those of idle zones. */
  private openDomain(name: string, options: SmrOptions): Smr {
    try {
      return openSmr(this.space, name, options)
    } catch (error) {
      const isFull = error instanceof Exhausted && 'domain' in error.facts
      if (!isFull || !relieve(this.space, [domainWords(this.space)])) throw error
      return openSmr(this.space, name, options)
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
 * Handles by name. Those of things that are gone are let go of when there are many: who makes and
 * ends things all day must not keep them all. One that somebody still holds refuses by itself.
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

/** Nothing is asked for but the thing itself, so the handle at hand will do. */
function isEmpty(options: object): boolean {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return false
  for (const _ in options) return false
  return true
}

/** What a worker could not give back when it left: no error of its own, for somebody else will. */
function leftBehind(workerId: WorkerId, { facts, message }: Exhausted): Exhausted {
  const what = `what worker ${workerId} has cached is left in its slot: whoever attaches next takes over, or arena.reap(${workerId})`
  return new Exhausted(`arena.detach: ${message}; ${what}`, { ...facts, left: workerId })
}
