/**
 * A hash table that all workers share: lookups take no lock, writers lock a stripe.
 *
 *   current array        0      1      2      3            records of a zone with smr
 *                      [ . ]  [ . ]  [ 0 ]  [ . ]
 *                        |      |             |
 *                      rec -> rec           rec -> rec -> 0
 *
 * A lookup opens a read section, walks one chain with atomic loads, compares the whole key, and
 * reads the record in place. A record never changes once a reader can find it: an update links a
 * new one in the old one's place with one store and frees the old one through `zfreeSmr`. So a
 * reader sees one whole version of a record, and its memory is not reused during the section.
 *
 * Two workers can write at the same time unless their keys are in one stripe. A writer allocates
 * and fills its record, and makes room to free the one it may replace, before it takes the lock; it
 * frees after. Under the lock there are only a walk and one or two stores, each of which leaves the
 * chain whole; see stripes.ts.
 *
 * A table grows by itself, one stripe at a time: a new array of chains is built while readers go on in
 * the old one; see chains.ts and resize.ts.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse, noFunction, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { ENDLESS as IMPORTED_ENDLESS } from '../memory/compound.ts'
import type { Memory } from '../memory/memory.ts'
import { KEYS_AT_ONCE } from '../memory/units.ts'
import type { Fields, Key, KeyNames, Schema, ValueOf, Values } from '../record/record.ts'
import { timeoutOf, type WaitOptions } from '../space/wait.ts'
import type { Blocks } from './blocks.ts'
import type { Chains } from './chains.ts'
import { destroyTable } from './destroy.ts'
import { Hold } from './hold.ts'
import { Near } from './near.ts'
import {
  bitsFor,
  createTable,
  type Opening,
  openOrCreateTable,
  openTable,
  type TableOptions,
} from './open.ts'
import type { TableParts } from './parts.ts'
import { Race } from './race.ts'
import { resizeTable } from './resize.ts'
import { chainsOf, type TableStats, tableStats } from './stats.ts'
import type { Stripes } from './stripes.ts'
import { indexOfKey, TableVerbs } from './verbs.ts'
import { inside, walk } from './walk.ts'
import { explained, GONE, Writer } from './writer.ts'

/** A constant of this module costs nothing; an imported one is looked up each time. */
const ENDLESS = IMPORTED_ENDLESS

/** A handle of a table, for one worker: `create` it in one worker, `open` it in the others. */
export class HashTable<
  F extends Fields = Fields,
  N extends KeyNames<F> = KeyNames<F>,
