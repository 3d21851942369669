/**
 * FreeBSD's dialect, `uma-smr/freebsd`: smr(9) and uma(9) by their own names, over the same core.
 *
 *     const zone = uma_zcreate(arena, 'inpcb', 96, null, null, null, null, UMA_ALIGN_PTR, UMA_ZONE_SMR)
 *     const smr = uma_zone_get_smr(zone)
 *
 * Sources: the manual pages smr(9) and zone(9), sys/vm/uma.h. smr(9) itself is in smr9.ts, the
 * radix tree in pctrie.ts; this file is the allocator. A second worker of the arena makes the same calls with the same arguments,
 * and has the same zone: everything is found by name; only `arena.handle` is sent.
 *
 * The same: names, order of arguments after the arena, values of flags, arguments of hooks and when
 * they run - constructor at allocation, destructor at free, in an SMR zone some time after the
 * grace period, init and fini when an item enters or leaves the zone. Different, besides what each
 * function says:
 *
 *   - An item is an `Item`, and NULL is 0. A pointer takes 4 bytes. Items are aligned to 8 at
 *     least.
 *   - A zone is shared when it is first used, not at uma_zcreate: see cold.ts. What kernels forbid
 *     or frown upon after the first allocation (set_smr, reserve, set_max) is Misuse after the
 *     first use.
 *   - M_WAITOK waits 30 s and then throws Exhausted; the kernel's waits for ever. It blocks the
 *     thread: one that supervises workers hears of no death meanwhile, and takes the core's
 *     zallocSmrAsync. Inside a section of the zone's domain it is Misuse, where M_NOWAIT is legal
 *     (neither is, there).
 *   - Flags that are not exported here do not exist: they are Misuse, not ignored. So no PCPU,
 *     secondary or cache-only zones, no NUMA, no warnings.
 *   - Hooks are functions of one worker: each brings its own, and the destructor of an item runs in
 *     whichever worker reclaims it.
 *   - Items of an SMR zone that a dead worker had freed are reclaimed by the others.
 */

import type { Arena } from '../arena/arena.ts'
import type { Item } from '../base/brands.ts'
import { integer, Misuse, show } from '../base/errors.ts'
import { BYTES_PER_WORD, LINE_WORDS } from '../memory/memory.ts'
import { MIN_ALIGN_BYTES } from '../zone/options.ts'
import type { Reclaimed, ReclaimLevel } from '../zone/reclaim.ts'
import {
  areFlags,
  assertIs,
  assertPowerOfTwo,
  ColdZone,
  fallible,
  hook,
  type Maybe,
  type Sketch,
} from './cold.ts'
import type { smr_t } from './smr9.ts'

export * from './pctrie.ts'
export * from './smr9.ts'

// ---- flags -----------------------------------------------------------------------------------

/** An allocation may wait; it may not. One of the two must be given. */
export const M_NOWAIT = 0x0001
/** Wait for memory, at most 30 s. */
export const M_WAITOK = 0x0002
/** The item comes filled with 0; after its constructor ran, as there. */
export const M_ZERO = 0x0100
/** It may be of the reserve: see `uma_zone_reserve`. */
export const M_USE_RESERVE = 0x0400

/** Items are zero when they enter the zone, if there is no uminit. */
export const UMA_ZONE_ZINIT = 0x0002
/** Slabs never leave the zone. */
export const UMA_ZONE_NOFREE = 0x0020
/** The zone has a domain of its own, of its own name. */
export const UMA_ZONE_SMR = 0x40000

/** Alignments, as masks. */
export const UMA_ALIGN_PTR: number = BYTES_PER_WORD - 1
/** Aligned as an int; items here are aligned to 8 bytes at least. */
export const UMA_ALIGN_INT: number = BYTES_PER_WORD - 1
/** Aligned as a long. */
export const UMA_ALIGN_LONG: number = MIN_ALIGN_BYTES - 1
/** Aligned to a cache line. */
export const UMA_ALIGN_CACHE = -1

/** How much `uma_zone_reclaim` gives back. */
export const UMA_RECLAIM_DRAIN = 1
/** `all` of the core: what other workers cache as well. */
export const UMA_RECLAIM_DRAIN_CPU = 2
/** `trim` of the core: what was not needed lately. */
export const UMA_RECLAIM_TRIM = 3

const WAITS = M_NOWAIT | M_WAITOK
const ZONE_FLAGS = UMA_ZONE_ZINIT | UMA_ZONE_NOFREE | UMA_ZONE_SMR
const LEVELS: Readonly<Record<number, ReclaimLevel>> = {
  [UMA_RECLAIM_TRIM]: 'trim',
  [UMA_RECLAIM_DRAIN]: 'drain',
  [UMA_RECLAIM_DRAIN_CPU]: 'all',
}

// ---- types -----------------------------------------------------------------------------------

/**
 * Runs at each allocation; refuses it by a result other than 0. `arg` is uma_zalloc_arg's, or null.
 */
