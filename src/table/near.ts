/**
 * Near copies: decoded records that a worker keeps for itself, and checks at every use.
 *
 * What a program pays for in a lookup is not the walk: it is hashing the key, decoding text, parsing JSON,
 * making an object. A private Map pays none of it. A near copy is such an object, frozen, with the value
 * that the version word of its key had (see version.ts). As long as the word has it, the record is current:
 *
 *   hit     the word is as it was, and the epoch is: two loads, no section, nothing allocated
 *   miss    an ordinary lookup. Before its walk it loads the epoch, then the word, then the lock of the
 *           stripe; afterwards it keeps what it has found, if the lock was free
 *   write   counts the word up with the stripe locked, before it changes the chain: it does so anyway, to
 *           have a version, and knows nothing of who has copies
 *
 * A hit is never stale. Let a writer publish another record of the key, or take it out, before the word
 * was loaded at the hit, and say that this came after our walk. It counted the word up before it did so.
 * Two cases: after the miss had loaded the word, then the hit finds another value and is none; or before,
 * then the writer has held the lock from then until after our walk, the miss has found it taken, and there
 * is no copy. Otherwise (the lock loaded before the word, or not at all) the miss could load the new value
 * between the writer's two steps, and keep the old record with it. So each hit is an answer of the moment
 * in which it loaded the word: with the writer's steps exchanged, one worker could find the new record, and
 * another, later, a near copy of the old one.
 *
 * The word alone is not enough when it begins again, or its pages become something else: see the two cases
 * of the epoch in version.ts. The miss loads it before its walk for that reason, too: otherwise (after)
 * a copy made while the table ended would count as one of the new epoch.
 *
 * Why a word of the table and not the record's own version: a record's memory is freed, is another key's,
 * becomes another zone's, so that a copy would have to know that its record is still where it was, and each
 * of those steps would have to say so first. A version word is where it is as long as the table. Its price:
 * a write of another key of its range ends a copy, too. That costs a walk and no decoding: if the record
 * has the version of the copy it is that very record, and the copy is kept, the same object as before.
 *
 * Deaths and exceptions leave nothing to repair. Who dies between the two steps leaves the lock taken, so
 * nobody makes a copy until the next owner has it; and the word only says less than it could.
 *
 * Copies of records with atomic fields are refused: those change in place, without a new version. Whoever
 * has left the arena has no hits: the ordinary lookup says why.
 *
 * They are kept in two maps. New copies go into the young one; when that is half of `max` it becomes the
 * old one, and the one before it is dropped. A hit in the old one moves to the young. So what is used stays,
 * without a list to maintain. That there is no record is kept, too.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { Header } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Fields, Schema, Values } from '../record/record.ts'
import type { Space } from '../space/space.ts'
import type { TableParts } from './parts.ts'

/** What a worker asks for when it wants near copies. */
export interface NearOptions {
  /** How many to keep: 2 to 2^22. */
  readonly max: number
}

/** In `table.stats()`, if this worker has near copies. */
export interface NearStats {
  /** How many this worker keeps. */
  readonly size: number
  /** The most that it keeps. */
  readonly max: number
  /** Lookups that a copy has answered. */
  readonly hits: number
  /** Those that have walked. */
  readonly misses: number
}

/** A constant of this module costs nothing; an imported one is looked up each time. */
const EPOCH = Header.epoch
const MOST_COPIES = 2 ** 22
/** Longer text is kept only for a record, whose field has room for it. */
const MOST_LETTERS = 255
/** Instead of the value of a version word: no copy may be made now. */
const NOT_NOW = -1

/** A record as this worker gives it out, or that there is none. */
class Copy<R> {
  /** Address of its version word. */
  readonly at: number
  /** The value that says that it is current. */
  seen: number
  /** Of the record; 0: there is none. */
  readonly version: number
  readonly record: R | undefined

  constructor(at: number, seen: number, version: number, record: R | undefined) {
    this.at = at
    this.seen = seen
    this.version = version
    this.record = record
  }
}

/** The copies that one worker has of the records of one table. @internal */
export class Near<F extends Fields, V> {
  private readonly memory: Memory
  private readonly space: Space
  private readonly arena: Arena
  private readonly parts: TableParts
  private readonly schema: Schema<F>
  private readonly most: number
  /** Fields whose values are objects: of JSON, of bytes. */
  private readonly trees: readonly string[]
  private readonly bytes: readonly string[]
  private young = new Map<V, Copy<Values<F>>>()
  private old = new Map<V, Copy<Values<F>>>()
  /** The one in which all copies were made. */
  private epoch = 0
  private hits = 0
  private misses = 0

