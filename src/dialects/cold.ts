/**
 * A zone that is described, and not made yet: what the kernels' two-step creation needs.
 *
 *     zone = create(name, size, ...)      cold: nothing is shared yet
 *     set_smr(zone, smr), set_max(zone)   legal while it is cold
 *     alloc(zone)                         the first use makes it, or opens it by name
 *
 * The core's zones are told everything when they are made, their domain above all. So a handle of a
 * dialect collects what it is told, and makes the zone at its first use; from then on it is hot,
 * and telling it more is Misuse, which is the kernel's own rule (FreeBSD: ZONE_ASSERT_COLD).
 *
 * Each worker makes its own handle, by the same calls with the same arguments. The first to use it
 * makes the zone, the others open it, and the core compares: who differs gets Misuse at his first
 * use. Being cold is therefore a matter of the handle. If the zone exists already, with something
 * else, it is the first use that says so.
 */

import { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { Named } from '../memory/layout.ts'
import { Smr } from '../smr/domain.ts'
import { DEFAULT_TIMEOUT_MS, until } from '../space/wait.ts'
import { type Hook, type ZoneOptions, zoneShape } from '../zone/options.ts'
import type { Zone } from '../zone/zone.ts'

/**
 * Whether `flags` are some of `known`, and nothing else: no fraction, no string, no bit beyond a
 * word.
 */
export function areFlags(flags: unknown, known: number): boolean {
  return typeof flags === 'number' && flags >>> 0 === flags && (flags & ~known) === 0
}

/** Misuse unless an alignment of `bytes`, or none (0), can be had. */
export function assertPowerOfTwo(call: string, bytes: number): void {
  if ((bytes & (bytes - 1)) === 0) return
  throw new Misuse(`${call}: align means ${bytes} bytes; it must be a power of two`, { bytes })
}

/** What a kernel's constructor says by an errno: no item, and no error either. */
export class HookRefused extends Error {}

/** A hook, or NULL. */
export type Maybe<T> = T | null | undefined

/** A zone's options where a hook may be left out by saying undefined. */
export type Sketch = { readonly [K in keyof ZoneOptions]: ZoneOptions[K] | undefined }

/** Misuse unless a dialect's first argument, which no kernel has, is there. */
export function assertArena(call: string, arena: unknown): asserts arena is Arena {
  if (arena instanceof Arena) return
  throw new Misuse(`${call}: arena is ${show(arena)}; give the arena first, then the kernel's own`)
}

/** Misuse unless a handle is what the dialect's own verbs give out. */
export function assertIs<T>(
  call: string,
  what: string,
  value: unknown,
  type: abstract new (...args: never[]) => T,
  wanted: string,
): asserts value is T {
  if (value instanceof type) return
  throw new Misuse(`${call}: ${what} is ${show(value)}; give ${wanted}`)
}

/** Misuse unless it is a domain. */
export function assertDomain(call: string, smr: unknown): asserts smr is Smr {
  if (smr instanceof Smr) return
  throw new Misuse(`${call}: smr is ${show(smr)}; give what created the domain returned`)
}

/** Misuse unless it is a sequence: what `advance` returned, or none. */
export function assertGoal(call: string, goal: unknown): void {
  if (Number.isSafeInteger(goal)) return
  throw new Misuse(`${call}: ${show(goal)} is no goal; give what an advance returned`)
}

/** `run` as a hook of the core, if `given` is one at all. */
export function hook(call: string, what: string, given: unknown, run: Hook): Hook | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given === 'function') return run
  throw new Misuse(`${call}: ${what} is ${show(given)}; give a function or null`)
}

/** A hook that refuses by what it returns. */
export function fallible(
  call: string,
  what: string,
  given: unknown,
  run: (item: Item) => number | undefined,
): Hook | undefined {
  return hook(call, what, given, (item) => {
    if (run(item) !== 0) throw new HookRefused(`${what} refused item ${item}`)
  })
}

