/**
 * The verbs that all tables share, over the few that each kind of table has of its own.
 *
 *   locate      finds the record of a key, in a section
 *   writer      puts and takes one record, if the one that is there has an expected version
 *   each        walks over all records
 *
 * A verb that reads and writes - `update`, `replace`, `getOrInsert`, `deleteIf` - reads a record and
 * its version in a section, runs the user's function outside of every lock, and writes only if the
 * version is still the same. Two cases: it is, then nobody has written this key in between, and
 * reading and writing are one step; or it is not, then nothing has changed, and the verb begins again.
 * Otherwise (a write that did not ask) the change of another worker would be lost. How often it may
 * begin again is bounded: see `Race`.
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
import type { Fields, KeyNames, Schema, ValueOf, Values } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import type { Zone } from '../zone/zone.ts'
import { Race } from './race.ts'
import { ABSENT, ANY, MOST_VERSIONS } from './version.ts'
import { inside } from './walk.ts'

/** How a kind of table writes one record. */
export interface RecordWriter<V> {
  /** Misuse unless this worker may write now. */
  begin(verb: string): void
  /**
   * Puts a record of these values, if the one of its key has the version `expected`. False when it has
   * not: then nothing has changed, as when it throws.
   */
  put(values: readonly unknown[], expected: number): boolean
  /** Takes the record of this key out, if its version is `expected`. Whether it was there. */
  take(key: V, expected: number): boolean
}

/** A copy of a record, and which version of it. */
interface Seen<R> {
  readonly record: R | undefined
  readonly version: number
}

const NOTHING = { record: undefined, version: ABSENT }

/** What a table is made of, whatever its kind. */
export interface Basis<F extends Fields> {
  readonly arena: Arena
  readonly name: string
  readonly smr: Smr
  readonly zone: Zone
  readonly schema: Schema<F>
}

/** A handle of a table, for one worker. */
export abstract class TableVerbs<F extends Fields, N extends KeyNames<F>> {
  /** The name that it was created with. */
  readonly name: string
  /** Its type of record. */
  readonly schema: Schema<F>
  /** The domain whose sections protect lookups. */
  readonly smr: Smr
  /** The zone that holds the records. */
  readonly zone: Zone
  /** @internal */
  readonly arena: Arena
  private readonly keyName: N
  /** Which of the values of a record is the key. */
  private readonly keyIndex: number

  /** @internal */
  constructor({ arena, name, schema, smr, zone }: Basis<F>, keyName: N) {
    this.arena = arena
    this.name = name
    this.schema = schema
    this.smr = smr
    this.zone = zone
    this.keyName = keyName
    this.keyIndex = indexOfKey(schema, keyName)
  }

  // ---- what each kind of table has of its own ----------------------------------------------

  /** Whether there is a record with this key. */
  abstract has(key: ValueOf<F[N]>): boolean
  /** Misuse unless the key is of the type of its field. @internal */
  protected abstract check(verb: string, key: ValueOf<F[N]>): void
  /** In a section: the record with this key, 0 if there is none; Misuse as from `check`. @internal */
  protected abstract locate(verb: string, key: ValueOf<F[N]>): Item
  /** In a section: the version of the record at `item`. @internal */
  protected abstract versionOf(item: Item): number
  /** What `read` returns for each record; as `entries`. @internal */
  protected abstract each<T>(read: (item: Item) => T): Generator<T, void, undefined>
  /** @internal */
  protected abstract readonly writer: RecordWriter<ValueOf<F[N]>>

  // ---- all records -------------------------------------------------------------------------

  /**
   * Copies of all records, in the order of the table: that of their hashes in a `HashTable`. Others may
   * write meanwhile: a record that is there all the time is seen exactly once, also while the table
   * grows; one that comes or goes may be seen or not. Between two steps of the iteration no section is
   * open, except the caller's own. Misuse when this worker has left. Never blocks; legal inside a
   * section, which must then stay open until the last step.
   */
  entries(): Generator<Values<F>, void, undefined> {
    return this.each((item) => this.schema.read(this.arena, item))
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
    const keyOf = this.schema.get[this.keyName] as (arena: Arena, item: Item) => ValueOf<F[N]>
    return this.each((item) => keyOf(this.arena, item))
  }

  /** Calls `fn` with a copy of each record, outside of sections but the caller's own. As `entries`. */
  forEach(fn: (record: Values<F>) => void): void {
    if (typeof fn !== 'function') throw noFunction('table.forEach', fn)
    for (const record of this.entries()) fn(record)
  }

  // ---- one record --------------------------------------------------------------------------

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
    for (const race = new Race(this, 'replace'); ; race.again()) {
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
    for (const race = new Race(this, 'update'); ; race.again()) {
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
    for (const race = new Race(this, 'getOrInsert'); ; race.again()) {
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
   * gives it another; they repeat after 2^31 writes. As `get`: Misuse for a key of another type, never blocks, legal
   * inside a section.
   */
  version(key: ValueOf<F[N]>): number {
    return inside(this, () => {
      const item = this.locate('version', key)
      return item === NULL_ITEM ? ABSENT : this.versionOf(item)
    })
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
   * Misuse for a key of another type, and inside a section of the domain.
   */
  delete(key: ValueOf<F[N]>): boolean {
    this.writer.begin('delete')
    this.check('delete', key)
    return this.writer.take(key, ANY)
  }

  /**
   * `delete`, if `fn` says so of the record in place. It runs in a section, as in `read`, and again if
   * another worker has written this key meanwhile. Returns whether a record was removed: only the one
   * that `fn` has seen. Blocks and throws as `update`; Misuse inside a section.
   */
  deleteIf(key: ValueOf<F[N]>, fn: (item: Item) => boolean): boolean {
    if (typeof fn !== 'function') throw noFunction('table.deleteIf', fn)
    for (const race = new Race(this, 'deleteIf'); ; race.again()) {
      this.writer.begin('deleteIf')
      const version = this.smr.read(() => {
        const item = this.locate('deleteIf', key)
        const isWanted = item !== NULL_ITEM && this.smr.rejectPromise(fn(item))
        return isWanted ? this.versionOf(item) : ABSENT
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

  // ---- inside ------------------------------------------------------------------------------

  /** A copy of the record with this key, and its version. Outside of sections. */
  private look(verb: string, key: ValueOf<F[N]>): Seen<Values<F>> {
    const { smr } = this
    smr.enterInCall()
    try {
      const item = this.locate(verb, key)
      if (item === NULL_ITEM) return NOTHING
      return { record: this.schema.read(this.arena, item), version: this.versionOf(item) }
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
}

/** Which of the values of a record is the key. */
export function indexOfKey(schema: Pick<Schema, 'fields'>, keyName: PropertyKey): number {
  return schema.fields.findIndex((place) => place.name === keyName)
}