  constructor(parts: TableParts, schema: Schema<F>, max: number) {
    const { arena } = parts
    const named = (...kinds: string[]) =>
      schema.fields.filter((each) => kinds.includes(each.definition.kind)).map(({ name }) => name)
    this.parts = parts
    this.arena = arena
    this.memory = arena.memory
    this.space = arena.space
    this.schema = schema
    this.most = Math.floor(max / 2)
    this.trees = named('json')
    this.bytes = named('bytes', 'data')
  }

  /** The copy of the record with this key, if it is current. */
  find(key: V): Copy<Values<F>> | undefined {
    const { memory } = this
    const copy = this.young.get(key) ?? this.promoted(key)
    if (copy === undefined || memory.load(copy.at) !== copy.seen) return undefined
    // After the word: see version.ts.
    if (memory.load(EPOCH) !== this.epoch || !this.space.isOpen) return undefined
    this.hits++
    return copy
  }

  /** Before a walk, in its section: what `keep` is to be given after it. */
  sight(hash: number): number {
    const { memory } = this
    const { chains, stripes, versions } = this.parts
    this.misses++
    const epoch = memory.load(EPOCH)
    if (epoch !== this.epoch) {
      // In this order: who is cut off in between has no hits.
      this.young = new Map()
      this.old = new Map()
      this.epoch = epoch
    }
    const seen = memory.load(versions.at(hash))
    return stripes.isFree(chains.stripeOf(hash)) ? seen : NOT_NOW
  }

  /** After the walk, in its section: a copy of the record at `item`, kept if that is possible. */
  keep(key: V, hash: number, seen: number, item: Item): Values<F> | undefined {
    const had = this.young.get(key) ?? this.old.get(key)
    const version = this.parts.chains.versionOf(item)
    // Two cases for the epoch, loaded again after the walk: it is that of our copies, then no word had begun
    // again when the record was published, and one version is one record; or another, then a new record
    // may have the number of the old one. Otherwise (only the load before the walk) it could pass for it.
    const isSame = had?.version === version && this.memory.load(EPOCH) === this.epoch
    if (had !== undefined && isSame) {
      if (seen !== NOT_NOW) had.seen = seen
      return had.record
    }
    const record = this.copyOf(item)
    if (seen === NOT_NOW) return record
    const isLong = typeof key === 'string' && key.length > MOST_LETTERS
    if (item !== NULL_ITEM || !isLong) {
      this.put(key, new Copy(this.parts.versions.at(hash), seen, version, record))
    }
    return record
  }

  /** Numbers for `table.stats`. */
  stats(): NearStats {
    const { hits, misses, most, old, young } = this
    return { size: young.size + old.size, max: 2 * most, hits, misses }
  }

  private promoted(key: V): Copy<Values<F>> | undefined {
    const copy = this.old.get(key)
    if (copy !== undefined) this.put(key, copy)
    return copy
  }

  private put(key: V, copy: Copy<Values<F>>): void {
    if (this.young.size >= this.most && !this.young.has(key)) {
      this.old = this.young
      this.young = new Map()
    }
    this.young.set(key, copy)
    this.old.delete(key)
  }

  private copyOf(item: Item): Values<F> | undefined {
    if (item === NULL_ITEM) return undefined
    const record: Record<string, unknown> = this.schema.read(this.arena, item)
    for (const name of this.trees) freezeAll(record[name])
    for (const name of this.bytes) handOutCopies(record, name)
    return Object.freeze(record) as Values<F>
  }
}

/** Freezes what JSON.parse has made. */
function freezeAll(root: unknown): void {
  const left = [root]
  while (left.length > 0) {
    const each = left.pop()
    if (typeof each !== 'object' || each === null) continue
    Object.freeze(each)
    for (const value of Object.values(each)) left.push(value)
  }
}

/** The bytes of a typed array cannot be frozen: so each access gets its own. */
function handOutCopies(record: Record<string, unknown>, name: string): void {
  const bytes = record[name] as { slice(): unknown }
  Object.defineProperty(record, name, { get: () => bytes.slice() })
}

/** How many copies a worker wants, 0 for none. Misuse for a table that cannot have them. @internal */
export function nearOf(
  call: string,
  table: string,
  near: unknown,
  { atomics }: Pick<Schema, 'atomics'>,
): number {
  if (near === undefined) return 0
  const what = `${call}: table ${show(table)}: near`
  if (typeof near !== 'object' || near === null) {
    throw new Misuse(`${what} is ${show(near)}; give { max }, how many copies to keep`, { table })
  }
  onlyOptions(call, near, ['max'])
  const max = integer(call, 'near.max', (near as Partial<NearOptions>).max, 2, MOST_COPIES)
  const [first] = atomics
  if (first === undefined) return max
  throw new Misuse(
    `${what}: its field ${show(first.name)} is atomic and changes in place, which copies cannot show; keep what is to be copied in a table of its own`,
    { table, field: first.name },
  )
}
