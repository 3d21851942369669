/**
 * Creating and opening a table: its options, its zone, its run of pages.
 */

import type { Arena } from '../arena/arena.ts'
import { assertObject, Exhausted, integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import {
  ChainsWord,
  Header,
  Named,
  NODE_WORDS,
  RunKind,
  StripeWords,
  TableWords,
  ZoneWords,
} from '../memory/layout.ts'
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
import type { ZoneOptions } from '../zone/options.ts'
import { relieve } from '../zone/pressure.ts'
import type { Zone } from '../zone/zone.ts'
import { type Blocks, blocksFor } from './blocks.ts'
import { Chains, MAX_CHAIN_BITS } from './chains.ts'
import type { TableParts } from './parts.ts'
import { Stripes } from './stripes.ts'

/** Options of `HashTable.create`, with those of its zone, which count records. */
export interface TableOptions<F extends Fields, N extends KeyNames<F>>
  extends Omit<ZoneOptions, 'bytes' | 'record' | 'smr'> {
  /** Schema of the records. */
  readonly record: Schema<F>
  /** The field that tells records apart: u32, i32, i64 or utf8. */
  readonly key: N
  /** Records for which lookups meet about one each: 1 to 2^26. */
  readonly capacity: number
  /** Domain to protect lookups with. Default: one of the table's own, of the same name. */
  readonly smr?: Smr
}

const CREATE = 'HashTable.create'
const OPEN = 'HashTable.open'
const FEW_WORKERS = 8
const FEW_STRIPES_BITS = 4
const MANY_STRIPES_BITS = 6

/** @internal */
interface Opened<F extends Fields, N extends KeyNames<F>> {
  readonly parts: TableParts
  readonly key: Key<ValueOf<F[N]>>
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
  const { record, key: keyName, capacity, smr: given, ...knobs } = options
  const key = keyOf(checked(CREATE, record), keyName)
  const stripeBits = space.maxWorkers <= FEW_WORKERS ? FEW_STRIPES_BITS : MANY_STRIPES_BITS
  const bits = bitsFor(CREATE, capacity, stripeBits)
  const size = { capacity, bits, stripeBits, words: record.words }
  const shape = { ...knobs, record: nodeShape(record, keyName) }
  const parts = whileMaking(space, () => makeTable(arena, name, size, shape, given, record))
  return { parts, key }
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
function whileMaking<T>({ locks }: Space, body: () => T): T {
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
    throw new Exhausted(`${CREATE}: no memory for table ${show(name)} of ${capacity} records`, {
      table: name,
      capacity,
    })
  }
  const undo = undoer(arena, name, given)
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
function endWithoutZone(space: Space, { address: at, serial }: Listing): boolean {
  const { directory, memory, pages } = space
  if (zoneLives(space, at)) return false
  directory.remove(serial, () => {
    // A worker that died while releasing an array may have left a redo record to clear its word.
    pages.recover()
    // The entry is gone: after a death here sweeping finds what is left.
    for (const word of [TableWords.building, TableWords.retired, TableWords.chains]) {
      const array = memory.peek(at + word) & ChainsWord.pageMask
      if (array !== 0) pages.release(array)
    }
    pages.release(at)
  })
  return true
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
      pages.release(runs.chains & ChainsWord.pageMask)
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
  /** A word as in `TableWords.chains`. */
  readonly chains: number
}

interface TableSize {
  readonly capacity: number
  readonly bits: number
  readonly stripeBits: number
  /** Of a record. */
  readonly words: number
}

function tableWords(stripeBits: number): number {
  return TableWords.WORDS + 2 ** stripeBits * StripeWords.WORDS
}

function runWords({ bits, stripeBits }: TableSize): number[] {
  return [tableWords(stripeBits), 2 ** bits]
}

function reserveRuns(
  space: Space,
  name: string,
  { bits, stripeBits, words }: TableSize,
): Runs | undefined {
  const { memory, pages } = space
  const own = tableWords(stripeBits)
  const table = pages.reserve(own)
  if (table === 0) return undefined
  memory.fill(table, own, 0)
  memory.poke(table + TableWords.recordWords, words)
  memory.poke(table + TableWords.stripeBits, stripeBits)
  const chains = new Chains(space, table, name).make(bits, 0)
  if (chains !== 0) return { table, chains }
  pages.release(table)
  return undefined
}

function buildTable(
  arena: Arena,
  name: string,
  zone: Zone,
  { table: at, chains: first }: Runs,
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
    const chains = new Chains(space, at, name)
    chains.recover(first)
    chains.publish(first)
    space.pages.publish(at, RunKind.table)
    return at
  })
}

/** @internal */
export function openTable<F extends Fields, N extends KeyNames<F>>(
  arena: Arena,
  name: string,
  options: Pick<TableOptions<F, N>, 'record' | 'key' | 'ctor' | 'dtor' | 'init' | 'fini'>,
): Opened<F, N> {
  assertArena(OPEN, arena)
  const { space } = arena
  space.assertOpen(OPEN)
  onlyOptions(OPEN, options, ['record', 'key', 'ctor', 'dtor', 'init', 'fini'])
  const { record, key: keyName, ...hooks } = options
  const key = keyOf(checked(OPEN, record), keyName)
  const found = space.directory.find(OPEN, Named.table, name)
  if (found === undefined) {
    throw new Misuse(`${OPEN}: there is no table ${show(name)}; create it first`, { table: name })
  }
  const serial = space.memory.peek(found.address + TableWords.zoneSerial)
  const same = space.directory.find(OPEN, Named.zone, name)?.serial === serial
  const zone = same
    ? arena.openZone(OPEN, name, { ...hooks, record: nodeShape(record, keyName) })
    : undefined
  const smr = zone?.parts.domain
  if (zone === undefined || smr === undefined) {
    throw new Misuse(
      `${OPEN}: the zone of table ${show(name)} was destroyed, and the table with it; create it again`,
      { table: name },
    )
  }
  const blocks = blocksFor(OPEN, arena, name, record, zone, false)
  return { parts: partsOf(arena, found, zone, smr, blocks), key }
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
  const stripeBits = space.memory.peek(at + TableWords.stripeBits)
  const chains = new Chains(space, at, name)
  const stripes = new Stripes(space, at, name, chains, stripeBits)
  return { arena, name, at, serial, zone, smr, blocks, chains, stripes }
}

/**
 * Record and node words together. The key is part of the signature, on which openers must agree.
 */
function nodeShape<F extends Fields>(record: Schema<F>, key: PropertyKey) {
  return {
    bytes: (record.words + NODE_WORDS) * BYTES_PER_WORD,
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
