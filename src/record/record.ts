/**
 * Records: the fields of an item, declared once, with types inferred.
 *
 *     const City = record({ id: u32, lat: f64, lon: f64, name: utf8(64), next: ref })
 *     City.set.name(arena, item, 'Zürich')
 *     City.get.lat(arena, item)                  // number, straight from shared memory
 *     type City = RecordOf<typeof City>          // { id: number; lat: number; ...; next: Item }
 *
 * A schema owns no memory, and each worker makes its own from the same declaration. `signature` is
 * the layout as text: equal text is equal layout. Opening a zone or table by name compares it.
 *
 * Layout. Fields are placed by alignment - 64-bit ones first, then words, then bytes - and within
 * that in the order of declaration. So only the end needs padding: it is rounded up to an even
 * number of words, because a record must start at an even word:
 *
 *     word  0    2    4    5     6                              23
 *           lat  lon  id   next  name: length, 64 bytes, unused
 *
 * `get` and `set` access one field, and cost little more than the access itself: use them inside a
 * read section. `read` and `write` copy whole objects; `read` lists the fields in the order of
 * declaration. `write` checks every value before it stores the first, so a refused object changes
 * nothing. But it is no transaction: another worker that reads meanwhile sees it half written.
 * Publish after writing, or replace records, as tables do.
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { type HasMemory, type Memory, memoryOf } from '../memory/memory.ts'
import { roundUp } from '../memory/struct.ts'
import { type Adder, type AtomicField, adderOf, atomicField } from './atomic.ts'
import { type Codec, codecOf, type Part } from './codec.ts'
import { addressOf, type Bound, FieldType, LONG, noArena, refuse, WORD } from './field.ts'
import { type Key, type KeyKind, keyAt } from './key.ts'
import {
  type BlockHeap,
  blockAt,
  lengthOf,
  makeBlocks,
  setBlock,
  type Taken,
  type UnboundedField,
} from './unbounded.ts'

export { atomic } from './atomic.ts'
export type { FieldKind, FieldType } from './field.ts'
export type { Key, KeyKind } from './key.ts'
export { bool, bytes, f32, f64, i32, i64, ref, u32, utf8 } from './types.ts'
export type { BlockHeap } from './unbounded.ts'
export { data, json, text } from './unbounded.ts'

// ---- types -----------------------------------------------------------------------------------

/** A declaration: field types by name. */
export type Fields = Readonly<Record<string, FieldType>>

/** The JavaScript type of a field: number, boolean, bigint, string, Uint8Array or Item. */
export type ValueOf<T> = T extends FieldType<infer V> ? V : never

/** The object that a declaration describes. */
export type Values<F extends Fields> = { -readonly [N in keyof F]: ValueOf<F[N]> }

/** The object type of a schema: `RecordOf<typeof City>`. */
export type RecordOf<S> = S extends { read(arena: HasMemory, item: Item): infer R } ? R : never

/** Names of the fields that start at a word, and so have a word offset; atomic ones have verbs. */
type WordNames<F extends Fields> = {
  [N in keyof F]: F[N] extends FieldType<
    unknown,
    'utf8' | 'bytes' | 'bool' | 'atomic' | 'text' | 'data' | 'json'
  >
    ? never
    : N
}[keyof F]

/** Names of the fields that change in place. */
export type AtomicNames<F extends Fields> = {
  [N in keyof F]: F[N] extends FieldType<unknown, 'atomic'> ? N : never
}[keyof F]

/** Names of the fields that a table can be keyed by. */
export type KeyNames<F extends Fields> = {
  [N in keyof F]: F[N] extends FieldType<unknown, KeyKind> ? N : never
}[keyof F]

/** The type of a method, so that a schema of known fields is assignable to `Schema`. */
type Setter<T> = { set(arena: HasMemory, item: Item, value: T): void }['set']

