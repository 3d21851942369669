/**
 * The blocks that the records of a table own: values of fields without a maximum, in a heap of the
 * table's name and domain.
 *
 *   place      blocks for a record that nobody sees yet, filled, and their addresses in it
 *   freeOf     the blocks of a record that was unlinked, before the record itself
 *   giveBack   those of a record that did not come into the table: nobody has seen them
 *
 * A writer that an exception cuts off leaves in its hands what is still to do (zone/hands.ts):
 * `placed` is how many fields of the record that it has made have their blocks, `owes` how many of those
 * of the replaced record are still to be freed. Both are set right beside the store they belong to, with
 * no call in between. The writer sets them itself when it links or unlinks a record.
 *
 * A record that is unlinked keeps the addresses of its blocks, and its readers read them: it is freed
 * after them, and in the same domain. Two cases for a reader that has found the record: it entered
 * before the unlink, then it holds the goals of both back; or later, then it has not found it. Otherwise
 * (blocks freed before the unlink, or at once) it could read what another has written there.
 *
 * A worker that dies loses none: its hands name the record, and that its blocks.
 */

import type { Arena } from '../arena/arena.ts'
import type { Item } from '../base/brands.ts'
import { Exhausted, Misuse } from '../base/errors.ts'
import { report } from '../base/host.ts'
import type { Heap } from '../heap/heap.ts'
import type { Memory } from '../memory/memory.ts'
import type { Schema } from '../record/record.ts'
import {
  blockAt,
  fillBlock,
  lengthOf,
  setBlock,
  type Taken,
  type UnboundedField,
} from '../record/unbounded.ts'
import type { Hands } from '../zone/hands.ts'
import type { Zone } from '../zone/zone.ts'

export class Blocks {
  /** How many fields without a maximum a record has. */
  readonly count: number
  private readonly hands: Hands
  private readonly memory: Memory
  /** None where records have no such fields. */
  readonly heap: Heap | undefined
  private readonly fields: readonly UnboundedField[]

  constructor(
    memory: Memory,
    heap: Heap | undefined,
    fields: readonly UnboundedField[],
    hands: Hands,
  ) {
    this.memory = memory
    this.heap = heap
    this.fields = fields
    this.hands = hands
    this.count = fields.length
  }

  /** Blocks for these values, in the record at `item`. Throws Exhausted; the writer then recovers. */
  place(item: number, values: readonly unknown[]): void {
    const { fields, hands, heap, memory } = this
    if (heap === undefined) return
    // All fields are empty now.
    hands.owns = 1
    memory.poke(hands.handAt, item | hands.owns)
    for (let i = 0; i < fields.length; i++) {
      const { index, offset } = fields[i] as UnboundedField
      const value = values[index] as Taken
      const length = lengthOf(value)
      const block = length === 0 ? 0 : heap.allocSmrInto(length, item + offset)
      hands.placed.held = i + 1
      if (block === 0) continue
      fillBlock(memory, block, value, length)
      setBlock(memory, item + offset, block, length)
    }
  }

  /** Frees the blocks of a record that was unlinked, as far as they are owed. */
  freeOf(record: number): void {
    const { hands, heap, memory } = this
    const { owes } = hands
    if (heap === undefined) return
    while (owes.held > 0) {
      const block = this.next(record)
      if (block === 0) owes.held--
      else this.free(heap, block as Item)
      // After each: the next may go into the same bucket.
      memory.poke(hands.owesAt, owes.held)
    }
  }

  /** `freeOf`, when an exception has ended that. */
  freeAgain(record: number): void {
    const { hands, heap, memory } = this
    const { owes } = hands
    if (heap === undefined) return
    while (owes.held > 0) {
      const block = this.next(record)
      if (block === 0) owes.held--
      else heap.freeSmrAgain(owes, block as Item)
      memory.poke(hands.owesAt, owes.held)
    }
  }

  /** Gives back what was made for the record at `item`. */
  giveBack(item: number): void {
    const { count, fields, hands, heap, memory } = this
    const { placed } = hands
    if (heap === undefined) return
    for (;;) {
      // What a field beyond names has gone back, or was never had.
      if (placed.held < count) memory.poke(item + offsetOf(fields, placed.held), 0)
      if (placed.held === 0) return
      const at = item + offsetOf(fields, placed.held - 1)
      const block = memory.peek(at)
      if (block === 0) placed.held--
      else heap.giveBackFrom(placed, block as Item, at)
    }
  }

  /** Addresses of the blocks of a record. In a section, or while nobody writes. */
  of(record: number): Item[] {
    return this.fields
      .map(({ offset }) => blockAt(this.memory, record + offset) as Item)
      .filter((block) => block !== 0)
  }

  /** A block that somebody else has freed is not freed twice: the host is told. */
  private free(heap: Heap, block: Item): void {
    const { owes } = this.hands
    try {
      heap.freeSmrFrom(owes, block)
    } catch (error) {
      if (!(error instanceof Misuse) || 'worker' in error.facts) throw error
      owes.held--
      report(error)
    }
  }

  private next(record: number): number {
    return blockAt(this.memory, record + offsetOf(this.fields, this.hands.owes.held - 1))
  }
}

function offsetOf(fields: readonly UnboundedField[], i: number): number {
  return (fields[i] as UnboundedField).offset
}

/**
 * The blocks of a table whose zone is `zone`: with a heap of its name, if a record has fields without a
 * maximum. `isNew`: the table is being made, and so is the heap.
 */
export function blocksFor(
  call: string,
  arena: Arena,
  name: string,
  schema: Pick<Schema, 'unbounded'>,
  zone: Zone,
  isNew: boolean,
): Blocks {
  const { unbounded } = schema
  const { hands } = zone.parts
  if (unbounded.length === 0) return new Blocks(arena.memory, undefined, unbounded, hands)
  const { serial } = zone
  const options = zone.parts.domain === undefined ? {} : { smr: zone.parts.domain }
  const heap = arena.openHeap(call, name, options, isNew ? { makeFor: serial } : { of: serial })
  return new Blocks(arena.memory, heap, unbounded, hands)
}

/** Whether what a write has taken out cannot be freed now: the next write does it. */
export function isLater(error: unknown): boolean {
  return error instanceof Exhausted
}
