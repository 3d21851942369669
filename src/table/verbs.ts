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
 *
 * Additions to atomic fields change a record in place, and not its version; see seals.ts for them.
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
import { KEYS_AT_ONCE } from '../memory/units.ts'
import { type AtomicField, addAt, checkDelta, exchangeAt, SEAL } from '../record/atomic.ts'
import type { AtomicNames, Fields, Schema, ValueOf, Values } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import type { Counted } from '../space/space.ts'
import type { Zone } from '../zone/zone.ts'
import { atomicOf, checkHeld, waitForWriter } from './additions.ts'
import type { Blocks } from './blocks.ts'
import { Race } from './race.ts'
import { ABSENT, ANY, MOST_VERSIONS } from './version.ts'
import { inside } from './walk.ts'

/** In a section: puts what is to be said of the first `count` of these keys into `answers`, behind `from`. */
type Step<V, T> = (
  call: string,
  keys: readonly V[],
  count: number,
  answers: T[],
  from: number,
) => void

/** How a kind of table writes one record. */
export interface RecordWriter<V> {
  /** Misuse unless this worker may write now. */
  begin(verb: string): void
  /**
   * Puts a record of these values, if the one of its key has the version `expected`, and its atomic
   * fields hold what was `seen` in them. False when not: then nothing has changed, as when it throws.
   */
  put(values: readonly unknown[], expected: number, seen?: readonly number[]): boolean
  /** Takes the record of this key out, on the same conditions. Whether it was there. */
  take(key: V, expected: number, seen?: readonly number[]): boolean
  /** Seals the record of this key, and returns its version; ABSENT if there is none. See seals.ts. */
  claim(key: V): number
  /**
   * Changes an atomic field of the record of this key with the lock held, and returns the number before
   * as a signed word; undefined if there is no record.
   */
  change(key: V, field: AtomicField, next: (before: number) => number): number | undefined
}

/** A copy of a record, which version of it, and the numbers in its atomic fields, as signed words. */
interface Seen<R> {
  readonly record: R | undefined
  readonly version: number
  readonly numbers: readonly number[] | undefined
}

/** After so many lost races a verb asks additions to wait, for it may be those that it loses to. */
const MANY_LOST = 4

const NOTHING = { record: undefined, version: ABSENT, numbers: undefined }

/** What a table is made of, whatever its kind. */
export interface Basis<F extends Fields> {
  readonly arena: Arena
  readonly name: string
  readonly smr: Smr
  readonly zone: Zone
  readonly schema: Schema<F>
}