export type uma_ctor = (mem: Item, size: number, arg: unknown, flags: number) => number
/** Runs at each free; in an SMR zone when no reader can see the item, with `arg` null. */
export type uma_dtor = (mem: Item, size: number, arg: unknown) => void
/** Runs when an item enters the zone; refuses it by a result other than 0. */
export type uma_init = (mem: Item, size: number, flags: number) => number
/** Runs when it leaves. */
export type uma_fini = (mem: Item, size: number) => void

/** A zone, for one worker. */
export class UmaZone extends ColdZone {
  /** @internal */
  readonly size: number
  /** Whether its domain is private, and destroyed with it. @internal */
  readonly isPrivate: boolean

  /** @internal */
  constructor(arena: Arena, name: string, options: Sketch, size: number, isPrivate: boolean) {
    super('uma_zcreate', arena, name, options)
    this.size = size
    this.isPrivate = isPrivate
  }
}
/** What `uma_zcreate` returns. */
export type uma_zone_t = UmaZone

/** The further arguments of hooks in the present call: a worker makes one call at a time. */
let arg: unknown = null
let flagsNow = 0

// ---- zones -----------------------------------------------------------------------------------

/**
 * Describes a zone: nothing is shared before its first use, except the domain of UMA_ZONE_SMR.
 * `align` is a mask, UMA_ALIGN_PTR for instance. Misuse for sizes, masks, hooks, flags out of
 * range.
 */
export function uma_zcreate(
  arena: Arena,
  name: string,
  size: number,
  ctor: Maybe<uma_ctor>,
  dtor: Maybe<uma_dtor>,
  uminit: Maybe<uma_init>,
  fini: Maybe<uma_fini>,
  align: number,
  flags: number,
): uma_zone_t {
  const call = 'uma_zcreate'
  if (!areFlags(flags, ZONE_FLAGS)) {
    throw new Misuse(
      `${call}: flags are ${show(flags)}; known are UMA_ZONE_SMR, UMA_ZONE_NOFREE, UMA_ZONE_ZINIT`,
    )
  }
  const hooks = {
    ctor: fallible(call, 'ctor', ctor, (mem) => ctor?.(mem, size, arg, flagsNow)),
    dtor: hook(call, 'dtor', dtor, (mem) => dtor?.(mem, size, arg)),
    init: fallible(call, 'uminit', uminit, (mem) => uminit?.(mem, size, flagsNow)),
    fini: hook(call, 'fini', fini, (mem) => fini?.(mem, size)),
  }
  const zeroes = (flags & UMA_ZONE_ZINIT) !== 0 && hooks.init === undefined
  const options = {
    bytes: size,
    align: alignBytes(call, align),
    noFree: (flags & UMA_ZONE_NOFREE) !== 0,
    ...hooks,
    ...(zeroes ? { init: (mem: Item) => zero(arena, mem, size) } : {}),
  }
  const isPrivate = (flags & UMA_ZONE_SMR) !== 0
  const zone = new UmaZone(arena, name, options, size, isPrivate)
  if (isPrivate) zone.bind(call, arena.smr(name, { clock: 'default' }))
  return zone
}

/**
 * Ends the zone for all workers, and its private domain; may be called again if it threw Exhausted.
 * Misuse while items are live (the kernel prints a warning); waits for readers.
 */
