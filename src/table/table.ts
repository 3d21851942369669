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
import {
  assertObject,
  Exhausted,
  integer,
  Misuse,
  noFunction,
  onlyOptions,
  show,
} from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { ENDLESS as IMPORTED_ENDLESS } from '../memory/compound.ts'
import type { Memory } from '../memory/memory.ts'
import type { Fields, Key, KeyNames, Schema, ValueOf, Values } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import type { WaitOptions } from '../space/wait.ts'
import type { Zone } from '../zone/zone.ts'
import { type Chains, sizeOf } from './chains.ts'
import { bitsFor, createTable, openTable, type TableOptions } from './open.ts'
import type { TableParts } from './parts.ts'
import { resizeTable } from './resize.ts'
import { type TableStats, tableStats } from './stats.ts'
import { MOST_VERSIONS, type Stripes } from './stripes.ts'
import { inside, walk } from './walk.ts'
import { ABSENT, ANY, explained, Race, Writer } from './writer.ts'

/** The most keys that `getMany` reads in one section. */
const KEYS_PER_SECTION = 64
/** A constant of this module costs nothing; an imported one is looked up each time. */
const ENDLESS = IMPORTED_ENDLESS

/** A copy of a record, and which version of it. */
interface Seen<R> {
  readonly record: R | undefined
  readonly version: number
}

