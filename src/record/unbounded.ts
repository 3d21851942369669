/**
 * Fields without a maximum: their values lie in blocks of a heap, which the record owns.
 *
 *   block   address of the block, 0 for an empty value
 *   bytes   how long the value is
 *
 * `text()` and `json()` are kept in UTF-8. A value becomes bytes once, when the record is taken
 * apart, before memory is had for anything: JSON may run code of the user, and may refuse. Short text
 * stays a string until it is stored, for encoding it in place costs less than an array of bytes; and so
 * does all text where the host encodes it in place.
 *
 * Who writes the record puts the blocks there: a table by its writer (table/blocks.ts), a caller of
 * `schema.write` by the heap that it gives. Readers of a table are in a section of its domain, in
 * which neither record nor block is used again. So the address that a record shows leads to the
 * whole value: the block is filled before the record is published, and freed after it is unlinked.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, Misuse, show } from '../base/errors.ts'
import { host } from '../memory/hostText.ts'
import type { Memory } from '../memory/memory.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import { encodeText } from '../memory/utf8.ts'
import { addressOf, type Bound, FieldType, noArena, WORD } from './field.ts'
import { decode, encode, isWellFormed, utf8Length } from './text.ts'
import { bytesIn, firstOf, isBytes } from './types.ts'

/** What a record needs of a heap. */
export interface BlockHeap {
  /** A block of so many bytes. Throws Exhausted; never waits for readers, legal inside a section. */
  allocAny(bytes: number): Item
  /** Takes a block back that no reader has seen. Misuse for another; legal inside a section. */
  giveBack(block: Item): void
  /** Frees a block that no new reader can find. Misuse for what is none, and inside a section. */
  freeAny(block: Item): void
}

/** One such field of a record: which of its values, and where. */
export interface UnboundedField {
  readonly index: number
  /** Words from the start of the record to the address of the block. */
  readonly offset: number
}

/** The same offsets, from the signature of a record: for a reaper, who has no schema. */
export function unboundedIn(signature: string): number[] {
  const fields = [...signature.matchAll(/:(?:text|data|json)@(\d+)/g)]
  return fields.map(([, offset]) => Number(offset))
}

/** What a value was made into: text that is short, or bytes. */
export type Taken = string | Uint8Array

/** From `block` to `bytes`. */
const BYTES = 1
const ROOM = { bytes: 2 * WORD, align: WORD, max: Number.POSITIVE_INFINITY }
/**
 * Up to this length a loop encodes faster than TextEncoder, whose array has to be made. Where the host
 * encodes into shared memory, no text becomes an array.
 */
const SHORT = 64

// ---- writing ---------------------------------------------------------------------------------

/** Bytes of the block for a value, 0 for none. */
export function lengthOf(value: Taken): number {
  return typeof value === 'string' ? utf8Length(value) : bytesIn(value)
}

/** Fills a block of so many bytes. Runs no code of the user. */
export function fillBlock(memory: Memory, block: number, value: Taken, length: number): void {
  if (typeof value === 'string') {
    encode(memory, block, 0, value, length)
    return
  }
  // Measured again: a view on a resizable buffer may have changed since the block was had.
  const now = Math.min(bytesIn(value), length)
  memory.writeBytes(block, 0, firstOf(value, now))
  if (now < length) memory.writeBytes(block, now, new Uint8Array(length - now))
}

/** Writes into the record where the value is. */
export function setBlock(memory: Memory, at: number, block: number, length: number): void {
  memory.poke(at, block)
  memory.poke(at + BYTES, length)
}

/** Address of the block of the field at `at`, 0 for none. */
export function blockAt(memory: Memory, at: number): number {
  return memory.peek(at)
}