export function uma_zdestroy(zone: uma_zone_t): void {
  assertIs('uma_zdestroy', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  const made = zone.zone
  if (made.isAlive() || !zone.isPrivate) made.destroy()
  if (zone.isPrivate) zone.smr?.destroy()
}

/** Makes a cold zone an SMR zone of a shared domain. Misuse when it is hot, or is one already. */
export function uma_zone_set_smr(zone: uma_zone_t, smr: smr_t): void {
  assertIs('uma_zone_set_smr', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  zone.bind('uma_zone_set_smr', smr)
}

/** The domain of an SMR zone; Misuse for others, where the kernel has NULL. */
export function uma_zone_get_smr(zone: uma_zone_t): smr_t {
  assertIs('uma_zone_get_smr', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  const { smr } = zone
  if (smr === undefined) throw zone.misuse('uma_zone_get_smr', 'it has no smr domain')
  return smr
}

// ---- items of SMR zones ------------------------------------------------------------------------

/** An item; with M_NOWAIT 0 when there is none. 0 too when the constructor refused. */
export function uma_zalloc_smr(zone: uma_zone_t, flags: number): Item {
  assertIs('uma_zalloc_smr', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  return alloc('uma_zalloc_smr', zone, 'smr', null, flags)
}

/**
 * Frees an item that no new reader can find. Misuse inside a section. The destructor runs, and the
 * memory is used again, when every reader that could see it has left.
 */
export function uma_zfree_smr(zone: uma_zone_t, item: Item): void {
  assertIs('uma_zfree_smr', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  zone.zone.zfreeSmr(item)
}

// ---- items of other zones ----------------------------------------------------------------------

/** As `uma_zalloc_smr`, for a zone without a domain. */
export function uma_zalloc(zone: uma_zone_t, flags: number): Item {
  assertIs('uma_zalloc', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  return alloc('uma_zalloc', zone, 'plain', null, flags)
}

/** `uma_zalloc`; the constructor gets `udata`. */
export function uma_zalloc_arg(zone: uma_zone_t, udata: unknown, flags: number): Item {
  assertIs('uma_zalloc_arg', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  return alloc('uma_zalloc_arg', zone, 'plain', udata, flags)
}

/** Frees an item that nobody else can see. Does nothing with 0, as free(9). */
export function uma_zfree(zone: uma_zone_t, item: Item): void {
  assertIs('uma_zfree', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  uma_zfree_arg(zone, item, null)
}

/** `uma_zfree`; the destructor gets `udata`. */
export function uma_zfree_arg(zone: uma_zone_t, item: Item, udata: unknown): void {
  assertIs('uma_zfree_arg', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  if (item === 0) return
  telling(udata, 0, () => zone.zone.zfree(item))
}

// ---- limits and memory -------------------------------------------------------------------------

/**
 * Sets the limit of items outside the slabs, cached and pending ones included; exact (the kernel
 * rounds up to slabs). Only for a cold zone. Returns it.
 */
export function uma_zone_set_max(zone: uma_zone_t, nitems: number): number {
  assertIs('uma_zone_set_max', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  zone.tell('uma_zone_set_max', { limit: nitems })
  return nitems
}

/** The limit; 0 for none. */
export function uma_zone_get_max(zone: uma_zone_t): number {
  assertIs('uma_zone_get_max', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  return zone.limit
}

/** Items allocated and not freed, by all workers; possibly a moment old. */
export function uma_zone_get_cur(zone: uma_zone_t): number {
  assertIs('uma_zone_get_cur', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  return zone.zone.stats().live
}

/**
 * Items whose memory is reserved at the first use, for allocations with M_USE_RESERVE; what comes back
 * fills the reserve first, where the kernel's buckets keep it. Only for a cold zone.
 */
export function uma_zone_reserve(zone: uma_zone_t, nitems: number): void {
  assertIs('uma_zone_reserve', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  zone.tell('uma_zone_reserve', { reserve: nitems, keepReserve: nitems > 0 })
}

/**
 * Makes slabs until the zone has `nitems` in all (in the kernel: `nitems` more); Exhausted if it
 * cannot.
 */
export function uma_prealloc(zone: uma_zone_t, nitems: number): void {
  assertIs('uma_prealloc', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  zone.zone.prealloc(nitems)
}

/**
 * Gives memory back. UMA_RECLAIM_TRIM: what was not needed lately; does not wait.
 * UMA_RECLAIM_DRAIN: all that no worker caches; waits for readers, at most 30 s (the kernel stops
 * at the first bucket that they hold). UMA_RECLAIM_DRAIN_CPU: this worker's caches too; the others
 * empty theirs at their next slow path. Returns what it did. Misuse inside a section.
 */
export function uma_zone_reclaim(zone: uma_zone_t, req: number): Reclaimed {
  assertIs('uma_zone_reclaim', 'zone', zone, UmaZone, 'what uma_zcreate returned')
  const level = LEVELS[req]
  if (level !== undefined) return zone.zone.reclaim(level)
  throw zone.misuse('uma_zone_reclaim', `req is ${show(req)}; give one of UMA_RECLAIM_*`)
}

// ---- helpers ---------------------------------------------------------------------------------

function alloc(
  call: string,
  zone: UmaZone,
  verb: 'smr' | 'plain',
  udata: unknown,
  flags: number,
): Item {
  const how = flags & WAITS
  if (!areFlags(flags, WAITS | M_ZERO | M_USE_RESERVE) || how === 0 || how === WAITS) {
    throw zone.misuse(
      call,
      `flags are ${show(flags)}; give M_NOWAIT or M_WAITOK, and M_ZERO and M_USE_RESERVE if you like`,
    )
  }
  const get = (): Item => telling(udata, flags, () => zone.alloc(call, how === M_WAITOK, verb))
  const item = (flags & M_USE_RESERVE) === 0 ? get() : zone.zone.useReserve(get)
  if (item !== 0 && (flags & M_ZERO) !== 0) zero(zone.arena, item, zone.size)
  return item
}

/**
 * Runs `fn` with these further arguments of hooks, and restores the former: hooks may use other
 * zones.
 */
function telling<T>(udata: unknown, flags: number, fn: () => T): T {
  const before = arg
  const flagsBefore = flagsNow
  arg = udata
  flagsNow = flags
  try {
    return fn()
  } finally {
    arg = before
    flagsNow = flagsBefore
  }
}

function zero(arena: Arena, item: Item, size: number): void {
  arena.memory.fill(item, Math.ceil(size / BYTES_PER_WORD), 0)
}

/** A mask as a number of bytes. */
function alignBytes(call: string, mask: number): number {
  if (mask === UMA_ALIGN_CACHE) return LINE_WORDS * BYTES_PER_WORD
  const bytes = integer(call, 'align', mask, 0, 4095) + 1
  assertPowerOfTwo(call, bytes)
  return Math.max(MIN_ALIGN_BYTES, bytes)
}
