/**
 * The nine types of fields.
 *
 *   u32 i32 f32 ref    one word each
 *   f64 i64            two words, at an even word, so that `arena.floats` can see them too
 *   bool               a byte
 *   utf8(n) bytes(n)   a length (one byte, two when n > 255) and n bytes, not aligned
 *
 * Values are not coerced. A value that would not be read back unchanged - a fraction in a u32, a
 * string of 65 bytes in a utf8(64), a lone surrogate - is Misuse before anything is stored. The one
 * exception: f32 rounds, as `Math.fround` does.
 *
 * Accesses are plain. A record is written before it is published and only read after; records that
 * several workers write need a lock, or a table, which replaces them as a whole.
 */

import type { Item } from '../base/brands.ts'
import { integer } from '../base/errors.ts'
import { addressOf, FieldType, LONG, noArena, type Room, WORD } from './field.ts'
import { decode, encode, fits, headBytes, MAX_BYTES, readLength, writeLength } from './text.ts'

// ---- words -----------------------------------------------------------------------------------

const ONE_WORD = { bytes: WORD, align: WORD }
const TWO_WORDS = { bytes: LONG, align: LONG }

// Eight private bytes to convert between types; engines compile its accesses to single
// instructions.
const bits = new DataView(new ArrayBuffer(LONG))

/** The low 32 bits of a 64-bit integer, without making a BigInt. */
export function lowWord(value: bigint): number {
  bits.setBigInt64(0, value, true)
  return bits.getInt32(0, true)
}

/** Its high 32 bits. */
export function highWord(value: bigint): number {
  bits.setBigInt64(0, value, true)
  return bits.getInt32(WORD, true)
}

