/**
 * Keys of ordered tables: a key as a string of digits.
 *
 * A digit is half a byte, the most significant first, so that keys compare as their digits do: the
 * first digit in which two keys differ decides. Integers are taken from their top bits, those with a
 * sign with that bit turned round. Bytes compare as they are. Text compares as its UTF-8 does, which
 * is the order of code points; JavaScript's `<` compares UTF-16 units, and so puts U+FF5E behind an
 * emoji, where we put it before.
 *
 * Digits are 1 to 16. Behind its last digit a key has 0, for its end. So a key that another one
 * begins with has a slot of its own in the node that tells the two apart, and comes first, as it
 * must. (A flag in the node, or a mark in the record, would need a second look at each step. The slot
 * costs no memory: a node of one word and 16 slots would be padded to as many words.)
 *
 * A key object holds one key, the one that it was last aimed at. Walks compare with that. Between
 * `aim` and the end of a walk runs no code of the user.
 */

import type { Memory } from '../memory/memory.ts'
import { encodeText } from '../memory/utf8.ts'
import { type FieldType, refuse, WORD } from '../record/field.ts'
import type { Fields } from '../record/record.ts'
import { headBytes, readLength, utf8Length } from '../record/text.ts'
import { highWord, lowWord } from '../record/types.ts'

/** Field types that an ordered table can be keyed by. */
export type OrderKind = 'u32' | 'i32' | 'i64' | 'utf8' | 'bytes'

/** Names of the fields that an ordered table can be keyed by. */
export type OrderKeyNames<F extends Fields> = {
  [N in keyof F]: F[N] extends FieldType<unknown, OrderKind> ? N : never
}[keyof F]

/** What `differ` returns for a record whose key is the one aimed at. */
export const SAME = -1
/** A level must fit in its part of a node's first word: the bytes that a key may have. */
export const MOST_KEY_BYTES = 2 ** 14 - 1

/** A key field of records. */
export interface OrderKey<T = unknown> {
  readonly type: OrderKind
  /** Name of the field. */
  readonly field: string
  /** Word of the record that is the key, if it is one word; -1 if not. */
  readonly word: number
  /** What the bits of that word are turned round by, so that they compare without a sign. */
  readonly flip: number
  /**
   * Holds this key from now on. A key longer than the field can hold is one that no record has, and
   * has its place in the order. @throws Misuse, for `call`, for other values.
   */
  aim(call: string, value: T): void
  /** The key aimed at, if it is one word, turned round by `flip`. */
  readonly bits: number
  /** Digit `level` of the key aimed at. */
  digit(level: number): number
  /** The first digit in which the key of the record at `item` differs from the one aimed at. */
  differ(memory: Memory, item: number): number
  /** Digit `level` of the key of the record at `item`. */
  digitOf(memory: Memory, item: number, level: number): number
  /** Whether two values are the same key. */
  same(one: T, other: T): boolean
}

const DIGIT_BITS = 4
const DIGIT_MASK = 15
const LAST_SHIFT = 28
const WORD_DIGITS = 8
const DIGIT_SHIFT = 2
const SIGN = -1 << 31
const END = 0

/** Digit of a word: level 0 is the top one. */
function digitIn(bits: number, level: number): number {
  return 1 + ((bits >>> (LAST_SHIFT - level * DIGIT_BITS)) & DIGIT_MASK)
}

/** Digit of a byte string at an even or odd level. */
function digitInByte(byte: number, level: number): number {
  return 1 + ((level & 1) === 0 ? byte >>> DIGIT_BITS : byte & DIGIT_MASK)
}

/** The level of the first difference, given the bits that differ of byte `index`. */
function levelIn(index: number, bits: number): number {
  return 2 * index + (bits > DIGIT_MASK ? 0 : 1)
}

class WordKey implements OrderKey<number> {
  readonly type: 'u32' | 'i32'
  readonly field: string
  readonly word: number
  readonly flip: number
  bits = 0
  private readonly definition: FieldType

  constructor(type: 'u32' | 'i32', field: string, definition: FieldType, start: number) {
    this.type = type
    this.field = field
    this.definition = definition
    this.word = start / WORD
    this.flip = type === 'i32' ? SIGN : 0
  }

  aim(call: string, value: number): void {
    if (!this.definition.accepts(value)) refuse(call, `key "${this.field}"`, this.definition, value)
    this.bits = value ^ this.flip
  }

  digit(level: number): number {
    return digitIn(this.bits, level)
  }

  differ(memory: Memory, item: number): number {
    const bits = this.bits ^ this.flip ^ memory.peek(item + this.word)
    return bits === 0 ? SAME : Math.clz32(bits) >>> DIGIT_SHIFT
  }

  digitOf(memory: Memory, item: number, level: number): number {
    return digitIn(memory.peek(item + this.word) ^ this.flip, level)
  }

  same(one: number, other: number): boolean {
    return one === other
  }
}

class LongKey implements OrderKey<bigint> {
  readonly type = 'i64'
  readonly field: string
  readonly word = -1
  readonly flip: number = SIGN
  bits = 0
  private readonly definition: FieldType
  private readonly low: number
  private lowBits = 0

