/**
 * Creating and opening a table: its options, its zone, its run of pages.
 */

import type { Arena } from '../arena/arena.ts'
import { assertObject, integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { randomWord } from '../base/host.ts'
import { tableArrays, versionBits } from '../memory/arrays.ts'
import { HELD_WORDS, holdersAt, holderWords } from '../memory/holdWords.ts'
import { Header, Named, NODE_WORDS, RunKind, TableWords, ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, memoryOf } from '../memory/memory.ts'
import {
  type Fields,
  type Key,
  type KeyNames,
  keyOf,
  type Schema,
  type ValueOf,
} from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing, NamedKind } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import type { Hooks, ZoneOptions } from '../zone/options.ts'
import { relieve } from '../zone/pressure.ts'
import { inBytes, noMemory } from '../zone/shortage.ts'
import type { Zone } from '../zone/zone.ts'
import { type Blocks, blocksFor } from './blocks.ts'
import { arraysFor, Chains, MAX_CHAIN_BITS } from './chains.ts'
import { holdsOf } from './holds.ts'
import { type NearOptions, nearOf } from './near.ts'
import type { TableParts } from './parts.ts'
import { Stripes } from './stripes.ts'
import { moveEpoch, Versions } from './version.ts'

/** Options of `HashTable.create`, with those of its zone, which count records. */
export interface TableOptions<F extends Fields, N extends KeyNames<F>>
  extends Omit<ZoneOptions, 'bytes' | 'record' | 'smr'> {
  /** Schema of the records. */
  readonly record: Schema<F>
  /** The field that tells records apart: u32, i32, i64 or utf8. */
  readonly key: N
  /** Records for which lookups meet about one each: 1 to 2^26. */
  readonly capacity: number
  /**
   * Whether it grows by itself when it has more than two records for each chain; default true. Without,
   * chains become longer.
   */
  readonly grow?: boolean
  /**
   * What the hash of its keys starts from: 0 to 2^32 - 1. Default: a random number, so that strangers
   * who choose keys cannot choose collisions. Give one, 0 for example, where the order of `entries` must
   * be the same in each run.
   */
  readonly seed?: number
  /**
   * Locks that writers share: a power of two from 2 to 256. Default: 16 in an arena for up to 8 workers,
   * else 64. With more, writers meet less often and pauses of growth are shorter; a table that has grown
   * has at least a page of 4 KiB for each.
   */
  readonly stripes?: number
  /**
   * Decoded records that this worker keeps, and checks at every use: `get` then returns frozen objects,
   * and the same one as long as the record is the same. Each worker says for itself whether it wants them;
   * default: it does not. Not for records with atomic fields. See near.ts.
   */
  readonly near?: NearOptions
  /** Domain to protect lookups with. Default: one of the table's own, of the same name. */
  readonly smr?: Smr
  /**
   * How many records each worker may hold at once with `table.hold`: 0 to 1000, default 0. With any, a
   * record takes a word more, and the table 4 bytes for each hold of each possible worker.
   */
  readonly holds?: number
}

/** Options of `HashTable.open`. */
export type Opening<F extends Fields, N extends KeyNames<F>> = Pick<
  TableOptions<F, N>,
  'record' | 'key' | 'near' | 'ctor' | 'dtor' | 'init' | 'fini'
>

const CREATE = 'HashTable.create'
const OPEN = 'HashTable.open'
const OPEN_OR_CREATE = 'HashTable.openOrCreate'
const FEW_WORKERS = 8
const FEW_STRIPES_BITS = 4
const MANY_STRIPES_BITS = 6
const MOST_STRIPES = 256
const MOST_SEED = 2 ** 32 - 1
const MOST_HOLDS = 1000

/** @internal */
interface Opened<F extends Fields, N extends KeyNames<F>> {
  readonly parts: TableParts
  readonly key: Key<ValueOf<F[N]>>
  /** How many near copies this worker wants to keep, 0 for none. */
  readonly near: number
}

