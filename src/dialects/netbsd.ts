/**
 * NetBSD's dialect, `uma-smr/netbsd`: pool_cache(9) with the proposed pool_cache_set_smr(9), the
 * proposed smr(9), and as much of pserialize(9) as is needed to move away from it.
 *
 *     pc = pool_cache_init(arena, 96, 0, 0, 0, 'inpcb', null, IPL_NONE, null, null, null)
 *     pool_cache_set_smr(pc, smr)      the same get and put as before; put has become asynchronous
 *
 * Sources: the manual pages pool_cache(9) and pserialize(9), and the proposal on tech-kern (April
 * 2026) as far as its review quotes it: the patch itself is not public. smr(9) is FreeBSD's, in
 * smr9.ts, without the IPL of lazy sections: there are no interrupts. The domain itself checks that
 * it is entered in the right way, for which the review wants a descriptor.
 *
 * The same: names, order of arguments after the arena, the life of an object: constructed when it
 * enters the cache, destructed when it leaves, *not* at each get and put. Different:
 *
 *   - An object is an `Item`, NULL is 0. What has no meaning here (align_offset, palloc, ipl,
 *     flags, a warning) must be 0 or null: anything else is Misuse, not ignored.
 *   - A cache is shared, and found by its name, at its first use: see cold.ts. A second worker
 *     makes the same calls with the same arguments. Water marks, limit and domain come before the
 *     first use.
 *   - PR_WAITOK waits 30 s, then throws Exhausted; inside a section of the domain it is Misuse.
 *   - pool_cache_sethiwat is left out: what the depot keeps is bounded in items, by the zone's knob
 *     `depot` (`zone.tune`), not in buckets. So are the
 *     *_paddr verbs, and pool_cache_destruct_object.
 *
 * Rules of use, which the review asks for; examples/netbsd has them as programs.
 *
 *   read     smr_enter, load pointers atomically, copy what you need, smr_exit. Short; no await, no
 *            wait, no put inside: the last three are refused where they can be seen.
 *   remove   under the writers' lock unlink, then pool_cache_put. Never the other way round.
 *   when     put with a domain: nearly always. smr_advance and smr_poll later: your own lists, or
 *            one goal for many objects. smr_wait: a goal taken long ago that must be met now.
 *            smr_synchronize: teardown. SMR_LAZY: many short sections in one turn, and nobody minds
 *            that memory comes back a turn and two ticks later; it spares readers the fence and
 *            writers the step of the clock for each batch; publishing costs the same.
 *   batch    a worker's free bucket, 249 objects of up to 64 bytes, fewer of larger ones, is
 *            stamped once when full. What is held: frees of the longest section, and a bucket per
 *            worker.
 *   prove    orderings with their "otherwise" in smr/domain.ts; arenas with `checks: true` detect
 *            double frees and writes after free; `smr.stalled(ms)` names who holds memory back.
 */

import type { Arena } from '../arena/arena.ts'
import type { Item } from '../base/brands.ts'
import { integer, Misuse, show } from '../base/errors.ts'
import { MIN_ALIGN_BYTES } from '../zone/options.ts'
import {
  assertArena,
  assertDomain,
  assertIs,
  assertPowerOfTwo,
  ColdZone,
  fallible,
  hook,
  type Maybe,
} from './cold.ts'
import type { smr_t } from './smr9.ts'

export * from './smr9.ts'

// ---- flags and types ---------------------------------------------------------------------------

/** Wait for memory, at most 30 s. Give this or PR_NOWAIT. */
export const PR_WAITOK = 0x01
/** Do not wait for memory. */
export const PR_NOWAIT = 0x02
/** The only interrupt level there is. */
export const IPL_NONE = 0

/** Runs when an object enters the cache; a result other than 0 refuses it, and get returns 0. */
export type pool_cache_ctor = (arg: unknown, object: Item, flags: number) => number
/** Runs when it leaves, after the grace period if the cache has a domain. */
export type pool_cache_dtor = (arg: unknown, object: Item) => void

/** A cache, for one worker. */
export class PoolCache extends ColdZone {}
/** What `pool_cache_init` returns. */
export type pool_cache_t = PoolCache

/** The flags for a constructor in the present get: a worker makes one call at a time. */
let flagsNow = 0

// ---- pool_cache(9) -----------------------------------------------------------------------------

/**
 * Describes a cache of objects of `size` bytes: nothing is shared before its first use. `align` is
 * a power of two, at least 8 here; 0 leaves it to us. `arg` is for the hooks.
 */
export function pool_cache_init(
  arena: Arena,
  size: number,
  align: number,
  align_offset: number,
  flags: number,
  name: string,
  palloc: null | undefined,
  ipl: number,
  ctor: Maybe<pool_cache_ctor>,
  dtor: Maybe<pool_cache_dtor>,
  arg: unknown,
): pool_cache_t {
  const call = 'pool_cache_init'
  meaningless(call, { align_offset, flags, palloc, ipl })
  return new PoolCache(call, arena, name, {
    bytes: size,
    align: alignBytes(call, align),
    init: fallible(call, 'ctor', ctor, (object) => ctor?.(arg, object, flagsNow)),
    fini: hook(call, 'dtor', dtor, (object) => dtor?.(arg, object)),
  })
}

