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
 * `resize` builds a new array while readers go on in the old one; see chains.ts.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Corruption, Misuse, noFunction, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { ENDLESS as IMPORTED_ENDLESS } from '../memory/compound.ts'
import type { Memory } from '../memory/memory.ts'
import type { Fields, Key, KeyNames, Schema, ValueOf, Values } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import { isTimeOut } from '../space/lock.ts'
import type { WaitOptions } from '../space/wait.ts'
import type { Zone } from '../zone/zone.ts'
import { type Chains, sizeOf } from './chains.ts'
import { bitsFor, createTable, openTable, type TableOptions } from './open.ts'
import type { TableParts } from './parts.ts'
import { resizeTable } from './resize.ts'
import { type TableStats, tableStats } from './stats.ts'
import type { Stripes } from './stripes.ts'

/** The most chains that an iteration visits, and keys that `getMany` reads, in one section. */
const CHAINS_PER_SECTION = 64
const KEYS_PER_SECTION = 64
const CIRCLE = 2 ** 32
/** A constant of this module costs nothing; an imported one is looked up each time. */
const ENDLESS = IMPORTED_ENDLESS

/** A handle of a table, for one worker: `create` it in one worker, `open` it in the others. */
export class HashTable<F extends Fields = Fields, N extends KeyNames<F> = KeyNames<F>> {
  /** The name that it was created with. */
  readonly name: string
  /** Its type of record. */
  readonly schema: Schema<F>
  /** The domain whose sections protect lookups. */
  readonly smr: Smr
  /** The zone that holds the records. */
  readonly zone: Zone
  /** @internal */
  readonly parts: TableParts
  private readonly arena: Arena
  private readonly memory: Memory
  private readonly chains: Chains
  private readonly stripes: Stripes
  private readonly key: Key<ValueOf<F[N]>>
  /** Which of the values of a record is the key. */
  private readonly keyIndex: number
  // Copies of fields of `chains` and `key`, for lookups.
  private readonly chainsAt: number
  private readonly behind: number
  private readonly isWord: boolean
  /** Whether `has` can use `memory.lookUpWord`, section and walk in one. */
  private readonly isQuick: boolean
  /**
   * The item that a write has made and not yet linked, and the record that it has unlinked and not
   * yet freed. Each is set right after the store it belongs to, with no call in between where an
   * exception could come. So a write that was cut off, even without its `finally`, leaves here what
   * is still to do, and the next write does it.
   */
  private made: Item = NULL_ITEM
  private replaced: Item = NULL_ITEM

  private constructor(parts: TableParts, schema: Schema<F>, key: Key<ValueOf<F[N]>>, keyName: N) {
    this.parts = parts
    this.name = parts.name
    this.schema = schema
    this.smr = parts.smr
    this.zone = parts.zone
    this.arena = parts.arena
    this.memory = parts.arena.memory
    this.chains = parts.chains
    this.stripes = parts.stripes
    this.key = key
    this.keyIndex = schema.fields.findIndex((place) => place.name === keyName)
    this.chainsAt = parts.chains.wordAt
    this.behind = parts.chains.behind
    this.isWord = key.isWord
    this.isQuick = key.isWord && !parts.smr.turning
  }

  /**
   * Makes a table. `capacity` is the number of records for which a chain has about one record; more
   * fit, in longer chains, up to `limit` or the end of the arena. The zone's knobs (`bucket`,
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
    const { parts, key } = createTable(arena, name, options)
    return new HashTable(parts, options.record, key, options.key)
  }

  /**
   * Opens a table that exists. Misuse if it does not, or with another record or key. Blocks on the
   * lock of the directory only; legal inside a section.
   */
  static open<const F extends Fields, const N extends KeyNames<F>>(
    arena: Arena,
    name: string,
    options: Pick<TableOptions<F, N>, 'record' | 'key' | 'ctor' | 'dtor' | 'init' | 'fini'>,
  ): HashTable<F, N> {
    const { parts, key } = openTable(arena, name, options)
    return new HashTable(parts, options.record, key, options.key)
  }

  // ---- readers -----------------------------------------------------------------------------