/** @internal */
export function createTable<F extends Fields, N extends KeyNames<F>>(
  arena: Arena,
  name: string,
  options: TableOptions<F, N>,
): Opened<F, N> {
  assertArena(CREATE, arena)
  const { space } = arena
  space.assertOpen(CREATE)
  assertObject(CREATE, options)
  const {
    record,
    key: keyName,
    capacity,
    smr: given,
    grow = true,
    seed,
    stripes,
    near: nearGiven,
    holds = 0,
    ...knobs
  } = options
  integer(CREATE, 'holds', holds, 0, MOST_HOLDS)
  const hashSeed = seed === undefined ? randomWord() : integer(CREATE, 'seed', seed, 0, MOST_SEED)
  const key = keyOf(checked(CREATE, record), keyName, hashSeed)
  if (typeof grow !== 'boolean') {
    throw new Misuse(`${CREATE}: grow is ${show(grow)}; give true or false`, { grow: show(grow) })
  }
  const near = nearOf(CREATE, name, nearGiven, record)
  const stripeBits = stripeBitsFor(space, stripes)
  const bits = bitsFor(CREATE, capacity, stripeBits)
  const { maxWorkers } = space
  const size = {
    capacity,
    bits,
    stripeBits,
    words: record.words,
    seed: hashSeed,
    grow,
    holds,
    maxWorkers,
  }
  const shape = { ...knobs, record: nodeShape(record, keyName, holds) }
  const parts = whileMaking(space, () => makeTable(arena, name, size, shape, given, record))
  return { parts, key, near }
}

function stripeBitsFor({ maxWorkers }: Space, stripes: unknown): number {
  if (stripes === undefined) {
    return maxWorkers <= FEW_WORKERS ? FEW_STRIPES_BITS : MANY_STRIPES_BITS
  }
  const bits = Math.log2(integer(CREATE, 'stripes', stripes, 2, MOST_STRIPES))
  if (Number.isInteger(bits)) return bits
  throw new Misuse(`${CREATE}: stripes is ${show(stripes)}; give a power of two`, {
    stripes: show(stripes),
  })
}

/**
 * One worker at a time makes a table. Its steps are visible to others: the domain, the zone with
 * its reserve, the table. Two cases when the name is in use: a table refers to the zone, then it
 * exists; or none does, then the worker that began it has died or an exception has stopped it,
 * because we hold the lock. Otherwise (without the lock) a worker that fails would undo what
 * another goes on with, and one could fail because of a zone of another shape that is gone a moment
 * later.
 *
 * Nothing needs repair after an owner's death: its zone is found by its mark (sweep.ts), and its
 * domain is used by the next table of this name.
 */
export function whileMaking<T>({ locks }: Space, body: () => T): T {
  locks.acquire(Header.tableLock, 'arena tables')
  try {
    return body()
  } finally {
    locks.unlock(Header.tableLock)
  }
}

/** The lock of tables is held. */
function makeTable(
  arena: Arena,
  name: string,
  size: TableSize,
  shape: ZoneOptions,
  given: Smr | undefined,
  record: Pick<Schema, 'unbounded'>,
): TableParts {
  const { space } = arena
  const namesake = space.directory.find(CREATE, Named.table, name)
  if (namesake !== undefined && !endWithoutZone(space, namesake)) throw exists(name)
  if (isUnfinished(space, name)) space.sweep((each) => each === name)
  // Memory first: a failure after the zone is made could take it from another worker's table.
  const reserve = (): Runs | undefined => reserveRuns(space, name, size)
  const runs = reserve() ?? (relieve(space, runWords(size)) ? reserve() : undefined)
  if (runs === undefined) {
    const { capacity } = size
    const what = `${CREATE}: no memory for table ${show(name)} of ${capacity} records`
    throw noMemory(space, what, inBytes(runWords(size)), { table: name, capacity })
  }
  const undo = undoer(arena, name, given)
  const ownsDomain =
    given === undefined && space.directory.find(CREATE, Named.domain, name) === undefined
  space.memory.poke(runs.table + TableWords.ownsDomain, ownsDomain ? 1 : 0)
  let zone: Zone | undefined
  // Until the table is made or undone: if this call is cut off, a later turn removes what it has
  // made. An entry of an earlier call stays.
  const isFirst = !space.making.has(name)
  space.making.add(name)
  try {
    const smr = given ?? arena.smr(name)
    zone = arena.openZone(CREATE, name, { ...shape, smr }, 'table')
    const blocks = blocksFor(CREATE, arena, name, record, zone, true)
    const found = buildTable(arena, name, zone, runs)
    if (!found?.created) throw exists(name)
    const parts = partsOf(arena, found, zone, smr, blocks)
    if (isFirst) space.making.delete(name)
    return parts
  } catch (error) {
    undo(zone, runs)
    if (isFirst) space.making.delete(name)
    throw error
  }
}

