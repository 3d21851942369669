/**
 * Creating and opening an ordered table: its options, its two zones, its run of pages.
 */

import type { Arena } from '../arena/arena.ts'
import { assertObject, integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import {
  Named,
  ORDERED_WORDS,
  OrderWords,
  RunKind,
  TRIE_WORDS,
  ZoneWords,
} from '../memory/layout.ts'
import { BYTES_PER_WORD, memoryOf } from '../memory/memory.ts'
import { WORD } from '../record/field.ts'
import type { Fields, Schema, ValueOf } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { type Blocks, blocksFor } from '../table/blocks.ts'
import { hooksAmong, openOrElse, whileMaking } from '../table/open.ts'
import { KNOBS } from '../zone/knobOptions.ts'
import type { ZoneOptions } from '../zone/options.ts'
import { relieve } from '../zone/pressure.ts'
import { inBytes, noMemory } from '../zone/shortage.ts'
import type { Zone } from '../zone/zone.ts'
import { Guard } from './guard.ts'
import { MOST_KEY_BYTES, type OrderKey, type OrderKeyNames, orderKeyAt } from './key.ts'
import type { OrderParts } from './parts.ts'
import { Trie } from './trie.ts'

/** Options of `OrderedTable.create`, with those of the zone of its records. */
export interface OrderedTableOptions<F extends Fields, N extends OrderKeyNames<F>>
  extends Omit<ZoneOptions, 'bytes' | 'record' | 'smr'> {
  /** Schema of the records. */
  readonly record: Schema<F>
  /** The field that they are ordered by: u32, i32, i64, utf8 or bytes. */
  readonly key: N
  /** Not needed, for the tree grows with its records: here so that options of `HashTable` fit. */
  readonly capacity?: number
  /** Domain to protect lookups with. Default: one of the table's own, of the same name. */
  readonly smr?: Smr
}

const CREATE = 'OrderedTable.create'
const OPEN = 'OrderedTable.open'
const OPEN_OR_CREATE = 'OrderedTable.openOrCreate'
const MOST_RECORDS = 2 ** 26

/** @internal */
interface Opened<F extends Fields, N extends OrderKeyNames<F>> {
  readonly parts: OrderParts
  readonly key: OrderKey<ValueOf<F[N]>>
}

/** The zone of a table's nodes. */
function nodesOf(name: string): string {
  return `${name} nodes`
}

/** @internal */
export function createOrdered<F extends Fields, N extends OrderKeyNames<F>>(
  arena: Arena,
  name: string,
  options: OrderedTableOptions<F, N>,
): Opened<F, N> {
  assertArena(CREATE, arena)
  const { space } = arena
  space.assertOpen(CREATE)
  assertObject(CREATE, options)
  const { record, key: keyName, capacity, smr: given, ...knobs } = options
  const key = orderKeyOf(CREATE, checked(CREATE, record), keyName)
  if (capacity !== undefined) integer(CREATE, 'capacity', capacity, 1, MOST_RECORDS)
  const shape = { ...knobs, record: recordShape(record, keyName) }
  // One worker at a time makes a table, of either kind.
  const parts = whileMaking(space, () => make(arena, name, key as OrderKey, record, shape, given))
  return { parts, key }
}

/** The lock of tables is held. */
function make(
  arena: Arena,
  name: string,
  key: OrderKey,
  record: Pick<Schema, 'unbounded' | 'words'>,
  shape: ZoneOptions,
  given: Smr | undefined,
): OrderParts {
  const { space } = arena
  const { directory, memory, pages } = space
  const find = (kind: 2 | 3 | 4 | 6, each = name) => directory.find(CREATE, kind, each)
  if (find(Named.table) !== undefined) throw exists(name)
  const namesake = find(Named.ordered)
  if (namesake !== undefined && !endWithoutZone(space, namesake)) throw exists(name)
  const both = [name, nodesOf(name)]
  const isUnfinished = (each: string): boolean => {
    const zone = find(Named.zone, each)
    return zone !== undefined && memory.peek(zone.address + ZoneWords.maker) !== 0
  }
  if (both.some(isUnfinished)) space.sweep((each) => both.includes(each))
  const reserve = (): number => pages.reserve(OrderWords.WORDS)
  const at = reserve() || (relieve(space, [OrderWords.WORDS]) ? reserve() : 0)
  if (at === 0) {
    const what = `${CREATE}: no memory for table ${show(name)}`
    throw noMemory(space, what, inBytes([OrderWords.WORDS]), { table: name })
  }
  const madeDomain = given === undefined && find(Named.domain) === undefined
  // Until the table is made or undone: if this call is cut off, a later turn removes what it has
  // made. An entry of an earlier call stays.
  const ours = both.filter((each) => !space.making.has(each))
  for (const each of ours) space.making.add(each)
  try {
    memory.fill(at, OrderWords.WORDS, 0)
    memory.poke(at + OrderWords.recordWords, record.words)
    memory.poke(at + OrderWords.ownsDomain, madeDomain ? 1 : 0)
    const smr = given ?? arena.smr(name)
    const zone = arena.openZone(CREATE, name, { ...shape, smr }, 'table')
    const nodes = arena.openZone(CREATE, nodesOf(name), { ...nodeShape(shape), smr }, 'table')
    const blocks = blocksFor(CREATE, arena, name, record, zone, true)
    const found = build(arena, name, at, zone, nodes)
    if (!found?.created) throw exists(name)
    return partsOf(arena, found, key, zone, nodes, smr, blocks)
  } catch (error) {
    // If the exception came after the table was made, it exists, and can be opened.
    if (find(Named.ordered)?.address !== at) {
      pages.release(at)
      space.sweep((each) => ours.includes(each))
      const isBound = both.some((each) => find(Named.zone, each) !== undefined)
      if (madeDomain && !isBound && find(Named.domain) !== undefined) arena.smr(name).destroy()
    }
    throw error
  } finally {
    for (const each of ours) space.making.delete(each)
  }
}

function build(
  { space }: Arena,
  name: string,
  at: number,
  zone: Zone,
  nodes: Zone,
): Listing | undefined {
  return space.directory.open(CREATE, Named.ordered, name, (serial) => {
    const { memory } = space
    if (!zone.isAlive() || !nodes.isAlive()) {
      throw new Misuse(`${CREATE}: a zone of table ${show(name)} was destroyed; try again`)
    }
    memory.poke(at + OrderWords.serial, serial)
    memory.poke(at + OrderWords.zone, zone.parts.at)
    memory.poke(at + OrderWords.zoneSerial, zone.serial)
    memory.poke(at + OrderWords.nodesSerial, nodes.serial)
    space.pages.publish(at, RunKind.table)
    return at
  })
}

/**
 * A table ends with the zone of its records: if that was destroyed, releases the rest of the table, and
 * its name is free again. False while the zone exists. The zone of its nodes, all of them free, is
 * used by the next table of the name.
 */
export function endWithoutZone(space: Space, { address: at, serial }: Listing): boolean {
  const { directory, pages } = space
  if (zoneLives(space, at)) return false
  directory.remove(serial, () => {
    pages.recover()
    pages.release(at)
  })
  return true
}

/** By its entry in the directory: its pages may still be there when it has ended. */
function zoneLives({ directory, memory }: Space, table: number): boolean {
  return directory.names(memory.peek(table + OrderWords.zoneSerial))
}

/**
 * Opens the table if it exists, or creates it. Options that were given must be those that it was made
 * with, except `capacity`.
 * @internal
 */
export function openOrCreateOrdered<F extends Fields, N extends OrderKeyNames<F>>(
  arena: Arena,
  name: string,
  options: OrderedTableOptions<F, N>,
): Opened<F, N> {
  assertArena(OPEN_OR_CREATE, arena)
  assertObject(OPEN_OR_CREATE, options)
  const { space } = arena
  const find = (): Listing | undefined => {
    space.assertOpen(OPEN_OR_CREATE)
    const found = space.directory.find(OPEN_OR_CREATE, Named.ordered, name)
    return found !== undefined && zoneLives(space, found.address) ? found : undefined
  }
  return openOrElse(
    find,
    () => openAgreeing(arena, name, options),
    () => createOrdered(arena, name, options),
  )
}

function openAgreeing<F extends Fields, N extends OrderKeyNames<F>>(
  arena: Arena,
  name: string,
  options: OrderedTableOptions<F, N>,
): Opened<F, N> {
  const { record, key, capacity, smr, ...knobs } = options
  if (capacity !== undefined) integer(OPEN_OR_CREATE, 'capacity', capacity, 1, MOST_RECORDS)
  // The zone of the records compares the rest: its knobs, its domain, the record and the key.
  const shape = { ...knobs, record: recordShape(checked(OPEN_OR_CREATE, record), key) }
  arena.openZone(OPEN_OR_CREATE, name, smr === undefined ? shape : { ...shape, smr })
  return openOrdered(arena, name, { record, key, ...hooksAmong(knobs) })
}

/** @internal */
export function openOrdered<F extends Fields, N extends OrderKeyNames<F>>(
  arena: Arena,
  name: string,
  options: Pick<OrderedTableOptions<F, N>, 'record' | 'key' | 'ctor' | 'dtor' | 'init' | 'fini'>,
): Opened<F, N> {
  assertArena(OPEN, arena)
  const { space } = arena
  space.assertOpen(OPEN)
  onlyOptions(OPEN, options, ['record', 'key', 'ctor', 'dtor', 'init', 'fini'])
  const { record, key: keyName, ...hooks } = options
  const key = orderKeyOf(OPEN, checked(OPEN, record), keyName)
  const { directory, memory } = space
  const found = directory.find(OPEN, Named.ordered, name)
  if (found === undefined) {
    throw new Misuse(`${OPEN}: there is no table ${show(name)}; create it first`, { table: name })
  }
  const isNamed = (zone: string, word: number): boolean =>
    directory.find(OPEN, Named.zone, zone)?.serial === memory.peek(found.address + word)
  const isThere =
    isNamed(name, OrderWords.zoneSerial) && isNamed(nodesOf(name), OrderWords.nodesSerial)
  const shape = { ...hooks, record: recordShape(record, keyName) }
  const zone = isThere ? arena.openZone(OPEN, name, shape) : undefined
  const smr = zone?.parts.domain
  if (zone === undefined || smr === undefined) {
    throw new Misuse(
      `${OPEN}: a zone of table ${show(name)} was destroyed, and the table with it; create it again`,
      { table: name },
    )
  }
  const nodes = arena.openZone(OPEN, nodesOf(name), { bytes: TRIE_WORDS * BYTES_PER_WORD })
  const blocks = blocksFor(OPEN, arena, name, record, zone, false)
  return { parts: partsOf(arena, found, key as OrderKey, zone, nodes, smr, blocks), key }
}

function partsOf(
  arena: Arena,
  { address: at, name, serial }: Listing,
  key: OrderKey,
  zone: Zone,
  nodes: Zone,
  smr: Smr,
  blocks: Blocks,
): OrderParts {
  const trie = new Trie(arena.memory, at, name, key)
  const guard = new Guard(arena.space, at, name, trie, [zone.parts.at, nodes.parts.at])
  return { arena, name, at, serial, zone, nodes, smr, blocks, trie, guard }
}

/**
 * Record and version together. The order and its key are part of the signature, on which openers must
 * agree.
 */
function recordShape<F extends Fields>(record: Schema<F>, key: PropertyKey) {
  return {
    bytes: (record.words + ORDERED_WORDS) * BYTES_PER_WORD,
    signature: `${record.signature} ordered by ${String(key)}`,
  }
}

/** Nodes have buckets and paces as records have. */
function nodeShape(shape: ZoneOptions): ZoneOptions {
  const given = Object.entries(shape).filter(([name]) =>
    (['preset', ...KNOBS] as readonly string[]).includes(name),
  )
  return { bytes: TRIE_WORDS * BYTES_PER_WORD, ...Object.fromEntries(given) }
}

/** Misuse unless it is an arena. */
function assertArena(call: string, arena: unknown): asserts arena is Arena {
  memoryOf(call, arena)
  const { space } = arena as Partial<Arena>
  if (typeof space?.assertOpen === 'function') return
  throw new Misuse(`${call}: arena is ${show(arena)}; give what Arena.create or attach returned`)
}

function checked<S>(call: string, schema: S): S {
  const isSchema =
    typeof schema === 'object' && schema !== null && 'signature' in schema && 'fields' in schema
  if (isSchema && Array.isArray(schema.fields)) return schema
  throw new Misuse(`${call}: record is ${show(schema)}; give what record() returned`)
}

/** The key of an ordered table by `field`. Misuse if there is no such field, or it is no key. */
function orderKeyOf<F extends Fields, N extends OrderKeyNames<F>>(
  call: string,
  schema: Schema<F>,
  field: N,
): OrderKey<ValueOf<F[N]>> {
  const place = schema.fields.find((each) => each.name === field)
  if (place === undefined) {
    const names = schema.fields.map((each) => each.name).join(', ')
    throw new Misuse(`${call}: there is no field ${show(field)}; there are ${names}`, {
      field: show(field),
    })
  }
  const { definition, name, offset, byte, type } = place
  const key = orderKeyAt(name, definition, offset * WORD + byte)
  if (key === undefined) {
    throw new Misuse(
      `${call}: field ${show(field)} is ${type}; the key of an ordered table is u32, i32, i64, utf8(n) or bytes(n)`,
      { field: name, type },
    )
  }
  if (definition.max > MOST_KEY_BYTES) {
    throw new Misuse(
      `${call}: field ${show(field)} is ${type}; the key of an ordered table has at most ${MOST_KEY_BYTES} bytes`,
      { field: name, type },
    )
  }
  return key as OrderKey<ValueOf<F[N]>>
}

function exists(name: string): Misuse {
  return new Misuse(`${CREATE}: table ${show(name)} exists already; open it`, { table: name })
}
