/**
 * The stage of the zone tests: one arena, several attachments in one thread that act as its
 * workers, and the witnesses - what a call may throw, what it must leave as it was, in which order
 * hooks may see an item.
 */

import { expect } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import {
  Arena,
  type ArenaOptions,
  type Item,
  Misuse,
  type Smr,
  type UmaSmrError,
  type Zone,
  type ZoneOptions,
} from '#src/index.ts'
import { Header } from '#src/memory/layout.ts'
import { differences } from '../../helpers/refusals.ts'
import { type Config, tinyArena } from '../../helpers/tiny.ts'

// ---- actors ----------------------------------------------------------------------------------

export interface Actor {
  readonly arena: Arena
  readonly zone: Zone
}

/** An actor of a zone with a domain. */
export interface SmrActor extends Actor {
  readonly smr: Smr
}

/** Two workers of one zone with smr: `a` made it, `b` opened it. */
export function smrStage(
  config: Config,
  options: ZoneOptions = {},
  arenaOptions: ArenaOptions = {},
): { a: SmrActor; b: SmrActor } {
  const arena = tinyArena(config, arenaOptions)
  const smr = arena.smr('clock')
  const a = { arena, smr, zone: arena.zone('things', { bytes: 16, ...options, smr }) }
  return { a, b: join(arena, options) }
}

/** One more worker of the zone that `smrStage` made. */
export function join(first: Arena, options: ZoneOptions = {}): SmrActor {
  const arena = Arena.attach(first.handle)
  return { arena, smr: arena.smr('clock'), zone: arena.zone('things', options) }
}

/** Two workers of one zone without smr. */
export function plainStage(
  config: Config,
  options: ZoneOptions = {},
  arenaOptions: ArenaOptions = {},
): { a: Actor; b: Actor } {
  const arena = tinyArena(config, arenaOptions)
  const zone = arena.zone('things', { bytes: 16, ...options })
  const other = Arena.attach(arena.handle)
  return { a: { arena, zone }, b: { arena: other, zone: other.zone('things', options) } }
}

/** Both kinds of zone, for claims that hold for either. */
export const KINDS = [
  { kind: 'plain', stage: plainStage as (...args: Parameters<typeof plainStage>) => Pair },
  { kind: 'smr', stage: smrStage as (...args: Parameters<typeof smrStage>) => Pair },
] as const

export interface Pair {
  readonly a: Actor
  readonly b: Actor
}

// ---- verbs -----------------------------------------------------------------------------------

/** Allocates with the verb of the zone's kind. */
export function alloc({ zone }: Actor): Item {
  return zone.parts.domain === undefined ? zone.zalloc() : zone.zallocSmr()
}

export function tryAlloc({ zone }: Actor): Item {
  return zone.parts.domain === undefined ? zone.tryZalloc() : zone.tryZallocSmr()
}

export function free({ zone }: Actor, item: Item): void {
  if (zone.parts.domain === undefined) zone.zfree(item)
  else zone.zfreeSmr(item)
}

export function allocMany(actor: Actor, count: number): Item[] {
  return Array.from({ length: count }, () => alloc(actor))
}

/** Allocates until nothing is left. */
export function allocAll(actor: Actor): Item[] {
  const items: Item[] = []
  for (let item = tryAlloc(actor); item !== 0; item = tryAlloc(actor)) items.push(item)
  return items
}

export function freeMany(actor: Actor, items: Iterable<Item>): void {
  for (const item of items) free(actor, item)
}

// ---- witnesses -------------------------------------------------------------------------------

type ErrorClass<E extends UmaSmrError> = new (message: string) => E

/** What `act` throws: it must be of this class, and its message must hold all of `words`. */
export function thrown<E extends UmaSmrError>(
  kind: ErrorClass<E>,
  act: () => unknown,
  ...words: readonly string[]
): E {
  let error: unknown
  try {
    act()
  } catch (caught) {
    error = caught
  }
  return told(kind, error, words)
}

/** The same for a promise. */
export async function rejected<E extends UmaSmrError>(
  kind: ErrorClass<E>,
  promise: Promise<unknown>,
  ...words: readonly string[]
): Promise<E> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  return told(kind, error, words)
}

function told<E extends UmaSmrError>(
  kind: ErrorClass<E>,
  error: unknown,
  words: readonly string[],
): E {
  expect(error, 'what was thrown').toBeInstanceOf(kind)
  const { message } = error as E
  for (const word of words) expect(message).toContain(word)
  return error as E
}

/** `thrown`, and every number of the arena is as it was before; every word, if it is a Misuse. */
export function refused<E extends UmaSmrError>(
  arena: Arena,
  kind: ErrorClass<E>,
  act: () => unknown,
  ...words: readonly string[]
): E {
  const before = arena.stats()
  const all = arena.words.slice()
  const error = thrown(kind, act, ...words)
  expect(arena.stats()).toEqual(before)
  if (error instanceof Misuse) {
    all[Header.serial] = arena.words[Header.serial] as number // Serial numbers may be skipped.
    expect(differences(all, arena.words)).toEqual([])
  }
  return error
}

/** Pages of the arena that belong to something. */
export function pagesInUse(arena: Arena): number {
  const { total, untouched, free } = arena.stats().pages
  return total - untouched - free
}

/** Items outside the slabs: live, cached, pending and safe. */
export function outside({ zone }: Actor): number {
  const { created, inSlabs } = zone.stats()
  return created - inSlabs
}

/** Makes the worker's clock leap: waits end after a few looks instead of half a minute. */
export function impatient(arena: Arena): void {
  let time = 0
  arena.memory.now = () => {
    time += 10_000
    return time
  }
  arena.memory.sleep = () => {}
}

/**
 * Follows each item through its hooks. The only legal life is init (ctor dtor)* fini; whatever else
 * happens is written down in `wrong`. A ctor or init that throws has not happened.
 */
export class Ledger {
  readonly wrong: string[] = []
  readonly counts = { init: 0, ctor: 0, dtor: 0, fini: 0 }
  private readonly state = new Map<Item, 'fresh' | 'live'>()

  /** Items that have seen a ctor and no dtor yet. */
  get live(): Item[] {
    return [...this.state].filter(([, state]) => state === 'live').map(([item]) => item)
  }

  readonly hooks = {
    init: (item: Item): void => this.step('init', item, undefined, 'fresh'),
    ctor: (item: Item): void => this.step('ctor', item, 'fresh', 'live'),
    dtor: (item: Item): void => this.step('dtor', item, 'live', 'fresh'),
    fini: (item: Item): void => this.step('fini', item, 'fresh', undefined),
  }

  /** Everything that came has gone, and nothing happened out of turn. */
  expectBalanced(): void {
    expect(this.wrong).toEqual([])
    expect(this.counts.dtor).toBe(this.counts.ctor)
    expect(this.counts.fini).toBe(this.counts.init)
    expect(this.state.size).toBe(0)
  }

  private step(
    hook: keyof Ledger['counts'],
    item: Item,
    from: 'fresh' | 'live' | undefined,
    to: 'fresh' | 'live' | undefined,
  ): void {
    const state = this.state.get(item)
    if (state !== from) this.wrong.push(`${hook} of item ${item} while ${state ?? 'not here'}`)
    if (to === undefined) this.state.delete(item)
    else this.state.set(item, to)
    this.counts[hook]++
  }
}

/** Has `survivor` take over what the dead worker left. */
export function bury(survivor: Arena, dead: Arena): void {
  expect(reapSlot(survivor.space, dead.workerId).reaped).toBe(true)
}