/**
 * Whether there is a zone that was made for a table of this name. There is no table, and we hold
 * the lock: so its maker has left it behind.
 */
function isUnfinished({ directory, memory }: Space, name: string): boolean {
  const zone = directory.find(CREATE, Named.zone, name)
  return zone !== undefined && memory.peek(zone.address + ZoneWords.maker) !== 0
}

/**
 * A table ends with its zone: if that was destroyed, releases the rest of the table, and its name
 * is free again. False while the zone exists.
 */
export function endWithoutZone(space: Space, { address: at, serial }: Listing): boolean {
  const { directory, memory, pages } = space
  if (zoneLives(space, at)) return false
  // Before its version words can become anything else, whoever releases them: see version.ts.
  moveEpoch(memory)
  directory.remove(serial, () => {
    // A worker that died while releasing an array may have left a redo record to clear its word.
    pages.recover()
    // The entry is gone: after a death here sweeping finds what is left.
    for (const array of arraysOf(space, at)) pages.release(array)
    pages.release(at)
  })
  return true
}

/** The runs of pages that the chains of a table lie in. Nobody uses it any more. */
function arraysOf({ memory }: Space, table: number): Set<number> {
  const all = new Set(tableArrays(memory, table))
  all.delete(0)
  return all
}

/** By its entry in the directory: its pages may still be there when it has ended. */
function zoneLives({ directory, memory }: Space, table: number): boolean {
  return directory.names(memory.peek(table + TableWords.zoneSerial))
}

/**
 * Returns the function that undoes a failed creation: the domain and the zone are destroyed, unless
 * they existed before or the table exists. An exception may have come after the table was made:
 * then it exists, and can be opened.
 */
function undoer(
  arena: Arena,
  name: string,
  given: Smr | undefined,
): (zone: Zone | undefined, runs: Runs) => void {
  const { space } = arena
  const { directory, pages } = space
  const missing = (kind: NamedKind): boolean => directory.find(CREATE, kind, name) === undefined
  const madeZone = missing(Named.zone)
  const madeDomain = given === undefined && missing(Named.domain)
  return (zone, runs) => {
    const table = directory.find(CREATE, Named.table, name)
    if (table?.address !== runs.table) {
      pages.release(runs.table)
      for (const array of runs.arrays) pages.release(array)
    }
    if (table !== undefined) return
    if (madeZone && zone?.isAlive()) zone.undo()
    // Its heap ends with it.
    if (missing(Named.zone) && !missing(Named.heap)) space.sweep()
    // It was made, or half made, and counted for its domain, but not returned to us.
    const untold = madeZone && zone === undefined && !missing(Named.zone)
    if (untold || directory.isTorn) space.sweep(untold ? (each) => each === name : undefined)
    const isBound = madeZone && !missing(Named.zone)
    if (madeDomain && !isBound && !missing(Named.domain)) arena.smr(name).destroy()
  }
}

/** The runs of pages of a table besides its zone: reserved and written, not yet published. */
interface Runs {
  readonly table: number
  /** One that all stripes share, or one for each. */
  readonly arrays: readonly number[]
}

interface TableSize {
  readonly capacity: number
  readonly bits: number
  readonly stripeBits: number
  /** Of a record. */
  readonly words: number
  readonly seed: number
  readonly grow: boolean
  readonly holds: number
  readonly maxWorkers: number
}

function runWords(size: TableSize): number[] {
  return [ownWords(size), ...arraysFor(size.stripeBits, size.bits)]
}

/** Words of a table but for its chains. */
function ownWords({ bits, holds, maxWorkers, stripeBits }: TableSize): number {
  const holders = holdersAt(0, stripeBits, versionBits(bits, stripeBits))
  return holders + (holds === 0 ? 0 : maxWorkers * holderWords(holds))
}