/** Where a field is. */
export interface FieldPlace {
  readonly name: string
  /** As in the signature: `u32`, `utf8(64)`. */
  readonly type: string
  /** Words from the start of the record to the word in which the field starts. */
  readonly offset: number
  /** Byte of that word in which it starts: 0 for all but bool, utf8 and bytes. */
  readonly byte: number
  /** Room it takes, in bytes. */
  readonly bytes: number
  readonly definition: FieldType
}

/**
 * A typed view on the records of one layout. All accessors take an arena and an item; a null, odd
 * or negative item is Misuse.
 */
export interface Schema<F extends Fields = Fields> {
  /** Room a record takes, in words: even. */
  readonly words: number
  /** The same in bytes: a multiple of 8. */
  readonly bytes: number
  /**
   * The layout as text, in order of memory: `name:type@word`, with `+byte` where a field starts
   * inside a word. Equal signatures are equal layouts.
   */
  readonly signature: string
  /** Where each field is, in the order of declaration. */
  readonly fields: readonly FieldPlace[]
  /** Word offsets of the fields that start at a word: `item + City.offsets.next` is its address. */
  readonly offsets: { readonly [N in WordNames<F>]: number }
  /** Reads one field, by its name. Misuse if `item` is none. */
  readonly get: { readonly [N in keyof F]: (arena: HasMemory, item: Item) => ValueOf<F[N]> }
  /** @throws Misuse, and stores nothing, when the field cannot hold the value. */
  readonly set: { readonly [N in keyof F]: Setter<ValueOf<F[N]>> }
  /**
   * Adds to an atomic field of a record that was found in this section, as one step, and returns the sum,
   * which wraps as its type does. Undefined, and nothing was added: another worker is replacing or removing
   * the record, or has done so; `table.add` then finds the new one. (Once in 2^32 sums it is undefined for
   * another reason; `table.add` is right then, too.) Never blocks; legal only in the section. Misuse if
   * `item` is none or the delta no integer of 32 bits.
   */
  readonly add: { readonly [N in AtomicNames<F>]: Adder }
  /**
   * A copy of the whole record, in the order of declaration. Misuse if `item` is none. Never
   * blocks; legal inside a section, where a record that others may free must be read.
   */
  read(arena: HasMemory, item: Item): Values<F>
  /**
   * Stores a whole record. All values are checked before the first is stored. Never blocks; legal
   * inside a section. Fields without a maximum need a `heap` for their values, and blocks come from it
   * as by `heap.alloc`; those that the record had before are not freed: see `free`.
   * @throws Misuse when a field is missing, unknown, or cannot hold its value, or the heap is missing;
   * Exhausted when it has no memory. Nothing has changed then.
   */
  write(arena: HasMemory, item: Item, object: Readonly<Values<F>>, heap?: BlockHeap): void
  /**
   * Frees the blocks of a record that `write` has put into this heap: before the record itself is freed,
   * and once. Throws and blocks as `heap.free`, or in a heap with smr as `heap.freeSmr`, which is Misuse
   * inside a section. Tables do it by themselves.
   */
  free(arena: HasMemory, item: Item, heap: BlockHeap): void
  /**
   * The first half of `write`: reads and checks the properties, each once. For tables. @internal
   */
  take(call: string, object: Readonly<Values<F>>): readonly unknown[]
  /** Its atomic fields. @internal */
  readonly atomics: readonly AtomicField[]
  /** Its fields without a maximum. @internal */
  readonly unbounded: readonly UnboundedField[]
  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary
  /** What `console.log` shows. @internal */
  [INSPECT](): string
  /** The second half: stores what `take` returned, and runs no code of the user. @internal */
  store(memory: Memory, at: number, values: readonly unknown[]): void
}

// ---- declaration -----------------------------------------------------------------------------

/** A property name that can follow a dot. */
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u

