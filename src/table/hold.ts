/**
 * A hold: a record that stays as it is until it is released, across sections and awaits.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import type { Fields, Schema, Values } from '../record/record.ts'

/** What a hold needs of its table. */
export interface Holder<F extends Fields> {
  readonly arena: Arena
  readonly name: string
  readonly schema: Schema<F>
}

/** How a table lets go of a record. */
export interface Releaser {
  /** Clears `held.item` when the record is let go of. */
  letGo(entry: number, held: { item: Item }): void
}

/** A record that this worker holds. Get it with `table.hold(key)`. */
export class Hold<F extends Fields = Fields> {
  private readonly table: Holder<F>
  private readonly releaser: Releaser
  private readonly entry: number
  private readonly held: { item: Item }

  /** @internal */
  constructor(table: Holder<F>, releaser: Releaser, entry: number, item: Item) {
    this.table = table
    this.releaser = releaser
    this.entry = entry
    this.held = { item }
  }

  /** Whether it was not released yet. Never throws, never blocks; legal anywhere, in a section too. */
  get isHeld(): boolean {
    return this.held.item !== NULL_ITEM
  }

  /**
   * The record, where it lies: valid outside of sections, until it is released. Misuse after that, and
   * when this worker has left. Never blocks; legal in a section.
   */
  get item(): Item {
    return this.checked('item')
  }

  /**
   * A copy of the record as it was when it was held; of an atomic field the number that it holds now, or
   * held last. Misuse when it was released, or this worker has left. Never blocks; legal in a section.
   */
  get(): Values<F> {
    return this.table.schema.read(this.table.arena, this.checked('get'))
  }

  /**
   * Lets go: the record must not be used any more. If it is not in the table any more and nobody else
   * holds it, it is freed. A second time does nothing. Blocks and throws as `table.delete`, and is held
   * still when it throws, or the next write frees it; Misuse in a section of the table's domain.
   */
  release(): void {
    if (this.isHeld) this.releaser.letGo(this.entry, this.held)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Hold', this.table.name, () =>
      this.isHeld && this.table.arena.space.isOpen ? { item: this.held.item } : undefined,
    )
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  private checked(verb: string): Item {
    const { arena, name } = this.table
    arena.space.assertOpen(`hold.${verb}`)
    const { item } = this.held
    if (item !== NULL_ITEM) return item
    throw new Misuse(`hold.${verb}: table ${show(name)}: it was released; hold the record again`, {
      table: name,
    })
  }
}