/** A handle of a table, for one worker. */
export abstract class TableVerbs<F extends Fields, N extends keyof F> {
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
    arena.space.remember(name, this)
  }

  // ---- what each kind of table has of its own ----------------------------------------------

  /** Counts: see the kind of table. */
  abstract stats(): ReturnType<Counted['stats']>
  /** Whether there is a record with this key. */
  abstract has(key: ValueOf<F[N]>): boolean
  /** Misuse unless the key is of the type of its field. @internal */
  protected abstract check(verb: string, key: ValueOf<F[N]>): void
  /** In a section: the record with this key, 0 if there is none; Misuse as from `check`. @internal */
  protected abstract locate(call: string, key: ValueOf<F[N]>): Item
  /** In a section: the version of the record at `item`. @internal */
  protected abstract versionOf(item: Item): number
  /** What `read` returns for each record; as `entries`. @internal */
  protected abstract each<T>(read: (item: Item) => T): Generator<T, void, undefined>
  /** Whether two values are the same key. @internal */
  protected isSame(one: ValueOf<F[N]>, other: ValueOf<F[N]>): boolean {
    return one === other
  }
  /** What its records own. @internal */
  protected abstract readonly owned: Blocks
  /** @internal */
  protected abstract readonly writer: RecordWriter<ValueOf<F[N]>>

  /**
   * In a section: `locate` for the first `count` of these keys, into `items`. Runs no code of the user.
   * @internal
   */
  protected locateMany(
    call: string,
    keys: readonly ValueOf<F[N]>[],
    count: number,
    items: Item[],
  ): void {
    for (let i = 0; i < count; i++) items[i] = this.locate(call, keys[i] as ValueOf<F[N]>)
  }

  /**
   * In a section: whether there are records with these keys, as a step of `hasMany`. Runs no code of the
   * user. @internal
   */
  protected areThere(
    call: string,
    keys: readonly ValueOf<F[N]>[],
    count: number,
    answers: boolean[],
    from: number,
  ): void {
    for (let i = 0; i < count; i++) {
      answers[from + i] = this.locate(call, keys[i] as ValueOf<F[N]>) !== NULL_ITEM
    }
  }

  // ---- many keys ---------------------------------------------------------------------------

  /**
   * `get` for each of these keys, in their order; many keys share one section, which is cheaper. Each
   * record is consistent by itself and was there at one moment of the call; between two of them others
   * may write, so together they are no picture of one moment. Takes no lock, never blocks, legal inside
   * a section. Misuse for a key of another type.
   */
  getMany(keys: readonly ValueOf<F[N]>[]): (Values<F> | undefined)[] {
    const { arena, schema } = this
    const copy = (item: Item) => (item === NULL_ITEM ? undefined : schema.read(arena, item))
    return this.many('getMany', keys, this.byItem(copy))
  }

  /**
   * `has` for each of these keys, in their order. Sections, moments and errors as in `getMany`: never
   * blocks, legal inside a section, Misuse for a key of another type.
   */
  hasMany(keys: readonly ValueOf<F[N]>[]): boolean[] {
    return this.many<boolean>('hasMany', keys, (...step) => this.areThere(...step))
  }

  /**
   * `read` for each of these keys, in their order: runs `fn` on each record in place, with the index of
   * its key, and returns what it returned; undefined where there is none. Up to 64 keys share a section,
   * and an item is valid only while `fn` runs. Misuse if `fn` returns a promise. Sections, moments and
   * the rest as in `getMany`: never blocks, legal inside a section.
   */
  readMany<T>(
    keys: readonly ValueOf<F[N]>[],
    fn: (item: Item, index: number) => T,
  ): (T | undefined)[] {
    if (typeof fn !== 'function') throw noFunction('table.readMany', fn)
    const { smr } = this
    const visit = (item: Item, index: number) =>
      item === NULL_ITEM ? undefined : smr.rejectPromise(fn(item, index))
    return this.many('readMany', keys, this.byItem(visit))
  }

  /** A step that finds the records first, and then calls `answer` for each. */
  private byItem<T>(answer: (item: Item, index: number) => T): Step<ValueOf<F[N]>, T> {
    const items: Item[] = []
    return (call, keys, count, answers, from) => {
      this.locateMany(call, keys, count, items)
      for (let i = 0; i < count; i++) answers[from + i] = answer(items[i] as Item, from + i)
    }
  }

  /**
   * What the steps put into the answers. Not all keys in one section: what is freed anywhere in the domain
   * meanwhile waits for its end, and one of 64 lookups is so long that entering costs nothing beside
   * them, and as short as a step of an iteration.
   */
  private many<T>(verb: string, keys: readonly ValueOf<F[N]>[], step: Step<ValueOf<F[N]>, T>): T[] {
    const call = `table.${verb}`
    if (!Array.isArray(keys)) {
      throw new Misuse(`${call}: keys are ${show(keys)}; give an array`, { table: this.name })
    }
    const { smr } = this
    const { length } = keys
    const answers = new Array<T>(length)
    // Private: to look at an array of the user may run code of his, and so may a step.
    const asked: ValueOf<F[N]>[] = []
    const nested = smr.entered
    // A section even for no key: it throws when the arena is closed.
    for (let from = 0; from === 0 || from < length; from += KEYS_AT_ONCE) {
      const count = Math.min(KEYS_AT_ONCE, length - from)
      for (let i = 0; i < count; i++) asked[i] = keys[from + i] as ValueOf<F[N]>
      if (!nested) smr.enterInCall()
      try {
        step(call, asked, count, answers, from)
      } finally {
        if (!nested) smr.exit()
      }
    }
    return answers
  }

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

  /**
   * Addresses of the blocks in which its fields without a maximum are, for `heap.audit` of the heap of
   * its name. Exact only while nobody writes. Misuse when this worker has left. Never blocks; legal
   * inside a section.
   */
  blocks(): Item[] {
    return [...this.each((item) => this.owned.of(item))].flat()
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
      const { record, version, numbers } = this.look('table.replace', this.keyIn(values), race)
      if (this.writer.put(values, version, numbers)) return record
    }
  }

  /**
   * Changes one record as one step: `fn` is given a copy, or undefined if there is none, and returns the
   * record to put in its place; undefined deletes it. Returns what `fn` returned. If another worker has
   * written this key meanwhile, `fn` is called again with what is there now: so it may run more than
   * once, and should do nothing else. It runs again, too, if somebody has added to an atomic field of the
   * record; after some runs additions wait for a moment. It runs outside of every lock and section. Misuse if it returns a
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
      const { record, version, numbers } = this.look('table.update', key, race)
      const next = fn(record)
      this.writer.begin('update')
      if (next === undefined) {
        if (version === ABSENT || this.writer.take(key, version, numbers)) return undefined
      } else if (this.writer.put(this.valuesFor('update', next, key), version, numbers)) return next
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
      const { record } = this.look('table.getOrInsert', key, race)
      if (record !== undefined) return record
      const made = make()
      this.writer.begin('getOrInsert')
      if (this.writer.put(this.valuesFor('getOrInsert', made, key), ABSENT)) return made
    }
  }

  /**
   * The version of the record with this key, 1 to 2^31 - 1; 0 if there is none. Each write of a key
   * gives it another; they repeat after 2^31 writes. `add` and `compareExchange` leave it as it is, but
   * for those that had to take the lock of the record. As `get`: Misuse for a key of another type, never blocks, legal
   * inside a section.
   */
  version(key: ValueOf<F[N]>): number {
    return inside(this, () => {
      const item = this.locate('table.version', key)
      return item === NULL_ITEM ? ABSENT : this.versionOf(item)
    })
  }

  /**
   * `set` if the record with its key still has this version; with 0, if there is none. False, and
   * nothing has changed, if not. What was added to its atomic fields meanwhile is overwritten: `update`
   * is the verb that sees it. Blocks and throws as `set`; Misuse inside a section.
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
   * another worker has written this key meanwhile, or if the record has atomic fields: then it is asked
   * a second time, when nothing can be added unnoticed. Returns whether a record was removed: only the one
   * that `fn` has seen. Blocks and throws as `update`; Misuse inside a section.
   */
  deleteIf(key: ValueOf<F[N]>, fn: (item: Item) => boolean): boolean {
    if (typeof fn !== 'function') throw noFunction('table.deleteIf', fn)
    const isPlain = this.schema.atomics.length === 0
    let sealed: number = ABSENT
    for (const race = new Race(this, 'deleteIf'); ; race.again()) {
      this.writer.begin('deleteIf')
      if (!isPlain && race.lost > 0) sealed = this.writer.claim(key)
      const version = this.smr.read(() => {
        const item = this.locate('table.deleteIf', key)
        const isWanted = item !== NULL_ITEM && this.smr.rejectPromise(fn(item))
        return isWanted ? this.versionOf(item) : ABSENT
      })
      if (version === ABSENT) return false
      if ((isPlain || version === sealed) && this.writer.take(key, version)) return true
    }
  }

  /**
   * Adds `delta`, an integer of 32 bits, to an atomic field of the record with this key, as one step, and
   * returns the sum; it wraps as the type of the field does. Undefined, and nothing was added, if there is
   * no record. No addition is lost: it comes before a write of the record, and is overwritten by `set`
   * or seen by `update`, or after it. The record is not replaced, and its `version` usually stays.
   *
   * Takes no lock, unless it meets another worker that is about to replace the record: then it sleeps for
   * a millisecond at most, not inside a section, and then blocks on the lock of the record, for 30 s at
   * most, and throws as `set`. Legal inside a section, which then stays open meanwhile. Misuse for a
   * field that is not atomic, another delta, or a key of another type.
   */
  add(key: ValueOf<F[N]>, field: AtomicNames<F>, delta: number): number | undefined {
    const place = atomicOf('add', this.name, this.schema, field)
    checkDelta('table.add', delta)
    let sum = this.tryInPlace('table.add', key, place, undefined, delta)
    if (sum === SEAL) {
      const before = this.writer.change(key, place, (before) => (before + delta) | 0)
      sum = before === undefined ? undefined : before + delta
    }
    if (sum === undefined) return undefined
    return place.isSigned ? sum | 0 : sum >>> 0
  }

  /**
   * Stores `value` in an atomic field of the record with this key if it holds `expected`, as one step, and
   * returns what it held before: so it was stored if that is `expected`. Undefined if there is no record.
   * Misuse for numbers that the field cannot hold. Blocks, sections and the rest as `add`.
   */
  compareExchange(
    key: ValueOf<F[N]>,
    field: AtomicNames<F>,
    expected: number,
    value: number,
  ): number | undefined {
    const place = atomicOf('compareExchange', this.name, this.schema, field)
    checkHeld('table.compareExchange', 'expected', place, expected)
    checkHeld('table.compareExchange', 'value', place, value)
    const [from, to] = [expected | 0, value | 0]
    let held = this.tryInPlace('table.compareExchange', key, place, from, to)
    if (held === SEAL) held = this.writer.change(key, place, (held) => (held === from ? to : held))
    if (held === undefined) return undefined
    return place.isSigned ? held : held >>> 0
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

  /**
   * Adds `value`, or with `expected` exchanges it, without a lock: the sum or what was held before, as a
   * signed word; undefined if there is no record; SEAL if it takes the lock.
   */
  private tryInPlace(
    call: string,
    key: ValueOf<F[N]>,
    { offset }: AtomicField,
    expected: number | undefined,
    value: number,
  ): number | undefined {
    const { arena, smr } = this
    const { memory } = arena
    const isNested = smr.entered
    for (let n = 0; ; n++) {
      if (!isNested) smr.enterInCall()
      try {
        const item = this.locate(call, key)
        if (item === NULL_ITEM) return undefined
        const result =
          expected === undefined
            ? addAt(memory, item + offset, value)
            : exchangeAt(memory, item + offset, expected, value)
        if (result !== SEAL) return result
      } finally {
        if (!isNested) smr.exit()
      }
      if (!waitForWriter(arena.space, n, !isNested)) return SEAL
    }
  }

  /** A copy of the record with this key, and what tells it from others. Outside of sections. */
  private look(call: string, key: ValueOf<F[N]>, race: Race): Seen<Values<F>> {
    const { schema, smr } = this
    const { atomics } = schema
    if (race.lost >= MANY_LOST && atomics.length > 0) this.writer.claim(key)
    smr.enterInCall()
    try {
      const item = this.locate(call, key)
      if (item === NULL_ITEM) return NOTHING
      const record = schema.read(this.arena, item)
      const numbers = atomics.length === 0 ? undefined : numbersIn(record, atomics)
      return { record, version: this.versionOf(item), numbers }
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
    if (this.isSame(other, key)) return values
    throw new Misuse(
      `table.${verb}: table ${show(this.name)}: the record for key ${show(key)} has key ${show(other)}`,
      { table: this.name },
    )
  }

  private keyIn(values: readonly unknown[]): ValueOf<F[N]> {
    return values[this.keyIndex] as ValueOf<F[N]>
  }
}

/** What is in the atomic fields of a copy, as signed words. */
function numbersIn(
  record: Readonly<Record<string, unknown>>,
  atomics: readonly AtomicField[],
): readonly number[] {
  return atomics.map(({ name }) => (record[name] as number) | 0)
}

/** Which of the values of a record is the key. */
export function indexOfKey(schema: Pick<Schema, 'fields'>, keyName: PropertyKey): number {
  return schema.fields.findIndex((place) => place.name === keyName)
}