/**
 * Ends the cache for all workers: destructors run, memory goes back. Waits for readers. Misuse
 * while objects are in use. The domain is not destroyed.
 */
export function pool_cache_destroy(pc: pool_cache_t): void {
  assertIs('pool_cache_destroy', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  pc.zone.destroy()
}

/** Defers reuse by the domain's readers from the first put on. Misuse for a cache in use. */
export function pool_cache_set_smr(pc: pool_cache_t, smr: smr_t): void {
  assertIs('pool_cache_set_smr', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  pc.bind('pool_cache_set_smr', smr)
}

/** A constructed object; 0 when the constructor refused, or with PR_NOWAIT when there is none. */
export function pool_cache_get(pc: pool_cache_t, flags: number): Item {
  assertIs('pool_cache_get', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  const call = 'pool_cache_get'
  if (flags !== PR_NOWAIT && flags !== PR_WAITOK) {
    throw pc.misuse(call, `flags are ${show(flags)}; give PR_NOWAIT or PR_WAITOK`)
  }
  const before = flagsNow
  flagsNow = flags
  try {
    return pc.alloc(call, flags === PR_WAITOK)
  } finally {
    flagsNow = before
  }
}

/**
 * Gives an object back, still constructed. With a domain, no new reader may find it; it is used
 * again, unchanged, when every reader that could see it has left. Never waits for them. Misuse
 * inside a section of the domain.
 */
export function pool_cache_put(pc: pool_cache_t, object: Item): void {
  assertIs('pool_cache_put', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  const { zone } = pc
  if (pc.smr === undefined) zone.zfree(object)
  else zone.zfreeSmr(object)
}

/**
 * Destructs what is cached and gives it to the slabs; other workers do the same with theirs at
 * their next refill or full bucket. With a domain it waits for readers, at most 30 s. Misuse inside
 * a section.
 */
export function pool_cache_invalidate(pc: pool_cache_t): void {
  assertIs('pool_cache_invalidate', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  pc.zone.reclaim('all')
}

/** The same for objects that no worker caches. Returns whether there were any. */
export function pool_cache_reclaim(pc: pool_cache_t): boolean {
  assertIs('pool_cache_reclaim', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  const { released, pages } = pc.zone.reclaim('drain')
  return released > 0 || pages > 0
}

/** Objects whose memory is reserved at the first use and stays with the cache. */
export function pool_cache_setlowat(pc: pool_cache_t, nitems: number): void {
  assertIs('pool_cache_setlowat', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  pc.tell('pool_cache_setlowat', { reserve: nitems })
}

/**
 * Limit of objects outside the slabs, cached and pending ones included. There is no warning: see
 * Exhausted and `arena.stats()`.
 */
export function pool_cache_sethardlimit(
  pc: pool_cache_t,
  nitems: number,
  warnmess: null | undefined,
  ratecap: number,
): void {
  assertIs('pool_cache_sethardlimit', 'pc', pc, PoolCache, 'what pool_cache_init returned')
  const call = 'pool_cache_sethardlimit'
  meaningless(call, { warnmess, ratecap })
  pc.tell(call, { limit: nitems })
}

// ---- pserialize(9) -----------------------------------------------------------------------------

/**
 * A passive serialization object. It is a domain, so pool_cache_set_smr takes it, and
 * pserialize_perform is no longer needed.
 */
export type pserialize_t = smr_t

/** Creates it, or opens it by name; the kernel's has no name. */
export function pserialize_create(arena: Arena, name: string): pserialize_t {
  assertArena('pserialize_create', arena)
  return arena.smr(name, { clock: 'default' })
}

/** Ends it for all workers. Misuse while a cache is bound to it. */
export function pserialize_destroy(psz: pserialize_t): void {
  assertDomain('pserialize_destroy', psz)
  psz.destroy()
}

/** Blocks until all present readers have left. The kernel's requires a lock; this needs none. */
export function pserialize_perform(psz: pserialize_t): void {
  assertDomain('pserialize_perform', psz)
  psz.synchronize()
}

/**
 * Opens a section and returns the argument of `pserialize_read_exit`. Takes the object, because
 * there is no interrupt level that covers all objects; does not nest (Misuse).
 */
export function pserialize_read_enter(psz: pserialize_t): number {
  assertDomain('pserialize_read_enter', psz)
  psz.enter()
  return IPL_NONE
}

/** Closes it; `s` is what `pserialize_read_enter` returned. */
export function pserialize_read_exit(psz: pserialize_t, s: number): void {
  assertDomain('pserialize_read_exit', psz)
  meaningless('pserialize_read_exit', { s })
  psz.exit()
}

// ---- helpers ---------------------------------------------------------------------------------

/** Misuse for arguments that have an effect only in a kernel. */
function meaningless(call: string, args: Readonly<Record<string, unknown>>): void {
  for (const [what, value] of Object.entries(args)) {
    if (value === 0 || value === null || value === undefined) continue
    throw new Misuse(`${call}: ${what} is ${show(value)}, and means nothing here; give 0 or null`, {
      argument: what,
    })
  }
}

/** The core's option for `align`: 0 is the default, and the core's least alignment is 8. */
function alignBytes(call: string, align: number): number {
  const bytes = integer(call, 'align', align, 0, 4096)
  assertPowerOfTwo(call, bytes)
  return Math.max(MIN_ALIGN_BYTES, bytes)
}