const NOTHING = { record: undefined, version: ABSENT }

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
  private readonly writer: Writer<F, ValueOf<F[N]>>
  // Copies of fields of `chains` and `key`, for lookups.
  private readonly chainsAt: number
  private readonly behind: number
  private readonly isWord: boolean
  /** Whether `has` can use `memory.lookUpWord`, section and walk in one. */
  private readonly isQuick: boolean

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
    this.writer = new Writer(parts, schema, key, this.keyIndex)
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
  entries(): Generator<Values<F>, void, undefined> {
    return walk(this.parts, (item) => this.schema.read(this.arena, item))
  }

  /** `entries`. Misuse when this worker has left. Never blocks; legal inside a section, as there. */
  values(): Generator<Values<F>, void, undefined> {
    return this.entries()
  }

  /** `entries`: a table is iterable. Misuse when this worker has left. Never blocks; as there. */
  [Symbol.iterator](): Generator<Values<F>, void, undefined> {
    return this.entries()
  }

  /** The keys of `entries`, without the rest. Misuse, blocking and sections as there. */
  keys(): Generator<ValueOf<F[N]>, void, undefined> {
    const name = this.schema.fields[this.keyIndex]?.name as N
    const keyOf = this.schema.get[name] as (arena: Arena, item: Item) => ValueOf<F[N]>
    return walk(this.parts, (item) => keyOf(this.arena, item))
  }

  /** Calls `fn` with a copy of each record, outside of sections but the caller's own. As `entries`. */
  forEach(fn: (record: Values<F>) => void): void {
    if (typeof fn !== 'function') throw noFunction('table.forEach', fn)
    for (const record of this.entries()) fn(record)
  }

  /**
   * Addresses of all records, for `zone.audit`. Exact only while nobody writes. Misuse when this
   * worker has left. Never blocks; legal inside a section, and useful only there or while nobody
   * frees.
   */
  items(): Item[] {
    return inside(this.parts, () => [...walk(this.parts, (item) => item)])
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
    this.writer.begin('set')
    this.writer.put(this.schema.take('table.set', object), ANY)
    return this
  }

  /**
   * `set` for each of these records, in their order. All are checked first: Misuse if one does not fit, and
   * nothing has changed. Exhausted says how many are `set`. Blocks as `set`; Misuse inside a
   * section.
   */
  setMany(records: readonly Readonly<Values<F>>[]): this {
    this.writer.begin('setMany')
    if (!Array.isArray(records)) {
      throw new Misuse(`table.setMany: records are ${show(records)}; give an array`, {
        table: this.name,
      })
    }
    const all = records.map((each: Readonly<Values<F>>) => this.schema.take('table.setMany', each))
    for (const [i, values] of all.entries()) {
      try {
        this.writer.put(values, ANY)
      } catch (error) {
        if (!(error instanceof Exhausted)) throw error
        const { message, facts } = error
        throw new Exhausted(`${message}; of ${all.length} records ${i} are set`, {
          ...facts,
          set: i,
        })
      }
    }
    return this
  }

  /**
   * Puts a record if there is none with its key. False, and nothing has changed, if there is. Blocks
   * and throws as `set`; Misuse inside a section.
   */
  insert(object: Readonly<Values<F>>): boolean {
    this.writer.begin('insert')
    const values = this.schema.take('table.insert', object)
    return !this.has(this.keyIn(values)) && this.writer.put(values, ABSENT)
  }

  /**
   * `set`, and a copy of the record that was there before; undefined if there was none. Blocks and
   * throws as `set`, and as `update` when others write this key all the time; Misuse inside a section.
   */
  replace(object: Readonly<Values<F>>): Values<F> | undefined {
    this.writer.begin('replace')
    const values = this.schema.take('table.replace', object)
    for (const race = new Race(this.parts, 'replace'); ; race.again()) {
      const { record, version } = this.look('replace', this.keyIn(values))
      if (this.writer.put(values, version)) return record
    }
  }

  /**
   * Changes one record as one step: `fn` is given a copy, or undefined if there is none, and returns the
   * record to put in its place; undefined deletes it. Returns what `fn` returned. If another worker has
   * written this key meanwhile, `fn` is called again with what is there now: so it may run more than
   * once, and should do nothing else. It runs outside of every lock and section. Misuse if it returns a
   * record of another key. Blocks and throws as `set`; Exhausted, and nothing has changed, if others
   * were first for as long as a write waits for a lock. Misuse inside a section. What `fn` throws
   * surfaces, and nothing has changed.
   */
  update(
    key: ValueOf<F[N]>,
    fn: (old: Values<F> | undefined) => Readonly<Values<F>> | undefined,
  ): Readonly<Values<F>> | undefined {
    if (typeof fn !== 'function') throw noFunction('table.update', fn)
    for (const race = new Race(this.parts, 'update'); ; race.again()) {
      this.writer.begin('update')
      const { record, version } = this.look('update', key)
      const next = fn(record)
      this.writer.begin('update')
      if (next === undefined) {
        if (version === ABSENT || this.writer.take(key, version)) return undefined
      } else if (this.writer.put(this.valuesFor('update', next, key), version)) return next
    }
  }

  /**
   * The record with this key; if there is none, the one that `make` returns, which is put. `make` runs
   * only then, outside of every lock. If several workers make one at the same time, one of them is put
   * and all return that one. Blocks and throws as `update`; Misuse inside a section.
   */
  getOrInsert(key: ValueOf<F[N]>, make: () => Readonly<Values<F>>): Readonly<Values<F>> {
    if (typeof make !== 'function') throw noFunction('table.getOrInsert', make)
    for (const race = new Race(this.parts, 'getOrInsert'); ; race.again()) {
      this.writer.begin('getOrInsert')
      const { record } = this.look('getOrInsert', key)
      if (record !== undefined) return record
      const made = make()
      this.writer.begin('getOrInsert')
      if (this.writer.put(this.valuesFor('getOrInsert', made, key), ABSENT)) return made
    }
  }

  /**
   * The version of the record with this key, 1 to 2^31 - 1; 0 if there is none. Each write of a key
   * gives it another; they repeat after 2^31 writes. As `get`: Misuse for a key that the field cannot
   * hold, never blocks, legal inside a section.
   */
  version(key: ValueOf<F[N]>): number {
    const aim = this.key.aim('table.version', key)
    return inside(this.parts, () => this.chains.versionOf(this.seek(aim, key)))
  }

  /**
   * `set` if the record with its key still has this version; with 0, if there is none. False, and
   * nothing has changed, if not. Blocks and throws as `set`; Misuse inside a section.
   */
  trySet(object: Readonly<Values<F>>, options: { readonly ifVersion: number }): boolean {
    this.writer.begin('trySet')
    assertObject('table.trySet', options)
    onlyOptions('table.trySet', options, ['ifVersion'])
    const { ifVersion } = options
    integer('table.trySet', 'ifVersion', ifVersion, ABSENT, MOST_VERSIONS)
    return this.writer.put(this.schema.take('table.trySet', object), ifVersion)
  }

  /**
   * Removes the record with this key. Returns whether there was one. Blocks and throws as `set`.
   * Misuse for a key that the field cannot hold, and inside a section of the domain.
   */
  delete(key: ValueOf<F[N]>): boolean {
    this.writer.begin('delete')
    this.key.check('table.delete', key)
    return this.writer.take(key, ANY)
  }

  /**
   * `delete`, if `fn` says so of the record in place. It runs in a section, as in `read`, and again if
   * another worker has written this key meanwhile. Returns whether a record was removed: only the one
   * that `fn` has seen. Blocks and throws as `update`; Misuse inside a section.
   */
  deleteIf(key: ValueOf<F[N]>, fn: (item: Item) => boolean): boolean {
    if (typeof fn !== 'function') throw noFunction('table.deleteIf', fn)
    for (const race = new Race(this.parts, 'deleteIf'); ; race.again()) {
      this.writer.begin('deleteIf')
      const aim = this.key.aim('table.deleteIf', key)
      const version = this.smr.read(() => {
        const item = this.seek(aim, key)
        return item !== 0 && this.smr.rejectPromise(fn(item)) ? this.chains.versionOf(item) : ABSENT
      })
      if (version === ABSENT) return false
      if (this.writer.take(key, version)) return true
    }
  }

  /**
   * Removes every record that is there during the whole call; of those that others put meanwhile,
   * some. One `delete` each: blocks and throws as that, and then some are gone; Misuse inside a section.
   */
  clear(): void {
    this.writer.begin('clear')
    for (const key of this.keys()) this.writer.take(key, ANY)
  }

  /**
   * Resizes the table for `capacity` records. Readers go on meanwhile, writers wait. Blocks until
   * readers have left the array of the last resize, at most `timeoutMs` (default as for
   * `smr.wait`). Exhausted after that, or when there is no memory for the new array; nothing has
   * changed. Misuse inside a section.
   */
  resize(capacity: number, options?: WaitOptions): void {
    this.writer.begin('resize')
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
      throw explained(this.parts, error, this.key.hash(key))
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

  /** A copy of the record with this key, and its version. Outside of sections. */
  private look(verb: string, key: ValueOf<F[N]>): Seen<Values<F>> {
    const aim = this.key.aim(`table.${verb}`, key)
    const { smr } = this
    smr.enterInCall()
    try {
      const item = this.seek(aim, key)
      if (item === 0) return NOTHING
      return { record: this.schema.read(this.arena, item), version: this.chains.versionOf(item) }
    } finally {
      smr.exit()
    }
  }

  /** The values of a record that must have this key. */
  private valuesFor(
    verb: string,
    object: Readonly<Values<F>>,
    key: ValueOf<F[N]>,
  ): readonly unknown[] {
    const values = this.schema.take(`table.${verb}`, object)
    const other = this.keyIn(values)
    if (other === key) return values
    throw new Misuse(
      `table.${verb}: table ${show(this.name)}: the record for key ${show(key)} has key ${show(other)}`,
      { table: this.name },
    )
  }

  private keyIn(values: readonly unknown[]): ValueOf<F[N]> {
    return values[this.keyIndex] as ValueOf<F[N]>
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

  /** `explained` for `lookUpWord`, whose section is still open. */
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
