/**
 * The XNU dialect's zones, as far as SMR goes: what smr.h's readers find in zalloc.h.
 *
 *     const names = zone_create(arena, 'names', 64)
 *     zone_enable_smr(names, smr_names, name_free)         // before the first allocation
 *     const name = zalloc_smr(names, Z_WAITOK)
 *     zfree_smr(names, name)                               // after unlinking it
 *
 * XNU makes a zone, and enables SMR for it before the first allocation. Here a zone has its domain
 * from the beginning; so its handle is cold at first, see cold.ts, and the first use makes the
 * zone. Every worker makes both calls, with the same arguments.
 *
 * Different:
 *   - The arena is the first argument of `zone_create`. In the place of its flags are the core's
 *     knobs.
 *   - `free_cb` runs when a freed element is reused or leaves the zone, as in the kernel. It need
 *     not zero it, and elements are not zero when they are allocated, unless Z_ZERO says so. It
 *     must not throw. It may run in any worker, so all of them give it, or none.
 *   - A domain with SMR_SLEEPABLE is allowed.
 *   - Z_WAITOK waits 30 s and then throws Exhausted. In a section it is Misuse, also in another
 *     task's sleepable one: it could wait for that. Other flags than the three here are Misuse.
 *   - No order is promised between two zones: a `free_cb` must not touch another zone's elements,
 *     even if those were freed later. (zalloc.h wants parents freed before children.)
 *   - A zone without SMR is the core's: `arena.zone`, `zalloc`, `zfree`.
 */

import type { Arena } from '../arena/arena.ts'
import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import type { ZoneOptions } from '../zone/options.ts'
import { areFlags, assertIs, ColdZone, hook } from './cold.ts'

/** Wait for memory, at most 30 s. */
export const Z_WAITOK = 0x0000
/** Returns 0 when there is no memory, and never waits. */
export const Z_NOWAIT = 0x0001
/** Fills the element with zeros. */
export const Z_ZERO = 0x0004
const Z_ALL = Z_NOWAIT | Z_ZERO

/** Further options of `zone_create`. */
export type zone_knobs_t = Omit<ZoneOptions, 'bytes' | 'record' | 'smr' | 'dtor'>

/** Called for an element whose grace period is over. */
export type zone_smr_free_cb_t = (elem: Item, size: number) => void

/** A zone, for one worker; `zone.zone` is the core's. */
export class zone_t extends ColdZone {
  /** Bytes of an element. */
  readonly size: number

  /** @internal Use `zone_create`. */
  constructor(arena: Arena, name: string, size: number, knobs: zone_knobs_t) {
    super('zone_create', arena, name, { ...knobs, bytes: size })
    this.size = size
  }
}

/**
 * A zone of elements of `size` bytes. Makes nothing yet. Misuse for sizes and knobs out of range.
 */
export function zone_create(
  arena: Arena,
  name: string,
  size: number,
  knobs: zone_knobs_t = {},
): zone_t {
  return new zone_t(arena, name, size, knobs)
}

/**
 * Enables SMR. Misuse the second time, and after the zone's first use by this worker. That use
 * throws if the zone exists with another size or domain, or with other hooks.
 */
export function zone_enable_smr(zone: zone_t, smr: Smr, free_cb?: zone_smr_free_cb_t): void {
  assertIs('zone_enable_smr', 'zone', zone, zone_t, 'what zone_create returned')
  const call = 'zone_enable_smr'
  if (zone.smr !== undefined) throw zone.misuse(call, 'SMR is enabled for it already')
  if (smr === undefined) throw zone.misuse(call, 'smr is undefined; give a domain')
  const dtor = hook(call, 'free_cb', free_cb, (elem) => free_cb?.(elem, zone.size))
  zone.tell(call, dtor === undefined ? { smr } : { smr, dtor })
}

/** Allocates an element; waits only for memory, and only without Z_NOWAIT. */
export function zalloc_smr(zone: zone_t, flags: number): Item {
  assertIs('zalloc_smr', 'zone', zone, zone_t, 'what zone_create returned')
  const call = 'zalloc_smr'
  if (!areFlags(flags, Z_ALL)) {
    throw new Misuse(`${call}: flags are ${show(flags)}; give Z_WAITOK, Z_NOWAIT, Z_ZERO`)
  }
  assertEnabled(call, zone)
  const elem = zone.alloc(call, (flags & Z_NOWAIT) === 0, 'smr')
  // No other worker can see it: its grace period is over, and it is not published.
  if (elem !== 0 && (flags & Z_ZERO) !== 0) {
    zone.arena.memory.fill(elem, Math.ceil(zone.size / BYTES_PER_WORD), 0)
  }
  return elem
}

/** Frees an element that is unlinked. Misuse in a section of the zone's domain. */
export function zfree_smr(zone: zone_t, elem: Item): void {
  assertIs('zfree_smr', 'zone', zone, zone_t, 'what zone_create returned')
  assertEnabled('zfree_smr', zone)
  zone.zone.zfreeSmr(elem)
}

function assertEnabled(call: string, zone: zone_t): void {
  if (zone.smr !== undefined) return
  throw zone.misuse(call, 'SMR is not enabled for it; zone_enable_smr comes first')
}