/** Blocks for the values of these fields, filled. All or none. */
export function makeBlocks(
  call: string,
  memory: Memory,
  heap: BlockHeap | undefined,
  fields: readonly UnboundedField[],
  values: readonly unknown[],
): number[] {
  if (typeof heap?.allocAny !== 'function') {
    throw new Misuse(
      `${call}: the heap is ${show(heap)}; fields without a maximum are kept in one: give what arena.heap() returned`,
    )
  }
  const made: number[] = []
  try {
    for (const { index } of fields) {
      const value = values[index] as Taken
      const length = lengthOf(value)
      const block = length === 0 ? 0 : heap.allocAny(length)
      made.push(block)
      if (block !== 0) fillBlock(memory, block, value, length)
    }
    return made
  } catch (error) {
    for (const block of made) if (block !== 0) heap.giveBack(block as Item)
    throw error
  }
}

// ---- reading ---------------------------------------------------------------------------------

/** Corruption unless the block lies in the arena: then the item was no record of this type. */
function checkBlock(memory: Memory, block: number, length: number): void {
  const end = block + length / BYTES_PER_WORD
  if (block > 0 && length > 0 && end <= memory.words.length) return
  throw new Corruption(
    `record: ${length} bytes at ${block} are no value in this arena: the item is none, or was freed`,
    { block, bytes: length },
  )
}

function readText(memory: Memory, at: number): string {
  const block = memory.peek(at)
  if (block === 0) return ''
  const length = memory.peek(at + BYTES)
  checkBlock(memory, block, length)
  return decode(memory, block, 0, length)
}

function readData(memory: Memory, at: number): Uint8Array {
  const block = memory.peek(at)
  if (block === 0) return new Uint8Array(0)
  const length = memory.peek(at + BYTES)
  checkBlock(memory, block, length)
  return memory.readBytes(block, 0, length)
}

// ---- the types -------------------------------------------------------------------------------

function bound<T>(read: (memory: Memory, at: number) => T): (start: number) => Bound<T> {
  return (start) => {
    const at = start / WORD
    return {
      get: (arena, item) => {
        try {
          return read(arena.memory, addressOf(item) + at)
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      // Without a block: `setBlock` follows.
      store: (memory, item) => setBlock(memory, item + at, 0, 0),
    }
  }
}

/** Well-formed text as it is to be stored; undefined if it is none. */
function takeText(value: unknown): Taken | undefined {
  if (typeof value !== 'string') return undefined
  if (!isWellFormed(value)) return undefined
  return host.text !== undefined || value.length <= SHORT ? value : encodeText(value)
}

/**
 * Its JSON. Undefined if there is none: for a function, a circle, a bigint. What a `toJSON` or a
 * getter throws is the caller's.
 */
function takeJson(value: unknown): Taken | undefined {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
  return takeText(text)
}

function unbounded<T, K extends 'text' | 'data' | 'json'>(
  kind: K,
  wanted: string,
  take: (value: unknown) => Taken | undefined,
  read: (memory: Memory, at: number) => T,
): FieldType<T, K> {
  return new FieldType(kind, ROOM, wanted, (it) => take(it) !== undefined, bound(read), take)
}

/**
 * Text of any length: any well-formed string, no lone surrogate. Kept in a heap in UTF-8; takes 8
 * bytes of the record, and a block unless it is empty. Short text is faster in a `utf8(n)`. It cannot
 * be a key. Never throws and never blocks; legal anywhere.
 */
export function text(): FieldType<string, 'text'> {
  return unbounded('text', 'well-formed text', takeText, readText)
}

/**
 * Bytes of any number, stored from a Uint8Array (or Buffer) and fetched as a private copy. Otherwise
 * as `text`. Never throws and never blocks; legal anywhere.
 */
export function data(): FieldType<Uint8Array, 'data'> {
  return unbounded('data', 'a Uint8Array', (it) => (isBytes(it) ? it : undefined), readData)
}

/**
 * A value of any size, kept as JSON: what is read is what `JSON.parse` makes of its `JSON.stringify`,
 * which runs once, when the record is given. `T` is what you say it is; nothing checks it. A value
 * that has no JSON - undefined, a function, a circle, a bigint in it - is refused. Otherwise as `text`.
 * Never throws and never blocks; legal anywhere.
 */
export function json<T>(): FieldType<T, 'json'> {
  const wanted = 'a value that JSON can hold, without circles and bigints'
  return unbounded('json', wanted, takeJson, (memory, at) => JSON.parse(readText(memory, at)) as T)
}