/** An integer from 0 to 4,294,967,295. */
export const u32: FieldType<number, 'u32'> = new FieldType(
  'u32',
  ONE_WORD,
  'an integer from 0 to 4294967295',
  (value) => typeof value === 'number' && value >>> 0 === value,
  (start) => {
    const at = start / WORD
    return {
      get: (arena, item) => {
        try {
          return arena.memory.peek(addressOf(item) + at) >>> 0
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      store: (memory, item, value) => memory.poke(item + at, value | 0),
    }
  },
)

/** An integer from -2,147,483,648 to 2,147,483,647. */
export const i32: FieldType<number, 'i32'> = new FieldType(
  'i32',
  ONE_WORD,
  'an integer from -2147483648 to 2147483647',
  (value) => typeof value === 'number' && (value | 0) === value,
  (start) => {
    const at = start / WORD
    return {
      get: (arena, item) => {
        try {
          return arena.memory.peek(addressOf(item) + at)
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      store: (memory, item, value) => memory.poke(item + at, value | 0),
    }
  },
)

/**
 * Any number, rounded to single precision as `Math.fround` does; NaN, infinities and -0 included.
 */
export const f32: FieldType<number, 'f32'> = new FieldType(
  'f32',
  ONE_WORD,
  'a number',
  (value) => typeof value === 'number',
  (start) => {
    const at = start / WORD
    return {
      get: (arena, item) => {
        try {
          bits.setInt32(0, arena.memory.peek(addressOf(item) + at))
          return bits.getFloat32(0)
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      store: (memory, item, value) => {
        bits.setFloat32(0, value)
        memory.poke(item + at, bits.getInt32(0))
      },
    }
  },
)

/** Any number; NaN, infinities and -0 included. */
export const f64: FieldType<number, 'f64'> = new FieldType(
  'f64',
  TWO_WORDS,
  'a number',
  (value) => typeof value === 'number',
  (start) => {
    const at = start / WORD
    return {
      get: (arena, item) => {
        try {
          return arena.memory.peekFloat(addressOf(item) + at)
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      store: (memory, item, value) => memory.pokeFloat(item + at, value),
    }
  },
)

/** A bigint from -2^63 to 2^63 - 1; the low word comes first. */
export const i64: FieldType<bigint, 'i64'> = new FieldType(
  'i64',
  TWO_WORDS,
  'a bigint from -(2n ** 63n) to 2n ** 63n - 1n',
  (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  (start) => {
    const low = start / WORD
    const high = low + 1
    return {
      get: (arena, item) => {
        try {
          const at = addressOf(item)
          bits.setInt32(0, arena.memory.peek(at + low), true)
          bits.setInt32(WORD, arena.memory.peek(at + high), true)
          return bits.getBigInt64(0, true)
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      store: (memory, item, value) => {
        memory.poke(item + low, lowWord(value))
        memory.poke(item + high, highWord(value))
      },
    }
  },
)

/** The address of another record, or 0 for none. */
export const ref: FieldType<Item, 'ref'> = new FieldType(
  'ref',
  ONE_WORD,
  'an item: 0, or an address up to 2147483647',
  (value) => typeof value === 'number' && value >= 0 && (value | 0) === value,
  (start) => {
    const at = start / WORD
    return {
      get: (arena, item) => {
        try {
          return arena.memory.peek(addressOf(item) + at) as Item
        } catch (error) {
          throw noArena(error, arena)
        }
      },
      store: (memory, item, value) => memory.poke(item + at, value),
    }
  },
)

// ---- bytes -----------------------------------------------------------------------------------

const BYTE = 1

/** `true` or `false`, no other values. */
export const bool: FieldType<boolean, 'bool'> = new FieldType(
  'bool',
  { bytes: BYTE, align: BYTE },
  'true or false',
  (value) => typeof value === 'boolean',
  (start) => ({
    get: (arena, item) => {
      try {
        return arena.memory.peekByte(addressOf(item), start) !== 0
      } catch (error) {
        throw noArena(error, arena)
      }
    },
    store: (memory, item, value) => memory.pokeByte(item, start, value ? 1 : 0),
  }),
)

function sized(kind: 'utf8' | 'bytes', max: number): Room {
  integer(kind, 'n', max, 1, MAX_BYTES)
  return { name: `${kind}(${max})`, bytes: headBytes(max) + max, max, align: BYTE }
}

/**
 * Text of at most `max` bytes (1 to 65,535) in UTF-8: 64 bytes are 64 letters of English, 32 of
 * Greek, 21 of Chinese, 16 emoji. Any well-formed string, also empty or with NUL; no lone
 * surrogate, which UTF-8 cannot encode. Longer text is refused, never cut. Never blocks; legal
 * anywhere.
 * @throws Misuse when `max` is not an integer in this range.
 */
export function utf8(max: number): FieldType<string, 'utf8'> {
  const room = sized('utf8', max)
  const head = headBytes(max)
  return new FieldType(
    'utf8',
    room,
    `well-formed text of at most ${max} bytes in UTF-8`,
    (value) => typeof value === 'string' && fits(value, max),
    (start) => {
      const first = start + head
      return {
        get: (arena, item) => {
          try {
            const at = addressOf(item)
            return decode(arena.memory, at, first, readLength(arena.memory, at, start, max))
          } catch (error) {
            throw noArena(error, arena)
          }
        },
        store: (memory, item, value) => {
          const length = encode(memory, item, first, value, max) - first
          writeLength(memory, item, start, max, length)
        },
      }
    },
  )
}

// A subclass may override its length and its parts, but what is written must not exceed the field.
// So the host's own accessors are used, as they were when this module was loaded.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const lengthOf = getterOf('length')
const tagOf = getterOf(Symbol.toStringTag)
const bufferOf = getterOf('buffer')
const offsetOf = getterOf('byteOffset')

function getterOf(key: PropertyKey): (of: object) => unknown {
  const get = Object.getOwnPropertyDescriptor(typedArray, key)?.get
  return (of) => (get === undefined ? undefined : Reflect.apply(get, of, []))
}

/** Whether it is a Uint8Array, of any subclass. */
export function isBytes(value: unknown): value is Uint8Array {
  return typeof value === 'object' && value !== null && tagOf(value) === 'Uint8Array'
}

/** How many bytes it has. */
export function bytesIn(value: Uint8Array): number {
  return lengthOf(value) as number
}

/** Its first bytes, as a plain Uint8Array. */
export function firstOf(value: Uint8Array, length: number): Uint8Array {
  // A detached array has no bytes, and its constructor would throw.
  if (length === 0) return NO_BYTES
  return new Uint8Array(bufferOf(value) as ArrayBuffer, offsetOf(value) as number, length)
}

const NO_BYTES = new Uint8Array(0)

/**
 * At most `max` bytes (1 to 65,535), with their length. Stored from a Uint8Array (or Buffer) and
 * fetched as a private copy. Never blocks; legal anywhere.
 * @throws Misuse when `max` is not an integer in this range.
 */
export function bytes(max: number): FieldType<Uint8Array, 'bytes'> {
  const room = sized('bytes', max)
  const head = headBytes(max)
  return new FieldType(
    'bytes',
    room,
    `a Uint8Array of at most ${max} bytes`,
    (value) => isBytes(value) && bytesIn(value) <= max,
    (start) => {
      const first = start + head
      return {
        get: (arena, item) => {
          try {
            const at = addressOf(item)
            return arena.memory.readBytes(at, first, readLength(arena.memory, at, start, max))
          } catch (error) {
            throw noArena(error, arena)
          }
        },
        store: (memory, item, value) => {
          // Measured again: a view on a growable shared buffer may have grown since it was
          // accepted, and would overwrite the next field.
          const length = Math.min(bytesIn(value), max)
          memory.writeBytes(item, first, firstOf(value, length))
          writeLength(memory, item, start, max, length)
        },
      }
    },
  )
}