  constructor(field: string, definition: FieldType, start: number) {
    this.field = field
    this.definition = definition
    this.low = start / WORD
  }

  aim(call: string, value: bigint): void {
    if (!this.definition.accepts(value)) refuse(call, `key "${this.field}"`, this.definition, value)
    this.bits = highWord(value) ^ SIGN
    this.lowBits = lowWord(value)
  }

  digit(level: number): number {
    return level < WORD_DIGITS
      ? digitIn(this.bits, level)
      : digitIn(this.lowBits, level - WORD_DIGITS)
  }

  differ(memory: Memory, item: number): number {
    const high = this.bits ^ SIGN ^ memory.peek(item + this.low + 1)
    if (high !== 0) return Math.clz32(high) >>> DIGIT_SHIFT
    const low = this.lowBits ^ memory.peek(item + this.low)
    return low === 0 ? SAME : WORD_DIGITS + (Math.clz32(low) >>> DIGIT_SHIFT)
  }

  digitOf(memory: Memory, item: number, level: number): number {
    return level < WORD_DIGITS
      ? digitIn(memory.peek(item + this.low + 1) ^ SIGN, level)
      : digitIn(memory.peek(item + this.low), level - WORD_DIGITS)
  }

  same(one: bigint, other: bigint): boolean {
    return one === other
  }
}

const SOME_BYTES = 64
const ASCII_END = 0x80

/** Text and bytes: a length, then so many bytes. */
abstract class BytesKey<T> implements OrderKey<T> {
  abstract readonly type: 'utf8' | 'bytes'
  readonly field: string
  readonly word = -1
  readonly flip = 0
  readonly bits = 0
  protected readonly definition: FieldType
  private readonly start: number
  private readonly first: number
  /** The key aimed at: `length` bytes. */
  protected kept: Uint8Array<ArrayBuffer> = new Uint8Array(SOME_BYTES)
  protected length = 0

  constructor(field: string, definition: FieldType, start: number) {
    this.field = field
    this.definition = definition
    this.start = start
    this.first = start + headBytes(definition.max)
  }

  abstract aim(call: string, value: T): void
  abstract same(one: T, other: T): boolean

  digit(level: number): number {
    const at = level >> 1
    return at >= this.length ? END : digitInByte(this.kept[at] as number, level)
  }

  differ(memory: Memory, item: number): number {
    const { first, kept, length } = this
    const other = readLength(memory, item, this.start, this.definition.max)
    const shorter = Math.min(length, other)
    for (let i = 0; i < shorter; i++) {
      const bits = (kept[i] as number) ^ memory.peekByte(item, first + i)
      if (bits !== 0) return levelIn(i, bits)
    }
    return length === other ? SAME : 2 * shorter
  }

  digitOf(memory: Memory, item: number, level: number): number {
    const at = level >> 1
    if (at >= readLength(memory, item, this.start, this.definition.max)) return END
    return digitInByte(memory.peekByte(item, this.first + at), level)
  }

  /** Makes room for so many bytes of a key. */
  protected room(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > this.kept.length) this.kept = new Uint8Array(2 * bytes)
    return this.kept
  }

  protected refuse(call: string, value: unknown): never {
    refuse(call, `key "${this.field}"`, this.definition, value)
  }
}

class TextKey extends BytesKey<string> {
  readonly type = 'utf8'

  aim(call: string, value: string): void {
    if (typeof value !== 'string') this.refuse(call, value)
    const { length } = value
    const kept = this.room(length)
    let seen = 0
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      seen |= unit
      kept[i] = unit
    }
    this.length = length
    if (seen < ASCII_END) return
    if (utf8Length(value) < 0) this.refuse(call, value)
    const bytes = encodeText(value)
    this.room(bytes.length).set(bytes)
    this.length = bytes.length
  }

  same(one: string, other: string): boolean {
    return one === other
  }
}

class ByteStringKey extends BytesKey<Uint8Array> {
  readonly type = 'bytes'

  aim(call: string, value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.refuse(call, value)
    // A view on a growable buffer may change its length meanwhile: measured once.
    const { length } = value
    const kept = this.room(length)
    for (let i = 0; i < length; i++) kept[i] = value[i] ?? 0
    this.length = length
  }

  same(one: Uint8Array, other: Uint8Array): boolean {
    return one.length === other.length && one.every((byte, i) => byte === other[i])
  }
}

/** The key for a field that starts `start` bytes into its record; undefined: not a type for keys. */
export function orderKeyAt(
  field: string,
  definition: FieldType,
  start: number,
): OrderKey | undefined {
  switch (definition.kind) {
    case 'u32':
    case 'i32':
      return new WordKey(definition.kind, field, definition, start)
    case 'i64':
      return new LongKey(field, definition, start)
    case 'utf8':
      return new TextKey(field, definition, start)
    case 'bytes':
      return new ByteStringKey(field, definition, start)
    default:
      return undefined
  }
}