  /**
   * A copy of the record with this key, consistent as one version of it; undefined if there is
   * none. Takes no lock, never blocks, legal inside a section. Misuse for a key that the field
   * cannot hold.
   */
  get(key: ValueOf<F[N]>): Values<F> | undefined {
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
   * `get` for each of these keys, in their order; many keys share one section, which is cheaper.
   * Each record is consistent by itself; between two of them others may write. Misuse for a key
   * that the field cannot hold. Otherwise as `get`.
   */
  getMany(keys: readonly ValueOf<F[N]>[]): (Values<F> | undefined)[] {
    const { smr } = this
    if (!Array.isArray(keys)) {
      throw new Misuse(`table.getMany: keys are ${show(keys)}; give an array`, { table: this.name })
    }
    const records = new Array<Values<F> | undefined>(keys.length)
    const nested = smr.entered
    // A section even for no key: it throws when the arena is closed.
    for (let from = 0; from === 0 || from < keys.length; from += KEYS_PER_SECTION) {
      if (!nested) smr.enterInCall()
      try {
        this.copy(keys, records, from, Math.min(from + KEYS_PER_SECTION, keys.length))
      } finally {
        if (!nested) smr.exit()
      }
    }
    return records
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
   * Whether there is a record with this key. As `get`. Misuse for a key that the field cannot hold;
   * never blocks, legal inside a section.
   */
  has(key: ValueOf<F[N]>): boolean {
    const aim = this.key.aim('table.has', key)
    const { smr } = this
    if (this.isQuick && smr.mayEnter) {
      const { wrAt, seqAt } = smr
      try {
        const node = this.memory.lookUpWord(wrAt, seqAt, this.chainsAt, this.behind, aim)
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
   * Misuse outside one and for a key that the field cannot hold. Never blocks.
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
   * Copies of all records, in the order of their hashes. Others may write meanwhile: a record that
   * is there all the time is seen exactly once, also across a resize; one that comes or goes may be
   * seen or not. Between two steps of the iteration no section is open, except the caller's own.
   * Misuse when this worker has left. Never blocks; legal inside a section, which must then stay
   * open until the last step.
   */
  *entries(): Generator<Values<F>, void, undefined> {
    for (let from = 0; from < CIRCLE; ) {
      const batch: Values<F>[] = []
      from = this.inside(() =>
        this.visit(from, (item) => batch.push(this.schema.read(this.arena, item))),
      )
      yield* batch
    }
  }

  /**
   * Addresses of all records, for `zone.audit`. Exact only while nobody writes. Misuse when this
   * worker has left. Never blocks; legal inside a section, and useful only there or while nobody
   * frees.
   */
  items(): Item[] {
    const all: Item[] = []
    this.inside(() => {
      for (let from = 0; from < CIRCLE; ) from = this.visit(from, (item) => all.push(item))
    })
    return all
  }

  // ---- writers -----------------------------------------------------------------------------

  /**
   * Puts a record; replaces the one with the same key. Blocks on the lock of its stripe and, only
   * when there is no memory for a bucket of freed records, until readers leave; for 30 s at most.
   * Misuse for a record that does not fit the schema, before memory is taken for it, and inside a
   * section of the table's domain; Exhausted when there is no memory for it. If a lock of the zone
   * cannot be had to free the replaced record, the next write frees it. When `set` throws, nothing
   * has changed: what the record refers to is still the caller's, because the destructor runs only
   * for records that were in the table. The constructor runs when memory is taken, before the
   * fields are written, and is not undone.
   */
  set(object: Readonly<Values<F>>): this {
    this.assertWritable('set')
    const values = this.schema.take('table.set', object)
    const key = values[this.keyIndex] as ValueOf<F[N]>
    const item = this.obtain()
    try {
      this.link(item, values, key)
    } catch (error) {
      const isIn = this.made !== item
      this.recoverAfter(isIn)
      if (!isIn) throw this.explained(error, key)
    }
    return this
  }

  /**
   * Removes the record with this key. Returns whether there was one. Blocks and throws as `set`.
   * Misuse for a key that the field cannot hold, and inside a section of the domain.
   */
  delete(key: ValueOf<F[N]>): boolean {
    this.assertWritable('delete')
    this.key.check('table.delete', key)
    this.zone.makeRoom()
    try {
      return this.unlink(key)
    } catch (error) {
      const isOut = this.replaced !== 0
      this.recoverAfter(isOut)
      if (!isOut) throw this.explained(error, key)
      return true
    }
  }

  /**
   * Resizes the table for `capacity` records. Readers go on meanwhile, writers wait. Blocks until
   * readers have left the array of the last resize, at most `timeoutMs` (default as for
   * `smr.wait`). Exhausted after that, or when there is no memory for the new array; nothing has
   * changed. Misuse inside a section.
   */
  resize(capacity: number, options?: WaitOptions): void {
    this.assertWritable('resize')
    const bits = bitsFor('table.resize', capacity, this.stripes.bits)
    resizeTable(this.parts, bits, options)
  }

  /**
   * Numbers: records, chains, the zone and the domain. Misuse when this worker has left. Never
   * blocks on readers; legal inside a section.
   */
  stats(): TableStats {
    return tableStats(this.parts, this.size)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('HashTable', this.name, () => {
      const { chains, smr, stripes, zone } = this.parts
      if (!this.arena.space.isOpen || !zone.isAlive() || !smr.isAlive()) return undefined
      return { size: stripes.total(), chains: sizeOf(chains.current()) }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  // ---- inside ------------------------------------------------------------------------------

  /** Runs `fn` in the caller's section if one is open, else in its own. */
  private inside<T>(fn: () => T): T {
    return this.smr.entered ? this.smr.within(fn) : this.smr.read(fn)
  }

  /** In a section: the record with the key that was given to `key.aim`. */
  private seek(aim: number, key: ValueOf<F[N]>): Item {
    try {
      const { behind, chainsAt, memory } = this
      if (this.isWord) {
        const node = memory.findWord(chainsAt, behind, aim)
        if (node !== ENDLESS) return node as Item
      } else {
        const node = memory.findHash(chainsAt, behind, aim)
        // ENDLESS is the address of no record, so no key is there.
        if (node === 0 || this.key.hits(memory, node, key)) return node as Item
      }
      return this.search(key)
    } catch (error) {
      throw this.explained(error, key)
    }
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

  /** In a section: `get` for keys `from` to `end`. */
  private copy(
    keys: readonly ValueOf<F[N]>[],
    into: (Values<F> | undefined)[],
    from: number,
    end: number,
  ): void {
    const { arena, key, schema } = this
    for (let i = from; i < end; i++) {
      const each = keys[i] as ValueOf<F[N]>
      const item = this.seek(key.aim('table.getMany', each), each)
      into[i] = item === 0 ? undefined : schema.read(arena, item)
    }
  }

  /** The whole walk: another key of the same hash comes first, or the chain is damaged. */
  private search(key: ValueOf<F[N]>): Item {
    const { chains, memory } = this
    const hash = this.key.hash(key)
    const now = chains.current()
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

  /**
   * Address of the pointer to the record with this key, or of the null that ends its chain.
   * The stripe is locked.
   */
  private place(now: number, hash: number, key: ValueOf<F[N]>): number {
    const { chains, memory } = this
    const link = chains.linkOffset(now)
    let at = chains.headFor(now, hash)
    let steps = 0
    let mark = 0
    for (let node = memory.load(at); node !== 0; node = memory.load(at)) {
      // See chains.ts: a walk must not go on in a damaged chain.
      if (node === mark || !chains.holds(node)) throw chains.broken(now, hash, node)
      if (chains.hashOf(node) === hash && this.key.equals(memory, node, key)) return at
      steps++
      if ((steps & (steps - 1)) === 0) mark = node
      at = node + link
    }
    return at
  }

  /** In a section: calls `fn` for some records from hash `from` on; returns the next hash. */
  private visit(from: number, fn: (item: Item) => void): number {
    const now = this.chains.current()
    const span = CIRCLE / sizeOf(now)
    const first = Math.floor(from / span)
    const end = Math.min(first + CHAINS_PER_SECTION, sizeOf(now))
    for (const node of this.chains.nodes(now, first, end)) {
      if (this.chains.hashOf(node) >>> 0 >= from) fn(node as Item)
    }
    return end * span
  }

  /**
   * Allocates a record, and makes room to free the one that it may replace. In this order, because
   * an allocation may retire the free bucket; after this nothing takes the room away.
   */
  private obtain(): Item {
    const { zone } = this
    const item = zone.zallocSmr()
    this.made = item
    let ready = false
    try {
      zone.makeRoom()
      ready = true
    } finally {
      if (!ready) this.recover()
    }
    if (this.made === item) return item
    throw new Misuse(
      `table.set: table ${show(this.name)}: a hook of its zone has written to the table meanwhile; a hook may use other zones, not its own`,
      { table: this.name },
    )
  }

  /** Fills the item and links it into the table. Runs no code of the user. */
  private link(item: Item, values: readonly unknown[], key: ValueOf<F[N]>): void {
    const { chains, memory, stripes } = this
    const hash = this.key.hash(key)
    this.schema.store(memory, item, values)
    chains.setHash(item, hash)
    const stripe = stripes.lockFor(hash)
    let whole = false
    try {
      const now = chains.current()
      const link = chains.linkOffset(now)
      const at = this.place(now, hash, key)
      const old = memory.load(at)
      const head = chains.headFor(now, hash)
      // Publication. Two cases: a reader loads the new pointer, then it sees the fields and the
      // link; or the old one, then it sees the old record. Otherwise (a plain store) a reader could
      // find a record that is not yet filled.
      memory.poke(item + link, memory.load(old === 0 ? head : old + link))
      memory.store(old === 0 ? head : at, item)
      this.made = NULL_ITEM
      this.replaced = old as Item
      if (old === 0) stripes.count(stripe, 1)
      whole = true
    } finally {
      stripes.release(stripe, whole)
    }
    this.freeReplaced()
  }

  /**
   * Unlinks the record with this key and frees it. Returns whether there was one. Runs no code of
   * the user.
   */
  private unlink(key: ValueOf<F[N]>): boolean {
    const { chains, memory, stripes } = this
    const hash = this.key.hash(key)
    const stripe = stripes.lockFor(hash)
    let old = 0
    let whole = false
    try {
      const now = chains.current()
      const link = chains.linkOffset(now)
      const at = this.place(now, hash, key)
      old = memory.load(at)
      if (old !== 0) {
        // The record keeps its own link: a reader at it can go on.
        memory.store(at, memory.load(old + link))
        this.replaced = old as Item
        stripes.count(stripe, -1)
      }
      whole = true
    } finally {
      stripes.release(stripe, whole)
    }
    this.freeReplaced()
    return old !== 0
  }

  private freeReplaced(): void {
    if (this.replaced === NULL_ITEM) return
    this.zone.zfreeSmr(this.replaced)
    this.replaced = NULL_ITEM
  }

  /**
   * `recover` after an exception in a write. If the write has `happened`, it does not fail because
   * the replaced record cannot be freed now: the next write frees it.
   */
  private recoverAfter(happened: boolean): void {
    try {
      this.recover()
    } catch (error) {
      if (!happened || !isTimeOut(error)) throw error
    }
  }

  /** Finishes what an exception has interrupted, in this call or an earlier one: see `made`. */
  private recover(): void {
    const { made, replaced, zone } = this
    if (made !== NULL_ITEM) {
      const held = zone.holdRaw(made)
      this.made = NULL_ITEM
      zone.giveHeldBack(held)
    }
    if (replaced === NULL_ITEM) return
    zone.makeRoom()
    if (this.replaced !== replaced) return // A hook has called, and that call did it.
    zone.zfreeSmrAgain(replaced)
    this.replaced = NULL_ITEM
  }

  /** The error to throw for `error`, which may be due to damage in the chain of this key. */
  private explained(error: unknown, key: ValueOf<F[N]>): unknown {
    if (!isTrap(error)) return error
    return this.inside(() => this.chains.explain(error, this.key.hash(key)))
  }

  /** `explained` for `lookUpWord`, whose section is still open. */
  private trapped(error: unknown, key: ValueOf<F[N]>): unknown {
    this.memory.store(this.smr.seqAt, 0)
    return this.explained(error, key)
  }

  private assertWritable(verb: string): void {
    const { space } = this.arena
    if (space.isOpen && !this.smr.inside) {
      if (this.made !== NULL_ITEM || this.replaced !== NULL_ITEM) this.recover()
      return
    }
    space.assertOpen(`table.${verb}`)
    throw new Misuse(
      `table.${verb}: table ${show(this.name)}: a section of domain ${show(this.smr.name)} is open; exit first`,
      { table: this.name, domain: this.smr.name },
    )
  }
}

/** Whether an address outside memory may have caused this error, in the engine or in memory.ts. */
function isTrap(error: unknown): boolean {
  if (error instanceof Corruption) return !('table' in error.facts)
  return error instanceof RangeError || (error instanceof Error && error.name === 'RuntimeError')
}

/**
 * The type of a table of records of schema `S`, keyed by its field `N`: `TableOf<typeof City,
 * 'id'>`.
 */
export type TableOf<S extends { readonly fields: unknown }, N extends string> =
  S extends Schema<infer F> ? (N extends KeyNames<F> ? HashTable<F, N> : never) : never