function checkDeclaration(fields: Fields): void {
  if (typeof fields !== 'object' || fields === null || !isPlain(fields)) {
    throw new Misuse(`record: fields are ${show(fields)}; give an object such as { id: u32 }`)
  }
  const names = Reflect.ownKeys(fields)
  if (names.length === 0) throw new Misuse('record: no fields; give at least one')
  for (const name of names) {
    if (typeof name !== 'string' || !IDENTIFIER.test(name) || name === '__proto__') {
      throw new Misuse(`record: a field is named ${show(name)}; give an identifier`, {
        field: show(name),
      })
    }
    const type: unknown = fields[name]
    if (type instanceof FieldType) continue
    const hint = typeof type === 'function' ? 'call it: utf8(64), text(), atomic(u32)' : TYPES
    throw new Misuse(`record: field ${show(name)} has type ${show(type)}; ${hint}`, { field: name })
  }
}

const TYPES =
  'give one of u32 i32 f32 f64 bool i64 bytes(n) utf8(n) ref atomic(u32) text() data() json()'

/** Not an instance of a class: `{ __proto__: u32 }` would hide what it declares. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

// ---- layout ----------------------------------------------------------------------------------

/** A field with its accessors. */
interface Seat extends Bound<unknown> {
  readonly place: FieldPlace
  readonly start: number
}

/** Largest alignment first: so there is no padding between the groups. */
const ALIGNMENTS = [LONG, WORD, 1]

/** Seats in order of memory, and where the last one ends, in bytes. */
function arrange(fields: Fields): { readonly seats: readonly Seat[]; readonly end: number } {
  const seats: Seat[] = []
  let start = 0
  for (const align of ALIGNMENTS) {
    for (const [name, definition] of Object.entries(fields)) {
      if (definition.align !== align) continue
      const place: FieldPlace = Object.freeze({
        name,
        type: definition.name,
        offset: Math.floor(start / WORD),
        byte: start % WORD,
        bytes: definition.bytes,
        definition,
      })
      seats.push({ place, start, ...definition.bind(start) })
      start += definition.bytes
    }
  }
  return { seats, end: start }
}

function sign(places: readonly FieldPlace[]): string {
  const at = ({ offset, byte }: FieldPlace) => (byte === 0 ? `${offset}` : `${offset}+${byte}`)
  return places.map((place) => `${place.name}:${place.type}@${at(place)}`).join(',')
}

// ---- schema ----------------------------------------------------------------------------------

/**
 * Declares a record: names and types of its fields. The types of everything that the schema returns
 * and accepts are inferred from it. Never blocks; legal anywhere.
 * @throws Misuse when there are no fields, a name is no identifier, or a type is not one of this
 * library.
 */
export function record<const F extends Fields>(fields: F): Schema<F> {
  checkDeclaration(fields)
  const { seats: inMemory, end } = arrange(fields)
  const names = Object.keys(fields)
  const seats = inMemory.toSorted(
    (a, b) => names.indexOf(a.place.name) - names.indexOf(b.place.name),
  )
  const bytes = roundUp(end, LONG)
  const atomics = Object.freeze(seats.flatMap(({ place }) => atomicOf(place)))
  const unbounded = Object.freeze(seats.flatMap(unboundedOf))
  const codec = codecOf(seats.map(partOf))
  const schema: Schema = {
    words: bytes / WORD,
    bytes,
    signature: sign(inMemory.map((seat) => seat.place)),
    fields: Object.freeze(seats.map((seat) => seat.place)),
    offsets: byName(seats.filter(startsAtWord), (seat) => seat.place.offset),
    get: byName(seats, (seat) => seat.get),
    set: byName(seats, setter),
    add: Object.freeze(Object.fromEntries(atomics.map((each) => [each.name, adderOf(each)]))),
    atomics,
    unbounded,
    ...codec,
    ...(unbounded.length > 0 && { write: writerOf(codec, unbounded) }),
    free: (arena, item, heap) =>
      freeBlocks(memoryOf(FREE, arena), addressOf(item), heap, unbounded),
    toJSON: () => summary('Schema', undefined, () => ({ bytes, fields: schema.signature })),
    [INSPECT]: () => inOneLine(schema.toJSON()),
  }
  // Built from the declaration that the type was inferred from.
  return Object.freeze(schema) as unknown as Schema<F>
}