/** A zone of a dialect, as one worker holds it. */
export class ColdZone {
  readonly arena: Arena
  readonly name: string
  private options: ZoneOptions
  private made: Zone | undefined

  /** @internal */
  constructor(call: string, arena: Arena, name: string, options: Sketch) {
    assertArena(call, arena)
    this.arena = arena
    this.name = name
    this.options = this.checked(call, defined(options))
    arena.space.directory.find(call, Named.zone, name) // Refuses what is no name.
  }

  /** The zone; made or opened now, if this is its first use. @internal */
  get zone(): Zone {
    this.made ??= this.arena.zone(this.name, this.options)
    return this.made
  }

  /**
   * Its domain, as far as this handle knows: an opener that names none learns it by its first use.
   * @internal
   */
  get smr(): Smr | undefined {
    return this.options.smr ?? this.made?.parts.domain
  }

  /** Most items, as this handle was told or as the zone says; 0 for no limit. @internal */
  get limit(): number {
    return this.made === undefined ? (this.options.limit ?? 0) : this.made.stats().limit
  }

  /** What the zone is to be made with, besides what it was told before. @internal */
  tell(call: string, more: ZoneOptions): void {
    if (this.made !== undefined) {
      throw this.misuse(call, 'it is in use; this has to be said before the first use')
    }
    this.options = this.checked(call, { ...this.options, ...more })
  }

  /** Gives the zone its domain: once, and while it is cold. @internal */
  bind(call: string, smr: Smr): void {
    if (!(smr instanceof Smr)) {
      throw this.misuse(call, `smr is ${show(smr)}; give what smr_create returned`)
    }
    if (this.options.smr !== undefined) {
      throw this.misuse(call, `it has a domain already, ${show(this.options.smr.name)}`)
    }
    this.tell(call, { smr })
  }

  /**
   * An item, or 0 when a constructor refused; by the verb that is named, or the zone's own. When
   * there is none to be had: 0, or with `canWait` a wait of 30 s at most and then Exhausted.
   * Waiting inside a section of the zone's domain is Misuse: it could be for that very section.
   * @internal
   */
  alloc(call: string, canWait: boolean, verb?: 'smr' | 'plain'): Item {
    const { zone } = this
    const bySmr = verb === undefined ? this.smr !== undefined : verb === 'smr'
    if (canWait && this.smr?.entered) {
      throw this.misuse(call, 'a section of its domain is open; exit before an allocation may wait')
    }
    try {
      const item = bySmr ? zone.tryZallocSmr() : zone.tryZalloc()
      return item === NULL_ITEM && canWait ? this.allocPatiently(bySmr) : item
    } catch (error) {
      if (error instanceof HookRefused) return NULL_ITEM
      throw error
    }
  }

  /** @internal */
  misuse(call: string, what: string): Misuse {
    return new Misuse(`${call}: zone ${show(this.name)}: ${what}`, { zone: this.name })
  }

  private allocPatiently(bySmr: boolean): Item {
    const { zone } = this
    let item = NULL_ITEM
    until(this.arena.space, DEFAULT_TIMEOUT_MS, () => {
      item = bySmr ? zone.tryZallocSmr() : zone.tryZalloc()
      return item !== NULL_ITEM
    })
    // Still nothing: the core says why.
    return item || (bySmr ? zone.zallocSmr() : zone.zalloc())
  }

  private checked(call: string, options: ZoneOptions): ZoneOptions {
    zoneShape(`${call}: zone ${show(this.name)}`, options, this.arena.buffer.byteLength)
    const { smr } = options
    if (smr !== undefined && smr.space !== this.arena.space) {
      throw this.misuse(call, `smr ${show(smr.name)} is another arena handle's; use the same one`)
    }
    return options
  }
}

/** Without what was left out: the core tells a hook that is absent from one that is undefined. */
function defined(options: Sketch): ZoneOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