function reserveRuns(space: Space, name: string, size: TableSize): Runs | undefined {
  const { memory, pages } = space
  const { bits, stripeBits, words, seed, grow, holds } = size
  const own = ownWords(size)
  const table = pages.reserve(own)
  if (table === 0) return undefined
  memory.fill(table, own, 0)
  memory.poke(table + TableWords.recordWords, words)
  memory.poke(table + TableWords.stripeBits, stripeBits)
  memory.poke(table + TableWords.seed, seed | 0)
  memory.poke(table + TableWords.grow, grow ? 1 : 0)
  memory.poke(table + TableWords.versionBits, versionBits(bits, stripeBits))
  memory.poke(table + TableWords.holds, holds)
  const arrays: number[] = []
  for (const heads of arraysFor(stripeBits, bits)) {
    const base = pages.reserve(heads)
    if (base === 0) {
      for (const each of [table, ...arrays]) pages.release(each)
      return undefined
    }
    memory.fill(base, heads, 0)
    arrays.push(base)
  }
  const chains = new Chains(space, table, name)
  for (let i = 0; i < 2 ** stripeBits; i++) {
    chains.publish(i, chains.wordFor(i, (arrays[i] ?? arrays[0]) as number, bits, 0))
  }
  if (chains.isShared(bits)) memory.poke(table + TableWords.shared, arrays[0] as number)
  return { table, arrays }
}

function buildTable(
  arena: Arena,
  name: string,
  zone: Zone,
  { table: at, arrays }: Runs,
): Listing | undefined {
  const { space } = arena
  return space.directory.open(CREATE, Named.table, name, (serial) => {
    const { memory } = space
    if (!zone.isAlive()) {
      throw new Misuse(`${CREATE}: the zone of table ${show(name)} was destroyed; try again`)
    }
    memory.poke(at + TableWords.serial, serial)
    memory.poke(at + TableWords.zone, zone.parts.at)
    memory.poke(at + TableWords.zoneSerial, zone.serial)
    for (const array of arrays) space.pages.publish(array, RunKind.chains)
    space.pages.publish(at, RunKind.table)
    return at
  })
}

/** @internal */
export function openTable<F extends Fields, N extends KeyNames<F>>(
  arena: Arena,
  name: string,
  options: Opening<F, N>,
): Opened<F, N> {
  assertArena(OPEN, arena)
  const { space } = arena
  space.assertOpen(OPEN)
  onlyOptions(OPEN, options, ['record', 'key', 'near', 'ctor', 'dtor', 'init', 'fini'])
  const { record, key: keyName, near: nearGiven, ...hooks } = options
  const schema = checked(OPEN, record)
  const near = nearOf(OPEN, name, nearGiven, schema)
  const found = space.directory.find(OPEN, Named.table, name)
  const seed = found === undefined ? 0 : space.memory.peek(found.address + TableWords.seed)
  const key = keyOf(schema, keyName, seed)
  if (found === undefined) {
    throw new Misuse(`${OPEN}: there is no table ${show(name)}; create it first`, { table: name })
  }
  const serial = space.memory.peek(found.address + TableWords.zoneSerial)
  const holds = space.memory.peek(found.address + TableWords.holds)
  const same = space.directory.find(OPEN, Named.zone, name)?.serial === serial
  const zone = same
    ? arena.openZone(OPEN, name, { ...hooks, record: nodeShape(record, keyName, holds) })
    : undefined
  const smr = zone?.parts.domain
  if (zone === undefined || smr === undefined) {
    throw new Misuse(
      `${OPEN}: the zone of table ${show(name)} was destroyed, and the table with it; create it again`,
      { table: name },
    )
  }
  const blocks = blocksFor(OPEN, arena, name, record, zone, false)
  return { parts: partsOf(arena, found, zone, smr, blocks), key, near }
}

/** How often another worker may have made the table, or ended it, between two looks. */
const MOST_LOOKS = 8

/**
 * Opens the table if it exists, or creates it. Options that were given must be those that it was made
 * with, except `capacity`, since a table grows.
 * @internal
 */
export function openOrCreateTable<F extends Fields, N extends KeyNames<F>>(
  arena: Arena,
  name: string,
  options: TableOptions<F, N>,
): Opened<F, N> {
  assertArena(OPEN_OR_CREATE, arena)
  assertObject(OPEN_OR_CREATE, options)
  const { space } = arena
  const find = (): Listing | undefined => {
    space.assertOpen(OPEN_OR_CREATE)
    const found = space.directory.find(OPEN_OR_CREATE, Named.table, name)
    return found !== undefined && zoneLives(space, found.address) ? found : undefined
  }
  return openOrElse(
    find,
    (found) => openAgreeing(arena, name, options, found),
    () => createTable(arena, name, options),
  )
}