> extends TableVerbs<F, N> {
  /** @internal */
  readonly parts: TableParts
  private readonly memory: Memory
  private readonly chains: Chains
  private readonly stripes: Stripes
  private readonly key: Key<ValueOf<F[N]>>
  /** @internal */
  protected readonly writer: Writer<F, ValueOf<F[N]>>
  /** @internal */
  protected readonly owned: Blocks
  // Copies of fields of `chains` and `key`, for lookups.
  private readonly chainsAt: number
  private readonly shift: number
  private readonly behind: number
  private readonly isWord: boolean
  /** Words of this worker's own, for `findMany`; 0 where keys are text, compared one by one. */
  private readonly manyAt: number
  /** Whether `has` can use `memory.lookUpHash`, section and walk in one. */
  private readonly isQuick: boolean
  /** The near copies of this worker, if it wants some. */
  private readonly near: Near<F, ValueOf<F[N]>> | undefined

  private constructor(
    parts: TableParts,
    schema: Schema<F>,
    key: Key<ValueOf<F[N]>>,
    keyName: N,
    near: number,
  ) {
    const { arena, name, smr, zone } = parts
    super({ arena, name, schema, smr, zone }, keyName)
    this.owned = parts.blocks
    this.parts = parts
    this.memory = parts.arena.memory
    this.chains = parts.chains
    this.stripes = parts.stripes
    this.key = key
    this.writer = new Writer(parts, schema, key, indexOfKey(schema, keyName))
    this.chainsAt = parts.chains.first
    this.shift = parts.chains.shift
    this.behind = parts.chains.behind
    this.isWord = key.isWord
    this.near = near === 0 ? undefined : new Near(parts, schema, near)
    this.manyAt = key.type === 'utf8' ? 0 : arena.space.manyAt
    this.isQuick = key.isWord && !parts.smr.turning
  }

  /**
   * Makes a table. `capacity` is the number of records for which a chain has about one record; with more
   * it grows by itself, up to `limit` or the end of the arena. The zone's knobs (`bucket`,
   * `limit`, `reserve`, hooks ...) may be given too. Misuse if the name is taken; Exhausted when
   * there is no memory for the chains, 4 bytes each. One worker at a time makes a table: blocks
   * while another does; legal inside a section. If one dies in it, the domain that it made stays,
   * for the next table of that name.
   */
  static create<const F extends Fields, const N extends KeyNames<F>>(
    arena: Arena,
    name: string,
    options: TableOptions<F, N>,
  ): HashTable<F, N> {
    const { parts, key, near } = createTable(arena, name, options)
    return new HashTable(parts, options.record, key, options.key, near)
  }

  /**
   * `open` if the table exists, else `create`: of several workers that do so at the same time one
   * creates it. Misuse if it exists and was made with other options; `capacity` is not compared, since a
   * table grows. Else as `create`, and legal inside a section as that.
   */
  static openOrCreate<const F extends Fields, const N extends KeyNames<F>>(
    arena: Arena,
    name: string,
    options: TableOptions<F, N>,
  ): HashTable<F, N> {
    const { parts, key, near } = openOrCreateTable(arena, name, options)
    return new HashTable(parts, options.record, key, options.key, near)
  }

  /**
   * Opens a table that exists. Misuse if it does not, or with another record or key. Blocks on the
   * lock of the directory only; legal inside a section.
   */
  static open<const F extends Fields, const N extends KeyNames<F>>(
    arena: Arena,
    name: string,
    options: Opening<F, N>,
  ): HashTable<F, N> {
    const { parts, key, near } = openTable(arena, name, options)
    return new HashTable(parts, options.record, key, options.key, near)
  }

  // ---- readers -----------------------------------------------------------------------------

  /**
   * A copy of the record with this key, consistent as one version of it, and of each atomic field the
   * number that it holds now; undefined if there is none, as for text that is too long for the field. Takes no lock, never blocks, legal inside a
   * section. Misuse for a key of another type. With the option `near` it is a near copy where there is one,
   * frozen and the same object as long as the record is the same; each access to a field of bytes makes a
   * copy of those.
   */
  get(key: ValueOf<F[N]>): Values<F> | undefined {
    if (this.near !== undefined) return this.getNear(this.near, key)
    const aim = this.key.aim('table.get', key)
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const item = this.seek(aim, key)
      return item === 0 ? undefined : this.schema.read(this.arena, item)
    } finally {
      if (!nested) smr.exit()
    }
  }

  /**
   * Runs `fn` on the record in place, inside the section, and returns what it returns; undefined
   * if there is none. The item is not valid after `fn` has returned. Misuse if `fn` returns a
   * promise. Otherwise as `get`.
   */
  read<T>(key: ValueOf<F[N]>, fn: (item: Item) => T): T | undefined {
    if (typeof fn !== 'function') throw noFunction('table.read', fn)
    const aim = this.key.aim('table.read', key)
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const item = this.seek(aim, key)
      return item === 0 ? undefined : smr.rejectPromise(fn(item))
    } finally {
      if (!nested) smr.exit()
    }
  }

  /**
   * Whether there is a record with this key. As `get`. Misuse for a key of another type; never blocks, legal
   * inside a section.
   */
  override has(key: ValueOf<F[N]>): boolean {
    const aim = this.key.aim('table.has', key)
    const { smr } = this
    if (this.isQuick && smr.mayEnter) {
      const { wrAt, seqAt } = smr
      const chainsAt = this.chainsAt + (aim >>> this.shift)
      try {
        const node = this.memory.lookUpHash(wrAt, seqAt, chainsAt, this.behind, aim)
        // Not FAR and not ENDLESS.
        if (node >>> 0 < ENDLESS) return node !== 0
      } catch (error) {
        throw this.trapped(error, key)
      }
    } else if (smr.covered || smr.entered) return this.seek(aim, key) !== 0
    return this.hasSlowly(aim, key)
  }

  /**
   * The record with this key, 0 if there is none. Only inside a section, and valid only there.
   * Misuse outside one and for a key of another type. Never blocks.
   */
  find(key: ValueOf<F[N]>): Item {
    this.smr.assertEntered()
    return this.seek(this.key.aim('table.find', key), key)
  }

  /**
   * Records in the table; possibly a moment old. Two loads per stripe. Misuse when this worker has
   * left. Never blocks; legal inside a section.
   */
  get size(): number {
    this.arena.space.assertOpen('table.size')
    return this.stripes.total()
  }

  /**
   * Addresses of all records, and of those that are held, for `zone.audit`. Exact only while nobody writes. Misuse when this
   * worker has left. Never blocks; legal inside a section, and useful only there or while nobody
   * frees.
   */
  items(): Item[] {
    const linked = inside(this.parts, () => [...walk(this.parts, (item) => item)])
    const { holds } = this.parts
    return holds === undefined ? linked : [...new Set([...linked, ...holds.held()])]
  }

  /**
   * Holds the record with this key: it stays as it is, and where it is, until `release`, across sections
   * and awaits, and also when it is replaced or deleted meanwhile; undefined if there is none. Only in
   * a table that was made with `holds`, else Misuse; Exhausted if this worker holds as many already, or
   * as `set`. What a worker holds ends when it detaches or is reaped. Blocks as `set`; Misuse inside a
   * section of the domain, and for a key of another type.
   */
  hold(key: ValueOf<F[N]>): Hold<F> | undefined {
    const call = 'table.hold'
    const { holds } = this.parts
    if (holds === undefined) {
      throw new Misuse(
        `${call}: table ${show(this.name)}: it was made without holds; create it with holds: 8, for example`,
        { table: this.name },
      )
    }
    for (const race = new Race(this, 'hold'); ; race.again()) {
      this.writer.begin('hold')
      this.check('hold', key)
      this.zone.makeRoom()
      const entry = holds.entry(call)
      const item = this.writer.hold(entry, () => this.locate(call, key))
      if (item === NULL_ITEM) return undefined
      if (item !== GONE) return new Hold(this, this.writer, entry, item as Item)
    }
  }

  // ---- writers -----------------------------------------------------------------------------

  /**
   * Resizes the table for `capacity` records, at once; a table that is crowded grows by itself, but only
   * this makes it smaller. Readers go on meanwhile; a writer waits while the records of its stripe move.
   * Blocks until readers have left the arrays of the last resize, at most `timeoutMs` (default as for
   * `smr.wait`). Exhausted after that, or when there is no memory for the new arrays; stripes that have
   * moved stay so. Misuse inside a section.
   */
  resize(capacity: number, options?: WaitOptions): void {
    this.writer.begin('resize')
    const bits = bitsFor('table.resize', capacity, this.stripes.bits)
    resizeTable(this.parts, bits, options)
  }

  /**
   * Ends the table: all records are freed, its memory goes back to the arena, and its name can be used
   * again. All workers must have stopped using it; handles that are left throw Misuse or find nothing.
   * The domain ends with it if it was made with it and nobody else uses it. Blocks until readers have
   * left, at most `timeoutMs` (default as for `zone.destroy`), then Exhausted; the table then still
   * exists, empty. Misuse inside a section, if records are held, and if another worker puts records
   * meanwhile.
   */
  destroy(options?: WaitOptions): void {
    this.writer.begin('destroy')
    timeoutOf('table.destroy', options)
    this.arena.space.assertSleepable('table.destroy')
    if (this.zone.isAlive()) {
      this.assertNotHeld()
      this.clear()
    }
    destroyTable(this.parts, options)
    this.arena.space.tables.delete(this.name)
  }

  /**
   * Numbers: records, chains, the zone and the domain. Misuse when this worker has left. Never
   * blocks on readers; legal inside a section.
   */
  stats(): TableStats {
    return tableStats(this.parts, this.size, this.near)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('HashTable', this.name, () => {
      const { smr, stripes, zone } = this.parts
      if (!this.arena.space.isOpen || !zone.isAlive() || !smr.isAlive()) return undefined
      return { size: stripes.total(), chains: chainsOf(this.parts) }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  // ---- inside ------------------------------------------------------------------------------

  /** In a section: the record with the key that was given to `key.aim`. */
  private seek(aim: number, key: ValueOf<F[N]>): Item {
    try {
      const { memory } = this
      const node = memory.findHash(this.chainsAt + (aim >>> this.shift), this.behind, aim)
      // No other key of one word has this hash. ENDLESS is the address of no record, so no key is there.
      if (this.isWord && node !== ENDLESS) return node as Item
      if (node === 0 || this.key.hits(memory, node, key)) return node as Item
      return this.search(key)
    } catch (error) {
      throw explained(this.parts, error, this.key.hash(key))
    }
  }

  /** @internal */
  protected override check(verb: string, key: ValueOf<F[N]>): void {
    this.key.check(`table.${verb}`, key)
  }

  /** @internal */
  protected override locate(call: string, key: ValueOf<F[N]>): Item {
    return this.seek(this.key.aim(call, key), key)
  }

  /** @internal */
  protected override locateMany(
    call: string,
    keys: readonly ValueOf<F[N]>[],
    count: number,
    items: Item[],
  ): void {
    const { isWord, key, manyAt, memory } = this
    if (manyAt === 0) {
      super.locateMany(call, keys, count, items)
      return
    }
    this.findMany(call, keys, count)
    for (let i = 0; i < count; i++) {
      const node = memory.peek(manyAt + KEYS_AT_ONCE + i)
      const each = keys[i] as ValueOf<F[N]>
      const isIt = isWord ? node !== ENDLESS : node === 0 || key.hits(memory, node, each)
      items[i] = isIt ? (node as Item) : this.locate(call, each)
    }
  }

  /** @internal */
  protected override areThere(
    call: string,
    keys: readonly ValueOf<F[N]>[],
    count: number,
    answers: boolean[],
    from: number,
  ): void {
    const { isWord, manyAt, memory } = this
    if (!isWord) {
      const items: Item[] = []
      this.locateMany(call, keys, count, items)
      for (let i = 0; i < count; i++) answers[from + i] = items[i] !== NULL_ITEM
      return
    }
    this.findMany(call, keys, count)
    for (let i = 0; i < count; i++) {
      let node = memory.peek(manyAt + KEYS_AT_ONCE + i)
      if (node === ENDLESS) node = this.locate(call, keys[i] as ValueOf<F[N]>)
      answers[from + i] = node !== 0
    }
  }

  /**
   * In a section: puts the nodes of these keys into words of our own, behind their hashes. One call for
   * all: none of its walks waits for what another loads. (A text would have to be compared with what
   * `aim` keeps, and that is the last one only.)
   */
  private findMany(call: string, keys: readonly ValueOf<F[N]>[], count: number): void {
    const { key, manyAt, memory } = this
    for (let i = 0; i < count; i++) {
      memory.poke(manyAt + i, key.aim(call, keys[i] as ValueOf<F[N]>))
    }
    try {
      memory.findMany(manyAt, count, this.chainsAt, this.shift, this.behind)
    } catch (error) {
      // One of them has met damage: one by one, that says what it is.
      for (let i = 0; i < count; i++) this.locate(call, keys[i] as ValueOf<F[N]>)
      throw error
    }
  }

  /** @internal */
  protected override versionOf(item: Item): number {
    return this.chains.versionOf(item)
  }

  /** @internal */
  protected override each<T>(read: (item: Item) => T): Generator<T, void, undefined> {
    return walk(this.parts, read)
  }

  /** `get` where this worker has near copies. */
  private getNear(near: Near<F, ValueOf<F[N]>>, key: ValueOf<F[N]>): Values<F> | undefined {
    const copy = near.find(key)
    return copy === undefined ? this.getAgain(near, key) : copy.record
  }

  /** There is no copy that is current: looks the record up, and keeps one. */
  private getAgain(near: Near<F, ValueOf<F[N]>>, key: ValueOf<F[N]>): Values<F> | undefined {
    const aim = this.key.aim('table.get', key)
    const { smr } = this
    const nested = smr.entered
    if (!nested) smr.enterInCall()
    try {
      const seen = near.sight(aim)
      return near.keep(key, aim, seen, this.seek(aim, key))
    } finally {
      if (!nested) smr.exit()
    }
  }

  private assertNotHeld(): void {
    this.writer.sweepHolds()
    const held = this.parts.holds?.held().length ?? 0
    if (held === 0) return
    throw new Misuse(
      `table.destroy: table ${show(this.name)}: ${held} records are held; release them first`,
      { table: this.name, held },
    )
  }

  private hasSlowly(aim: number, key: ValueOf<F[N]>): boolean {
    const { smr } = this
    smr.enterInCall()
    try {
      return this.seek(aim, key) !== 0
    } finally {
      smr.exit()
    }
  }

  /** The whole walk: another key of the same hash comes first, or the chain is damaged. */
  private search(key: ValueOf<F[N]>): Item {
    const { chains, memory } = this
    const hash = this.key.hash(key)
    const now = chains.current(chains.stripeOf(hash))
    const link = chains.linkOffset(now)
    let steps = 0
    let mark = 0
    for (let node = memory.load(chains.headFor(now, hash)); node !== 0; ) {
      if (node === mark || !chains.holds(node)) throw chains.broken(now, hash, node)
      if (chains.hashOf(node) === hash && this.key.equals(memory, node, key)) return node as Item
      steps++
      if ((steps & (steps - 1)) === 0) mark = node
      node = memory.load(node + link)
    }
    return NULL_ITEM
  }

  /** `explained` for `lookUpHash`, whose section is still open. */
  private trapped(error: unknown, key: ValueOf<F[N]>): unknown {
    this.memory.store(this.smr.seqAt, 0)
    return explained(this.parts, error, this.key.hash(key))
  }
}

/**
 * The type of a table of records of schema `S`, keyed by its field `N`: `TableOf<typeof City,
 * 'id'>`.
 */
export type TableOf<S extends { readonly fields: unknown }, N extends string> =
  S extends Schema<infer F> ? (N extends KeyNames<F> ? HashTable<F, N> : never) : never
