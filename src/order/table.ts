/**
 * An ordered table that all workers share: lookups take no lock, of one key and of the nearest key.
 *
 *   root -> node of 17 slots -> node -> record        see trie.ts
 *
 * It has the verbs of a hash table, and those that need an order. A lookup opens a read section, goes
 * down one path of a trie with atomic loads, compares the whole key, and reads the record in place. A
 * record never changes once a reader can find it, as in a hash table. Writers take one lock for the
 * whole table; under it there are only a walk and a few stores, of which one is the write; see
 * writer.ts.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { integer, Misuse, noFunction, onlyOptions, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import type { Fields, Schema, ValueOf, Values } from '../record/record.ts'
import { timeoutOf, type WaitOptions } from '../space/wait.ts'
import type { Blocks } from '../table/blocks.ts'
import { indexOfKey, TableVerbs } from '../table/verbs.ts'
import { inside } from '../table/walk.ts'
import type { Zone } from '../zone/zone.ts'
import { destroyOrdered } from './destroy.ts'
import type { OrderKey, OrderKeyNames } from './key.ts'
import {
  createOrdered,
  type OrderedTableOptions,
  openOrCreateOrdered,
  openOrdered,
} from './open.ts'
import type { OrderParts } from './parts.ts'
import { type OrderedTableStats, orderedStats } from './stats.ts'
import { TORN, type Trie } from './trie.ts'
import { readRange, type Span, walkRange } from './walk.ts'
import { OrderWriter } from './writer.ts'

/** Which records `range` has. */
export interface RangeOptions<V> {
  /** The least key, included. Default: the first there is. */
  readonly from?: V
  /** The greatest key, included. Default: the last there is. */
  readonly to?: V
  /** From `to` down to `from`. Default false. */
  readonly reverse?: boolean
  /** Most records. Default: all. */
  readonly limit?: number
}

/** A handle of an ordered table, for one worker: `create` it in one worker, `open` it in the others. */
export class OrderedTable<
  F extends Fields = Fields,
  N extends OrderKeyNames<F> = OrderKeyNames<F>,
