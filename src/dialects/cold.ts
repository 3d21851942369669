/**
 * A zone that is described and not yet made, for the kernels' creation in two steps.
 *
 *     zone = create(name, size, ...)      cold: nothing is shared yet
 *     set_smr(zone, smr), set_max(zone)   legal while it is cold
 *     alloc(zone)                         the first use makes it, or opens it by name
 *
 * The core's zones get all options when they are made, also their domain. So a handle of a dialect
 * collects options, and makes the zone at its first use; after that it is hot, and setting more
 * options is Misuse, as in the kernel (FreeBSD: ZONE_ASSERT_COLD).
 *
 * Each worker makes its own handle, by the same calls with the same arguments. The first to use it
 * makes the zone, the others open it, and the core compares the options: a difference is Misuse at
 * the first use. So being cold is a state of the handle, not of the zone.
 */

import { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { Named } from '../memory/layout.ts'
import { Smr } from '../smr/domain.ts'
import { DEFAULT_TIMEOUT_MS, until } from '../space/wait.ts'
import { type Hook, type ZoneOptions, zoneShape } from '../zone/options.ts'
import type { Zone } from '../zone/zone.ts'

/** Whether `flags` is a word with no bits but those of `known`. */
export function areFlags(flags: unknown, known: number): boolean {
  return typeof flags === 'number' && flags >>> 0 === flags && (flags & ~known) === 0
}

/** Misuse unless `bytes` is a possible alignment, or 0 for the default. */
export function assertPowerOfTwo(call: string, bytes: number): void {
  if ((bytes & (bytes - 1)) === 0) return
  throw new Misuse(`${call}: align means ${bytes} bytes; it must be a power of two`, { bytes })
}

/** A kernel's constructor has returned an errno: no item, and no error. */
export class HookRefused extends Error {}

/** A hook, or NULL. */
export type Maybe<T> = T | null | undefined

/** A zone's options in which hooks may be undefined. */
export type Sketch = { readonly [K in keyof ZoneOptions]: ZoneOptions[K] | undefined }

/** Misuse unless the first argument is an arena. */
export function assertArena(call: string, arena: unknown): asserts arena is Arena {
  if (arena instanceof Arena) return
  throw new Misuse(`${call}: arena is ${show(arena)}; give the arena first, then the kernel's own`)
}

/** Misuse unless a handle is one of the dialect's own. */
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

/** Misuse unless it is a sequence that `advance` returned, or 0. */
export function assertGoal(call: string, goal: unknown): void {
  if (Number.isSafeInteger(goal)) return
  throw new Misuse(`${call}: ${show(goal)} is no goal; give what an advance returned`)
}

/** `run` as a hook of the core, if `given` is not NULL. */
export function hook(call: string, what: string, given: unknown, run: Hook): Hook | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given === 'function') return run
  throw new Misuse(`${call}: ${what} is ${show(given)}; give a function or null`)
}

/** A hook that refuses by its return value. */
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

/** A zone of a dialect, for one worker. */
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
    arena.space.directory.find(call, Named.zone, name) // Misuse for what is no name.
  }

  /** The zone; made or opened now, if this is its first use. @internal */
  get zone(): Zone {
    this.made ??= this.arena.zone(this.name, this.options)
    return this.made
  }

  /**
   * Its domain, if this handle knows it: an opener that names none learns it at its first use.
   * @internal
   */
  get smr(): Smr | undefined {
    return this.options.smr ?? this.made?.parts.domain
  }

  /** Most items, of the options or of the zone; 0 for no limit. @internal */
  get limit(): number {
    return this.made === undefined ? (this.options.limit ?? 0) : this.made.stats().limit
  }

  /** Adds options to those that the zone will be made with. @internal */
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
   * Allocates by `verb`, or by the zone's kind. Returns 0 when a constructor refused. When there is
   * no memory: 0, or with `canWait` a wait of 30 s at most and then Exhausted. Misuse to wait
   * inside a section of the zone's domain: it could wait for that section.
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

  /** What `JSON.stringify` shows: the zone, if there is one yet. @internal */
  toJSON(): Summary {
    return this.made?.toJSON() ?? summary('Zone', this.name, () => ({ cold: true }))
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
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
