/**
 * What a dead worker had in its hands in one zone of a table goes where it belongs: see hands.ts.
 *
 * Its words are changed by the reaper, and by workers that repair a lock of the table. The reaper takes
 * that lock before it believes a word that is not 0, and so comes after the repair. Each step can be
 * done again: the word is cleared last, and what is done by then shows in the buckets of the dead worker.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, show } from '../base/errors.ts'
import { BucketWords, CacheWords, zoneParts } from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Space } from '../space/space.ts'
import { finishMove, type ZoneState, zoneStateOf } from './adopt.ts'
import { freeOwner } from './bucket.ts'
import { Cache } from './cache.ts'
import { markIdle } from './slab.ts'
import { fillTrash } from './trash.ts'

/** A word of a dead worker, and the item that it names. */
export interface Named {
  readonly at: number
  readonly item: number
}

/** The words of dead workers in this zone that name an item. The lock of a table is held. */
export function namedByDead({ maxWorkers, memory, workers }: Space, zone: number): Named[] {
  const first = zoneParts(zone, maxWorkers).caches
  const named: Named[] = []
  for (let slot = 0; slot < maxWorkers; slot++) {
    if (!workers.isDead(slot)) continue
    for (const word of [CacheWords.hand, CacheWords.owed]) {
      const at = first + slot * CacheWords.WORDS + word
      // The reaper may be clearing it: then it names nothing that is in the table.
      const item = memory.peekRacy(at) & ~1
      if (item !== 0) named.push({ at, item })
    }
  }
  return named
}

/** The item is in the table: clears the words that name it. The lock of the table is held. */
export function forget({ memory }: Space, named: readonly Named[], item: number): void {
  for (const each of named) if (each.item === item) memory.store(each.at, 0)
}

/** The hands of one dead worker in one zone. */
export class DeadHands {
  readonly handAt: number
  readonly owedAt: number
  readonly owesAt: number
  /** Address of the zone. */
  readonly zone: number
  readonly domain: Smr | undefined
  private readonly state: ZoneState
  private readonly cache: Cache
  private readonly slot: number

  constructor(space: Space, zone: number, name: string, domain: Smr | undefined, slot: number) {
    this.state = zoneStateOf(space, zone, name, domain)
    const { caches } = zoneParts(zone, space.maxWorkers)
    this.cache = new Cache(space.memory, caches + slot * CacheWords.WORDS)
    this.handAt = this.cache.at + CacheWords.hand
    this.owedAt = this.cache.at + CacheWords.owed
    this.owesAt = this.cache.at + CacheWords.owes
    this.zone = zone
    this.domain = domain
    this.slot = slot
  }

  /** Finishes what the worker had begun: a step of the keg that clears a word, a move of a bucket. */
  finish(): void {
    const { buckets, keg, name } = this.state
    keg.recover()
    finishMove(this.cache, buckets, name)
  }

  /** The words that name an item. */
  words(): Named[] {
    const { memory } = this.state.space
    return [this.handAt, this.owedAt]
      .map((at) => ({ at, item: memory.load(at) & ~1 }))
      .filter(({ item }) => item !== 0)
  }

  /** Gives an item back that was never published. No hook runs, as after every death. */
  giveBack(item: number, word: number): void {
    const { keg, recordWords, space, trashing } = this.state
    const { memory } = space
    if (!this.cache.isOnTop(this.cache.alloc, item)) {
      this.setIdle(item)
      if (trashing) fillTrash(memory, item as Item, recordWords)
      if (!this.cache.unpop(item)) {
        keg.giveCounted(item, this.cache.at + CacheWords.loaded, -1, { held: 1 }, word)
        return
      }
    }
    memory.store(word, 0)
  }

  /**
   * Frees an item that was unlinked; its readers may still be there. Then the word is `value`. If there
   * is no memory for a bucket it stays live, and an audit finds it: a reaper must not wait for readers.
   */
  free(item: number, word: number, value = 0): void {
    const { memory } = this.state.space
    if (!this.cache.isOnTop(this.cache.free, item)) {
      this.setIdle(item)
      this.makeRoom()
      this.cache.push(item)
    }
    memory.store(word, value)
  }

  private makeRoom(): void {
    const { cache, slot } = this
    const { buckets, depot, domain, knobs, space } = this.state
    const { memory } = space
    // Its buckets are looked for where it has opened the zone.
    memory.poke(cache.at + CacheWords.opened, 1)
    if (cache.hasRoom || domain === undefined) return
    const full = cache.unloadFree()
    if (full !== 0) depot.retire(full, domain, 0)
    const empty = depot.takeEmpty(freeOwner(slot))
    if (empty === 0) return
    memory.poke(empty + BucketWords.owner, freeOwner(slot))
    memory.poke(empty + BucketWords.destroyed, 0)
    memory.poke(empty + BucketWords.capacity, Math.min(knobs.bucketNow, buckets.capacity))
    cache.loadFree(empty)
  }

  /** Checked arenas: takes the mark away that the item is in use. Corruption if it is none. */
  private setIdle(item: number): void {
    const { keg, name, space } = this.state
    const { addresses, shape } = keg
    const slab = addresses.slabOf(item)
    if (slab === 0) {
      throw new Corruption(
        `zone ${show(name)}: a dead worker had ${item} in its hands, no item of it`,
        {
          zone: name,
          item,
        },
      )
    }
    if (space.checks) markIdle(space.memory, slab, shape, addresses.indexOf(slab, item))
  }
}