/** `open` if `find` finds it, else `create`; again if another worker was faster. */
export function openOrElse<T>(
  find: () => Listing | undefined,
  open: (found: Listing) => T,
  create: () => T,
): T {
  for (let looks = 1; ; looks++) {
    const found = find()
    try {
      return found === undefined ? create() : open(found)
    } catch (error) {
      // Another worker has made it, or ended it, meanwhile.
      if ((find() === undefined) === (found === undefined) || looks === MOST_LOOKS) throw error
    }
  }
}

function openAgreeing<F extends Fields, N extends KeyNames<F>>(
  arena: Arena,
  name: string,
  options: TableOptions<F, N>,
  { address: at }: Listing,
): Opened<F, N> {
  const { memory } = arena.space
  const { record, key, capacity, smr, grow, seed, stripes, holds, near, ...knobs } = options
  integer(OPEN_OR_CREATE, 'capacity', capacity, 1, 2 ** MAX_CHAIN_BITS)
  const words: [string, unknown, unknown][] = [
    ['grow', grow, memory.peek(at + TableWords.grow) !== 0],
    ['seed', seed, memory.peek(at + TableWords.seed) >>> 0],
    ['stripes', stripes, 2 ** memory.peek(at + TableWords.stripeBits)],
    ['holds', holds, memory.peek(at + TableWords.holds)],
  ]
  for (const [what, given, actual] of words) {
    if (given === undefined || given === actual) continue
    throw new Misuse(
      `${OPEN_OR_CREATE}: table ${show(name)} exists with ${what} ${show(actual)}, opened with ${show(given)}`,
      { table: name, actual: show(actual), given: show(given) },
    )
  }
  // The zone compares the rest: its knobs, its domain, the record and the key.
  const made = memory.peek(at + TableWords.holds)
  const shape = { ...knobs, record: nodeShape(checked(OPEN_OR_CREATE, record), key, made) }
  arena.openZone(OPEN_OR_CREATE, name, smr === undefined ? shape : { ...shape, smr })
  const hooks = hooksAmong(knobs)
  return openTable(arena, name, { record, key, ...(near !== undefined && { near }), ...hooks })
}

export function hooksAmong({
  ctor,
  dtor,
  init,
  fini,
}: ZoneOptions): Pick<ZoneOptions, keyof Hooks> {
  return {
    ...(ctor && { ctor }),
    ...(dtor && { dtor }),
    ...(init && { init }),
    ...(fini && { fini }),
  }
}

/** Misuse unless it is an arena. */
function assertArena(call: string, arena: unknown): asserts arena is Arena {
  memoryOf(call, arena)
  const { space } = arena as Partial<Arena>
  if (typeof space?.assertOpen === 'function') return
  throw new Misuse(`${call}: arena is ${show(arena)}; give what Arena.create or attach returned`)
}

/** The smallest number of bits with a chain per record, and at least one chain per stripe. */
export function bitsFor(call: string, capacity: unknown, stripeBits: number): number {
  const records = integer(call, 'capacity', capacity, 1, 2 ** MAX_CHAIN_BITS)
  return Math.max(stripeBits, Math.ceil(Math.log2(records)))
}

function partsOf(arena: Arena, found: Listing, zone: Zone, smr: Smr, blocks: Blocks): TableParts {
  const { space } = arena
  const { address: at, name, serial } = found
  const chains = new Chains(space, at, name)
  const stripes = new Stripes(space, at, name, chains)
  const grows = space.memory.peek(at + TableWords.grow) !== 0
  const versions = new Versions(space.memory, at)
  const holds = holdsOf(space, at, name, smr, zone)
  return { arena, name, at, serial, zone, smr, blocks, chains, stripes, versions, holds, grows }
}

/**
 * Record and node words together. The key is part of the signature, on which openers must agree.
 */
function nodeShape<F extends Fields>(record: Schema<F>, key: PropertyKey, holds: number) {
  return {
    bytes: (record.words + NODE_WORDS + (holds === 0 ? 0 : HELD_WORDS)) * BYTES_PER_WORD,
    signature: `${record.signature} by ${String(key)}`,
  }
}

function checked<S>(call: string, schema: S): S {
  const isSchema =
    typeof schema === 'object' && schema !== null && 'signature' in schema && 'fields' in schema
  if (isSchema && Array.isArray(schema.fields)) return schema
  throw new Misuse(`${call}: record is ${show(schema)}; give what record() returned`)
}

function exists(name: string): Misuse {
  return new Misuse(`${CREATE}: table ${show(name)} exists already; open it`, { table: name })
}