> extends TableVerbs<F, N> {
  /** The zone that holds the nodes of its tree. */
  readonly nodes: Zone
  /** @internal */
  readonly parts: OrderParts
  /** @internal */
  protected readonly writer: OrderWriter<F, ValueOf<F[N]>>
  /** @internal */
  protected readonly owned: Blocks
  private readonly trie: Trie
  private readonly key: OrderKey<ValueOf<F[N]>>
  private readonly keyOf: (item: Item) => ValueOf<F[N]>

  private constructor(
    parts: OrderParts,
    schema: Schema<F>,
    key: OrderKey<ValueOf<F[N]>>,
    keyName: N,
  ) {
    const { arena, name, smr, zone } = parts
    super({ arena, name, schema, smr, zone }, keyName)
    this.owned = parts.blocks
    this.parts = parts
    this.nodes = parts.nodes
    this.trie = parts.trie
    this.key = key
    this.writer = new OrderWriter(parts, schema, key, indexOfKey(schema, keyName))
    const get = schema.get[keyName] as (arena: Arena, item: Item) => ValueOf<F[N]>
    this.keyOf = (item) => get(arena, item)
  }

  /**
   * Makes a table, ordered by the field `key`: u32, i32, i64, utf8 or bytes, of at most 16,383 bytes.
   * Text is in the order of its code points. The knobs of a zone (`bucket`, `limit`, `reserve`, hooks
   * ...) are those of its records; nodes have a zone of their own, `NAME nodes`, with the same knobs but
   * `limit`, `reserve` and hooks. Misuse if the name is taken, or has more than 58 bytes; Exhausted when
   * there is no memory for it. One worker at a time makes a table: blocks while another does; legal
   * inside a section.
   */
  static create<const F extends Fields, const N extends OrderKeyNames<F>>(
    arena: Arena,
    name: string,
    options: OrderedTableOptions<F, N>,
  ): OrderedTable<F, N> {
    const { parts, key } = createOrdered(arena, name, options)
    return new OrderedTable(parts, options.record, key, options.key)
  }

  /**
   * `open` if the table exists, else `create`: of several workers that do so at the same time one
   * creates it. Misuse if it exists and was made with other options; `capacity` is not compared. Else
   * as `create`, and legal inside a section as that.
   */
  static openOrCreate<const F extends Fields, const N extends OrderKeyNames<F>>(
    arena: Arena,
    name: string,
    options: OrderedTableOptions<F, N>,
  ): OrderedTable<F, N> {
    const { parts, key } = openOrCreateOrdered(arena, name, options)
    return new OrderedTable(parts, options.record, key, options.key)
  }

  /**
   * Opens a table that exists. Misuse if it does not, or with another record or key. Blocks on the
   * lock of the directory only; legal inside a section.
   */
  static open<const F extends Fields, const N extends OrderKeyNames<F>>(
    arena: Arena,
    name: string,
    options: Pick<OrderedTableOptions<F, N>, 'record' | 'key' | 'ctor' | 'dtor' | 'init' | 'fini'>,
  ): OrderedTable<F, N> {
    const { parts, key } = openOrdered(arena, name, options)
    return new OrderedTable(parts, options.record, key, options.key)
  }

  // ---- one key -----------------------------------------------------------------------------

  /**
   * A copy of the record with this key, consistent as one version of it; undefined if there is none, as
   * for text or bytes that are too long for the field. Takes no lock, never blocks, legal inside a
   * section. Misuse for a key of another type.
   */
  get(key: ValueOf<F[N]>): Values<F> | undefined {
    this.key.aim('table.get', key)
    return this.copy(() => this.seek())
  }

  /**
   * Runs `fn` on the record in place, inside the section, and returns what it returns; undefined if
   * there is none. The item is not valid after `fn` has returned. Misuse if `fn` returns a promise.
   * Otherwise as `get`.
   */
  read<T>(key: ValueOf<F[N]>, fn: (item: Item) => T): T | undefined {
    if (typeof fn !== 'function') throw noFunction('table.read', fn)
    this.key.aim('table.read', key)
    return this.visit(() => this.seek(), fn)
  }

  /**
   * Whether there is a record with this key. As `get`. Misuse for a key of another type; never blocks,
   * legal inside a section.
   */
  override has(key: ValueOf<F[N]>): boolean {
    this.key.aim('table.has', key)
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      return this.seek() !== NULL_ITEM
    } finally {
      if (!nested) smr.exit()
    }
  }

  /**
   * The record with this key, 0 if there is none. Only inside a section, and valid only there. Misuse
   * outside one and for a key of another type. Never blocks.
   */
  find(key: ValueOf<F[N]>): Item {
    this.smr.assertEntered()
    return this.locate('table.find', key)
  }

  // ---- the nearest key ---------------------------------------------------------------------

  /**
   * A copy of the record with the least key; undefined if the table is empty. At one moment of the call
   * it was that. Takes no lock, unless keys come and go all the time: after 8 tries it blocks on the
   * table's lock, as long as a write does, and then throws Exhausted. Legal inside a section. Misuse when
   * this worker has left.
   */
  first(): Values<F> | undefined {
    return this.copy(() => this.seekEdge(true))
  }

  /** `first` for the greatest key. Misuse, Exhausted, blocking and sections as there. */
  last(): Values<F> | undefined {
    return this.copy(() => this.seekEdge(false))
  }

  /**
   * A copy of the record with the greatest key that is not greater than this one; undefined if there is
   * none. A key that is too long for the field has its place in the order. Misuse for a key of another
   * type. Exhausted, blocking and sections as `first`.
   */
  floor(key: ValueOf<F[N]>): Values<F> | undefined {
    this.key.aim('table.floor', key)
    return this.copyNear(false, false)
  }

  /** The record with the least key that is not less than this one. Misuse, blocking, sections as `floor`. */
  ceiling(key: ValueOf<F[N]>): Values<F> | undefined {
    this.key.aim('table.ceiling', key)
    return this.copyNear(true, false)
  }

  /** The record with the greatest key that is less than this one. Misuse, blocking, sections as `floor`. */
  lower(key: ValueOf<F[N]>): Values<F> | undefined {
    this.key.aim('table.lower', key)
    return this.copyNear(false, true)
  }

  /** The record with the least key that is greater than this one. Misuse, blocking, sections as `floor`. */
  higher(key: ValueOf<F[N]>): Values<F> | undefined {
    this.key.aim('table.higher', key)
    return this.copyNear(true, true)
  }

  /**
   * `floor` in place: runs `fn` on the record inside the section, as `read` does, and returns what it
   * returns; undefined if there is none. Copies nothing. Misuse if `fn` returns a promise. Otherwise as
   * `floor`, also inside a section.
   */
  floorRead<T>(key: ValueOf<F[N]>, fn: (item: Item) => T): T | undefined {
    if (typeof fn !== 'function') throw noFunction('table.floorRead', fn)
    this.key.aim('table.floorRead', key)
    return this.readNear(false, fn)
  }

  /** `ceiling` in place, as `floorRead`. Misuse, blocking and sections as there. */
  ceilingRead<T>(key: ValueOf<F[N]>, fn: (item: Item) => T): T | undefined {
    if (typeof fn !== 'function') throw noFunction('table.ceilingRead', fn)
    this.key.aim('table.ceilingRead', key)
    return this.readNear(true, fn)
  }

  // ---- ranges ------------------------------------------------------------------------------

  /**
   * Copies of the records with keys from `from` to `to`, both included, in order; with `reverse` from
   * `to` down to `from`. Others may write meanwhile: a record that is there all the time is seen exactly
   * once; one that comes or goes may be seen or not. Between two steps of the iteration no section is
   * open, except the caller's own. Misuse for keys of another type and unknown options, and when this
   * worker has left. Never blocks, but as `first` does if keys come and go all the time; legal inside a
   * section, which must then stay open until the last step.
   */
  range(options: RangeOptions<ValueOf<F[N]>> = {}): Generator<Values<F>, void, undefined> {
    const span = this.spanOf('range', options)
    return walkRange(this.parts, span, this.keyOf, (item) => this.schema.read(this.arena, item))
  }

  /**
   * `range` in place: runs `fn` on each record inside a section, as `read` does, and copies nothing. A
   * section has up to 64 records. Misuse if `fn` returns a promise. Otherwise as `range`; legal inside
   * a section.
   */
  rangeRead(options: RangeOptions<ValueOf<F[N]>>, fn: (item: Item) => void): void {
    if (typeof fn !== 'function') throw noFunction('table.rangeRead', fn)
    const span = this.spanOf('rangeRead', options)
    readRange(this.parts, span, this.keyOf, (item) => {
      this.smr.rejectPromise(fn(item))
    })
  }

  // ---- the whole table ---------------------------------------------------------------------

  /**
   * Records in the table; possibly a moment old. Misuse when this worker has left. Never blocks; legal
   * inside a section.
   */
  get size(): number {
    this.arena.space.assertOpen('table.size')
    return this.parts.guard.total()
  }

  /**
   * Addresses of all records, for `zone.audit`. Exact only while nobody writes. Misuse when this
   * worker has left. Never blocks; legal inside a section, and useful only there or while nobody
   * frees.
   */
  items(): Item[] {
    return inside(this, () => [...this.each((item) => item)])
  }

  /**
   * Ends the table: all records are freed, its memory goes back to the arena, and its name can be used
   * again. All workers must have stopped using it; handles that are left throw Misuse or find nothing.
   * The domain ends with it if it was made with it and nobody else uses it. Blocks until readers have
   * left, at most `timeoutMs` (default as for `zone.destroy`), then Exhausted; the table is then empty,
   * and `destroy` can be called again. Misuse inside a section, and if another worker puts records
   * meanwhile.
   */
  destroy(options?: WaitOptions): void {
    this.writer.begin('destroy')
    timeoutOf('table.destroy', options)
    this.arena.space.assertSleepable('table.destroy')
    if (this.zone.isAlive()) this.clear()
    destroyOrdered(this.parts, options)
    this.arena.space.tables.delete(this.name)
  }

  /**
   * Numbers: records, the zones of records and nodes, the domain. Misuse when this worker has left.
   * Never blocks on readers; legal inside a section.
   */
  stats(): OrderedTableStats {
    return orderedStats(this.parts, this.size)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('OrderedTable', this.name, () => {
      const { guard, smr, zone } = this.parts
      if (!this.arena.space.isOpen || !zone.isAlive() || !smr.isAlive()) return undefined
      return { size: guard.total() }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  // ---- inside ------------------------------------------------------------------------------

  protected override check(verb: string, key: ValueOf<F[N]>): void {
    this.key.aim(`table.${verb}`, key)
  }

  protected override locate(call: string, key: ValueOf<F[N]>): Item {
    this.key.aim(call, key)
    return this.seek()
  }

  protected override versionOf(item: Item): number {
    return this.writer.versionOf(item)
  }

  protected override isSame(one: ValueOf<F[N]>, other: ValueOf<F[N]>): boolean {
    return this.key.same(one, other)
  }

  protected override each<T>(read: (item: Item) => T): Generator<T, void, undefined> {
    return walkRange(this.parts, WHOLE, this.keyOf, read)
  }

  /** In a section: the record with the key aimed at. */
  private seek(): Item {
    try {
      return this.trie.find() as Item
    } catch (error) {
      throw this.trie.explain(error)
    }
  }

  /** In a section: the nearest record. */
  private seekNear(up: boolean, beyond: boolean): Item {
    const { guard } = this.parts
    const { trie } = this
    try {
      const isWord = !up && this.key.word >= 0
      const item = isWord ? trie.floor(beyond) : trie.nearest(up, beyond)
      if (item !== TORN) return item as Item
      return guard.whileLocked(() => trie.whole(trie.near(up, beyond))) as Item
    } catch (error) {
      throw trie.explain(error)
    }
  }

  /** In a section: the first or last record. */
  private seekEdge(up: boolean): Item {
    const { guard } = this.parts
    const { trie } = this
    try {
      const item = trie.outermost(up)
      if (item !== TORN) return item as Item
      return guard.whileLocked(() => trie.outer(up)) as Item
    } catch (error) {
      throw trie.explain(error)
    }
  }

  /** A copy of the nearest record. */
  private copyNear(up: boolean, beyond: boolean): Values<F> | undefined {
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const item = this.seekNear(up, beyond)
      return item === NULL_ITEM ? undefined : this.schema.read(this.arena, item)
    } finally {
      if (!nested) smr.exit()
    }
  }

  /** Runs `fn` on the nearest record. */
  private readNear<T>(up: boolean, fn: (item: Item) => T): T | undefined {
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const item = this.seekNear(up, false)
      return item === NULL_ITEM ? undefined : smr.rejectPromise(fn(item))
    } finally {
      if (!nested) smr.exit()
    }
  }

  /** A copy of the record that `seek` finds, in a section. */
  private copy(seek: () => Item): Values<F> | undefined {
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const item = seek()
      return item === NULL_ITEM ? undefined : this.schema.read(this.arena, item)
    } finally {
      if (!nested) smr.exit()
    }
  }

  /** Runs `fn` on the record that `seek` finds, in a section. */
  private visit<T>(seek: () => Item, fn: (item: Item) => T): T | undefined {
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const item = seek()
      return item === NULL_ITEM ? undefined : smr.rejectPromise(fn(item))
    } finally {
      if (!nested) smr.exit()
    }
  }

  private spanOf(verb: string, options: RangeOptions<ValueOf<F[N]>>): Span<ValueOf<F[N]>> {
    const call = `table.${verb}`
    onlyOptions(call, options, ['from', 'to', 'reverse', 'limit'])
    const { from, limit, reverse = false, to } = options
    for (const key of [from, to]) if (key !== undefined) this.key.aim(call, key)
    if (typeof reverse !== 'boolean') {
      throw new Misuse(`${call}: reverse is ${show(reverse)}; give true or false`)
    }
    const most = limit === undefined ? MOST : integer(call, 'limit', limit, 0, MOST)
    return { from, to, reverse, limit: most }
  }
}

const MOST = Number.MAX_SAFE_INTEGER
const WHOLE = { from: undefined, to: undefined, reverse: false, limit: MOST }

/**
 * The type of an ordered table of records of schema `S`, keyed by its field `N`:
 * `OrderedTableOf<typeof Range, 'start'>`.
 */
export type OrderedTableOf<S extends { readonly fields: unknown }, N extends string> =
  S extends Schema<infer F> ? (N extends OrderKeyNames<F> ? OrderedTable<F, N> : never) : never