function byName<T>(seats: readonly Seat[], of: (seat: Seat) => T): Readonly<Record<string, T>> {
  return Object.freeze(Object.fromEntries(seats.map((seat) => [seat.place.name, of(seat)])))
}

function startsAtWord(seat: Seat): boolean {
  const { align, kind } = seat.place.definition
  return align >= WORD && kind !== 'atomic' && seat.place.definition.take === undefined
}

function unboundedOf({ place }: Seat, index: number): UnboundedField[] {
  return place.definition.take === undefined ? [] : [{ index, offset: place.offset }]
}

const WRITE = 'record.write'
const FREE = 'record.free'

/** `write` for a record that owns blocks: they come first, for they may not be had. */
function writerOf(codec: Codec, fields: readonly UnboundedField[]): Schema['write'] {
  return (arena, item, object, heap) => {
    const at = addressOf(item)
    const memory = memoryOf(WRITE, arena)
    const values = codec.take(WRITE, object)
    const blocks = makeBlocks(WRITE, memory, heap, fields, values)
    codec.store(memory, at, values)
    for (const [i, { index, offset }] of fields.entries()) {
      const block = blocks[i] as number
      if (block !== 0) setBlock(memory, at + offset, block, lengthOf(values[index] as Taken))
    }
  }
}

function freeBlocks(
  memory: Memory,
  at: number,
  heap: BlockHeap,
  fields: readonly UnboundedField[],
): void {
  for (const { offset } of fields) {
    const block = blockAt(memory, at + offset)
    if (block !== 0) heap.freeAny(block as Item)
  }
}

function atomicOf({ name, definition, offset }: FieldPlace): AtomicField[] {
  const field = atomicField(name, definition, offset)
  return field === undefined ? [] : [field]
}

function setter({ place, store }: Seat): Schema['set'][string] {
  const { name, definition } = place
  const { accepts } = definition
  const call = `record.set.${name}`
  if (definition.take !== undefined) {
    return () => {
      throw new Misuse(`${call}: a ${definition.name} lies in a heap; write the whole record`, {
        field: name,
        type: definition.name,
      })
    }
  }
  return (arena, item, value) => {
    if (!accepts(value)) refuse(call, name, definition, value)
    const at = addressOf(item)
    try {
      store(arena.memory, at, value)
    } catch (error) {
      throw noArena(error, arena)
    }
  }
}

function partOf({ place, get, store }: Seat): Part {
  const { name, definition } = place
  const refusePart: Part['refuse'] = (call, object, value) => refuseIn(call, object, place, value)
  const { accepts, take } = definition
  return { name, accepts, convert: take, get, store, refuse: refusePart }
}

function refuseIn(
  call: string,
  object: object,
  { name, definition }: FieldPlace,
  value: unknown,
): never {
  if (value !== undefined || name in object) refuse(call, name, definition, value)
  throw new Misuse(`${call}: ${name} is missing; give ${definition.wanted}`, {
    field: name,
    type: definition.name,
    wanted: definition.wanted,
  })
}

// ---- keys ------------------------------------------------------------------------------------

/**
 * The key of a hash table by `field`, hashed with `seed`; see key.ts and hash.ts.
 * @throws Misuse when there is no such field, or its type is not u32, i32, i64 or utf8.
 */
export function keyOf<F extends Fields, const N extends KeyNames<F>>(
  schema: Schema<F>,
  field: N,
  seed: number,
): Key<ValueOf<F[N]>> {
  const place = schema.fields.find((each) => each.name === field)
  if (place === undefined) {
    const names = schema.fields.map((each) => each.name).join(', ')
    throw new Misuse(`keyOf: there is no field ${show(field)}; there are ${names}`, {
      field: show(field),
    })
  }
  const key = keyAt(place.name, place.definition, place.offset * WORD + place.byte, seed)
  if (key !== undefined) return key
  throw new Misuse(
    `keyOf: field ${show(field)} is ${place.type}; a key is u32, i32, i64 or utf8(n)`,
    { field: place.name, type: place.type },
  )
}
