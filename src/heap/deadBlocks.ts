/**
 * The blocks of records that a dead worker had in its hands: see zone/hands.ts.
 *
 * A block is found as a free finds it: its page names a slab and that its zone, or it is a run. Whether a
 * run is still the block that a field was about, its header tells.
 */

import type { Item } from '../base/brands.ts'
import { HeapWords, Named, RunKind, SlabWords, ZoneWords, zoneParts } from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { DeadHands } from '../zone/deadHands.ts'
import { Runs } from './runs.ts'

export class DeadBlocks {
  private readonly space: Space
  private readonly names: readonly Listing[]
  private readonly slot: number
  private readonly domain: Smr | undefined
  private readonly heap: Listing | undefined

  /** Of the table whose zone has this serial. The directory is locked. */
  constructor(
    space: Space,
    names: readonly Listing[],
    slot: number,
    domain: Smr | undefined,
    serial: number,
  ) {
    this.space = space
    this.names = names
    this.slot = slot
    this.domain = domain
    this.heap = names.find(
      ({ address, kind }) =>
        kind === Named.heap && space.memory.peek(address + HeapWords.zone) === serial,
    )
  }

  /** Gives the block back that the field at `at` names, of a record that was never published. */
  giveBack(at: number): void {
    const { memory } = this.space
    // Another worker may be finishing a step that clears it.
    const block = memory.peekRacy(at)
    if (block === 0) return
    const hands = this.handsFor(block)
    if (hands !== undefined) {
      hands.finish()
      if (memory.peek(at) === block) hands.giveBack(block, at)
      return
    }
    this.runs()?.release(block, undefined, at)
    memory.poke(at, 0)
  }

  /** Frees the block that the field at `at` names, of a record that was unlinked; then `word` is `value`. */
  free(at: number, word: number, value: number): void {
    const { memory } = this.space
    const block = memory.peek(at)
    const hands = block === 0 ? undefined : this.handsFor(block)
    if (hands !== undefined) {
      hands.finish()
      hands.free(block, word, value)
      return
    }
    if (block !== 0) this.runs()?.retire(block, undefined, at)
    memory.store(word, value)
  }

  /** What the worker had of the zone that a block lies in; undefined if it is a run. */
  private handsFor(block: number): DeadHands | undefined {
    const { names, space } = this
    const { maxWorkers, memory, pages } = space
    const slab = pages.find(block as Item, RunKind.slab)
    if (slab === 0) return undefined
    const keg = memory.peekRacy(slab + SlabWords.keg)
    const zone = names.find(
      ({ address, kind }) =>
        kind === Named.zone &&
        zoneParts(address, maxWorkers).keg === keg &&
        memory.peek(address + ZoneWords.heap) === this.heap?.serial,
    )
    if (zone === undefined) return undefined
    return new DeadHands(space, zone.address, zone.name, this.domain, this.slot)
  }

  private runs(): Runs | undefined {
    const { domain, heap, space } = this
    return heap && new Runs(space, heap.address, heap.name, domain)
  }
}
